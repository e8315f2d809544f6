"""WeCom's ceilings: calls per corp and API in a minute and an hour, calls at once, wrong secrets from one address."""

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

    def admit(self, corp_id: str, api: str, limits: Limits, now: float) -> None:
        minute = self.windows.setdefault((corp_id, api, "minute"), Window(60.0))
        hour = self.windows.setdefault((corp_id, api, "hour"), Window(3600.0))
        if not minute.admit(now, limits.per_minute, limits.ban_seconds):
            raise ApiError(45009)
        if not hour.admit(now, limits.per_hour, limits.ban_seconds * 60):
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
        """Lifts every ban (of one corp)."""
        self.windows = {key: value for key, value in self.windows.items() if corp_id and key[0] != corp_id}
        self.wrong_secrets = {key: value for key, value in self.wrong_secrets.items() if corp_id and key[1] != corp_id}
