"""Pages opened in the client's windows: who looks at them, what their app may call, and bad days of the bridge."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.visitors import Visitor

KEPT = 500
LATE = "late"
# What the client answers then (wecom-api.md 8.2): `err_msg` behind the call's name, and a code where it has one.
FAILURES: dict[str, tuple[str, int | None]] = {
    "no_permission": ("fail_no permission", None),
    "no_context": ("fail_without context of external contact", None),
    "fail": ("fail", None),
    "cancel": ("cancel", None),
    "not_supported": ("function not exist", None),
    "invalid_signature": ("fail,invalid signature", 40093),
    "wrong_ticket": ("fail,jsapi ticket unusable", 42012),
    "wrong_corp": ("fail,corpid not match", 92002),
    "unreliable_domain": ("fail,not match any reliable domain", 80001),
    "invalid_media": ("fail,invalid media_id", 40007),
    "silent": ("", None),  # never answers
    LATE: ("ok", None),  # done, and said when the mishap is removed
}


class JsFail(Exception):
    """A call of the JS-SDK ends with this answer."""

    def __init__(self, failure: str, note: str = "") -> None:
        super().__init__(failure, note)
        self.said, self.code = FAILURES[failure]
        if note:
            self.said = f"{self.said}, {note}"


@dataclass(slots=True)
class Page:
    id: str
    visitor: Visitor | None
    host: str
    app_key: str = ""  # whose agentConfig went well
    signature: str = ""
    allowed: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Mishap:
    """A call that fails on demand."""

    id: int
    api: str
    failure: str
    corp_id: str = ""
    times: int = 0  # how often; 0: until it is removed
    skip: int = 0  # so many calls go well first
    hits: int = 0


class Pages:
    def __init__(self) -> None:
        self.open_ones: dict[str, Page] = {}
        self.ids = itertools.count(1)
        self.mishaps: dict[int, Mishap] = {}
        self.waited_for: dict[int, asyncio.Event] = {}

    def open(self, visitor: Visitor | None, host: str) -> Page:
        page = Page(secrets.token_urlsafe(12), visitor, host)
        self.open_ones[page.id] = page
        while len(self.open_ones) > KEPT:
            del self.open_ones[next(iter(self.open_ones))]
        return page

    # -- on demand ---------------------------------------------------------------------------------------------------

    def add_mishap(self, wish: dict[str, Any]) -> Mishap:
        failure = str(wish.get("failure") or "fail")
        if failure not in FAILURES:
            raise ValueError(f"failure must be one of {', '.join(FAILURES)}")
        mishap = Mishap(next(self.ids), str(wish.get("api") or "*"), failure, str(wish.get("corp_id") or ""))
        mishap.times, mishap.skip = int(wish.get("times") or 0), int(wish.get("skip") or 0)
        self.mishaps[mishap.id] = mishap
        return mishap

    def strike(self, corp_id: str, api: str) -> Mishap | None:
        for mishap in self.mishaps.values():
            mine = mishap.api in (api, "*") and mishap.corp_id in ("", corp_id)
            if mine and mishap.skip > 0:
                mishap.skip -= 1
            elif mine and (not mishap.times or mishap.hits < mishap.times):
                mishap.hits += 1
                return mishap
        return None

    def forget(self, corp_id: str = "") -> int:
        doomed = [number for number, mishap in self.mishaps.items() if corp_id in ("", mishap.corp_id)]
        for number in doomed:
            del self.mishaps[number]
            self.waited_for.pop(number, asyncio.Event()).set()
        return len(doomed)

    async def removed(self, mishap: Mishap) -> None:
        if mishap.id in self.mishaps:
            await self.waited_for.setdefault(mishap.id, asyncio.Event()).wait()

    def view(self) -> list[dict[str, Any]]:
        return [asdict(mishap) for mishap in self.mishaps.values()]
