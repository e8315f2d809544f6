"""WeCom's ceilings: calls per API of a corp and of an address, calls at once, wrong secrets from one address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sandbox.errors import ApiError
from sandbox.objects import Limits


@dataclass(slots=True)
class Window:
    """Counts in a span of fixed length; over the ceiling it is closed for a while."""

    span: float
    started: float = 0.0
    count: int = 0
    closed_until: float = 0.0

    def admit(self, now: float, ceiling: int, ban: float) -> bool:
        if now < self.closed_until:
            return False
        if now - self.started >= self.span:
            self.started, self.count = now, 0
        self.count += 1
        if self.count > ceiling:
            self.closed_until = now + ban
            return False
        return True


class Ceilings:
    """The counters behind 45009 and 45033."""

    def __init__(self) -> None:
        self.windows: dict[tuple[str, str, str], Window] = {}
        self.inside: Counter[tuple[str, str]] = Counter()
        self.wrong_secrets: dict[tuple[str, str], Window] = {}

    def admit(self, corp_id: str, api: str, ip: str, limits: Limits, now: float) -> None:
        """Of one corp, and of one address whatever corps it calls for: a vendor's server meets the second first."""
        for whose, per_minute, per_hour, note in (
            (corp_id, limits.per_minute, limits.per_hour, ""),
            (f"ip {ip}", limits.ip_per_minute, limits.ip_per_hour, "too many calls from this ip"),
        ):
            minute = self.windows.setdefault((whose, api, "minute"), Window(60.0))
            hour = self.windows.setdefault((whose, api, "hour"), Window(3600.0))
            if not minute.admit(now, per_minute, limits.ban_seconds):
                raise ApiError(45009, note)
            if not hour.admit(now, per_hour, limits.ban_seconds * 60):
                raise ApiError(45009, note)

    def admit_more(self, corp_id: str, what: str, per_minute: int, now: float) -> None:
        """A ceiling of its own beside those that hold for every API."""
        window = self.windows.setdefault((corp_id, what, "own"), Window(60.0))
        if not window.admit(now, per_minute, 60.0):
            raise ApiError(45009)

    def enter(self, corp_id: str, api: str, limits: Limits) -> None:
        ceiling = limits.mark_tag_concurrency if api == "externalcontact/mark_tag" else 0
        if ceiling and self.inside[corp_id, api] >= ceiling:
            raise ApiError(45033)
        self.inside[corp_id, api] += 1

    def leave(self, corp_id: str, api: str) -> None:
        self.inside[corp_id, api] -= 1

    def check_secrets(self, ip: str, corp_id: str, now: float) -> None:
        """After several wrong secrets the address is shut out, even with the right one."""
        window = self.wrong_secrets.get((ip, corp_id))
        if window is not None and now < window.closed_until:
            raise ApiError(45009, "too many wrong secrets from this ip")

    def wrong_secret(self, ip: str, corp_id: str, limits: Limits, now: float) -> None:
        window = self.wrong_secrets.setdefault((ip, corp_id), Window(3600.0))
        window.admit(now, limits.wrong_secrets - 1, limits.wrong_secret_ban)

    def forget(self, corp_id: str = "") -> None:
        """Lifts every ban (of one corp, and of the addresses)."""
        kept = {key: value for key, value in self.windows.items() if key[0] != corp_id and not key[0].startswith("ip ")}
        self.windows = kept if corp_id else {}
        self.wrong_secrets = {key: value for key, value in self.wrong_secrets.items() if corp_id and key[1] != corp_id}
