"""Tickets of the JS-SDK and the check of a page's signature as the client does it (wecom-api.md 3.1, 3.6)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from sandbox.corp import Corp
from sandbox.errors import ApiError
from sandbox.limits import Window
from sandbox.objects import App

OF_CORP = ""  # the key of the ticket that all apps of a corp share


@dataclass(slots=True)
class Ticket:
    value: str
    expires_at: float


class BadSignature(Exception):
    """The page's signature is not to be trusted; `code` is what the client names."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Tickets:
    """The tickets of all corps, and how often they were asked for."""

    def __init__(self) -> None:
        self.live: dict[tuple[str, str], Ticket] = {}  # (corp, app key or OF_CORP)
        self.windows: dict[tuple[str, str], Window] = {}

    def give(self, corp: Corp, app: App, kind: str, now: float) -> dict[str, Any]:
        """The same ticket inside its lifetime, then a new one."""
        self.count(corp, app, now)
        key = corp.corp_id, kind
        ticket = self.live.get(key)
        if ticket is None or ticket.expires_at <= now:
            ticket = Ticket(secrets.token_urlsafe(64)[:86], now + corp.limits.ticket_lifetime)
            self.live[key] = ticket
        return {"ticket": ticket.value, "expires_in": max(1, round(ticket.expires_at - now))}

    def count(self, corp: Corp, app: App, now: float) -> None:
        limits = corp.limits
        for key, ceiling in ((OF_CORP, limits.corp_tickets_per_hour), (app.key, limits.app_tickets_per_hour)):
            window = self.windows.setdefault((corp.corp_id, key), Window(3600.0))
            if not window.admit(now, ceiling, limits.ban_seconds):
                raise ApiError(45009)

    def expire(self, corp_id: str = "") -> int:
        """WeCom takes tickets back before their time: pages signed with them are refused."""
        doomed = [key for key in self.live if not corp_id or key[0] == corp_id]
        for key in doomed:
            del self.live[key]
        return len(doomed)

    def record(self) -> list[list[Any]]:
        """As it is written down: pages signed before a restart stay right."""
        return [[*key, ticket.value, ticket.expires_at] for key, ticket in self.live.items()]

    def restore(self, rows: list[list[Any]]) -> None:
        self.live = {(corp_id, kind): Ticket(value, expires_at) for corp_id, kind, value, expires_at in rows}

    def forget(self, corp_id: str = "") -> None:
        self.windows = {key: window for key, window in self.windows.items() if corp_id and key[0] != corp_id}

    def check(self, corp: Corp, kind: str, signed: dict[str, str], url: str, now: float) -> None:
        """Refuses a signature that this ticket did not make for this very address."""
        ticket = self.live.get((corp.corp_id, kind))
        if ticket is not None and ticket.expires_at > now and fits(ticket.value, signed, url):
            return
        others = [other for key, other in self.live.items() if key[0] == corp.corp_id and key[1] != kind]
        if any(fits(other.value, signed, url) for other in others):
            raise BadSignature(42012, "jsapi ticket of another kind")
        raise BadSignature(40093, "invalid signature")


def fits(ticket: str, signed: dict[str, str], url: str) -> bool:
    right = signature(ticket, signed["nonceStr"], signed["timestamp"], url)
    return hmac.compare_digest(right.encode(), signed["signature"].encode())


def signature(ticket: str, nonce: str, timestamp: str, url: str) -> str:
    """All values raw; the address without its fragment."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url.split('#', maxsplit=1)[0]}"
    return hashlib.sha1(text.encode()).hexdigest()
