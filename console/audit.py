"""One line in 审计日志 for whatever an operator did that others may ask about."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from console.models import AuditEntry


def record(request: HttpRequest, action: str, target: str = "", detail: dict[str, Any] | None = None) -> AuditEntry:
    """`action` is "<noun>.<verb>" ("operator.deactivate"); no secret may stand in `detail`."""
    return AuditEntry.objects.create(
        actor=str(request.user)[:80] if request.user.is_authenticated else "",
        action=action,
        target=target[:160],
        detail=detail or {},
        ip=client_ip(request) or None,
    )


def client_ip(request: HttpRequest) -> str:
    """The address of the browser; the header of a proxy is believed only where one is configured."""
    if settings.SECURE_PROXY_SSL_HEADER and (forwarded := request.headers.get("X-Forwarded-For")):
        return forwarded.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))
