"""Keeps uploaded files: each content once, checked before, its bytes gone when nothing needs it any more."""

import secrets
from datetime import timedelta
from typing import IO

from django.db import transaction
from django.utils import timezone

from content.kinds import FileRule
from content.models import Material, MediaId, StoredFile
from content.storage import store
from content.uploads import check

UNUSED_FOR = timedelta(days=30)
"""A deleted material may be restored until then; its file is kept as long."""


def keep(file: IO[bytes], name: str, size: int, rule: FileRule) -> StoredFile:
    """The stored file with this content. The bytes lie in the store before the row says so."""
    checked = check(file, name, size, rule)
    if (known := _known(checked.sha256, checked.name)) is not None:
        return known
    key = f"{checked.sha256[:32]}-{secrets.token_hex(6)}"
    store().put(key, file, size, checked.mime)
    row = StoredFile(
        sha256=checked.sha256,
        name=checked.name,
        mime=checked.mime,
        size=size,
        width=checked.width,
        height=checked.height,
        key=key,
    )
    StoredFile.objects.bulk_create([row], ignore_conflicts=True)
    kept = StoredFile.objects.get(sha256=checked.sha256)
    if kept.key != key:  # somebody uploaded the same at the same moment
        store().delete(key)
    return kept


@transaction.atomic
def _known(sha256: str, name: str) -> StoredFile | None:
    """What was uploaded before. The newest name counts: customers read it, so WeCom is given the file again."""
    known = StoredFile.objects.select_for_update().filter(sha256=sha256).first()
    if known is not None and known.name != name:
        known.name = name
        known.save(update_fields=["name"])
        MediaId.objects.filter(file=known).update(expires_at=timezone.now())
    return known


def purge() -> int:
    """Files whose every material was deleted long ago. The materials stay, as what was sent refers to them."""
    limit = timezone.now() - UNUSED_FOR
    used = Material.objects.filter(file__isnull=False).exclude(archived_at__lt=limit).values("file_id")
    count = 0
    for file in StoredFile.objects.filter(created_at__lt=limit).exclude(pk__in=used)[:1000]:
        count += _drop(file)
    return count


@transaction.atomic
def _drop(file: StoredFile) -> int:
    locked = StoredFile.objects.select_for_update().get(pk=file.pk)
    limit = timezone.now() - UNUSED_FOR
    materials = Material.objects.filter(file=locked)
    if materials.exclude(archived_at__lt=limit).exists():
        return 0
    materials.update(file=None)
    locked.delete()
    transaction.on_commit(lambda: store().delete(file.key))
    return 1
