"""Addresses at which a stored file is read: signed for one tenant, one file and, but for covers, a short time."""

import time

from django.core import signing
from django.urls import reverse

from content.models import StoredFile
from tenants.isolation import require_tenant

HOUR = 3600
SHOWN_INLINE = frozenset({"image/jpeg", "image/png", "video/mp4"})


def _signer(purpose: str) -> signing.Signer:
    return signing.Signer(salt=f"content.{purpose}.{require_tenant()}")


def file_url(file: StoredFile, *, hours: int = 1) -> str:
    """Good until the end of the next hour, so that a page drawn twice shows the browser one address to cache."""
    until = (int(time.time()) // HOUR + 1 + hours) * HOUR
    return reverse("content:file", args=[_signer("file").sign_object([file.pk, until]), file.name])


def cover_url(file_id: int) -> str:
    """Lasting, as a message that was sent shows its picture for years."""
    return reverse("content:cover", args=[_signer("cover").sign_object(file_id)])


def file_of(signed: str) -> int | None:
    """The file that an address is good for now."""
    try:
        pk, until = _signer("file").unsign_object(signed)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return int(pk) if time.time() < until else None


def cover_of(signed: str) -> int | None:
    try:
        return int(_signer("cover").unsign_object(signed))
    except (signing.BadSignature, ValueError, TypeError):
        return None
