"""`Authorization: Bearer <api key>` on the tenant's host; the schema is already that of the host."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from integrations.models import ApiKey

PREFIX_BYTES = 4
KEY = re.compile(r"sk_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The system that calls: it acts with the rights of the whole tenant."""

    key: ApiKey
    is_authenticated: bool = True

    @property
    def label(self) -> str:
        return f"api:{self.key.name}"


def issue_key(name: str, *, by: str = "") -> str:
    """Make a key for the current tenant. The text is returned once; only its hash is kept."""
    prefix = secrets.token_hex(PREFIX_BYTES)
    text = f"sk_{prefix}_{secrets.token_urlsafe(32)}"
    ApiKey.objects.create(prefix=prefix, digest=digest(text), name=name, created_by=by)
    return text


def digest(text: str) -> bytes:
    """SHA-256 is enough here: a key holds 256 random bits, there is nothing to guess."""
    return hashlib.sha256(text.encode()).digest()


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Caller, ApiKey] | None:
        scheme, _, text = get_authorization_header(request).decode("latin-1").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        parts = KEY.fullmatch(text.strip())
        key = ApiKey.objects.filter(prefix=parts[1], revoked_at=None).first() if parts else None
        if key is None or not hmac.compare_digest(bytes(key.digest), digest(text.strip())):
            raise AuthenticationFailed
        self._note_use(key)
        return Caller(key), key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    @staticmethod
    def _note_use(key: ApiKey) -> None:
        """Once a minute is exact enough for "last used", and spares a write per request."""
        now = timezone.now()
        if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
