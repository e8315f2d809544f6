"""Bad days on demand: answers WeCom would give when it, or the network before it, is ill."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

KINDS = {
    "errcode": "the API answers with this errcode",
    "5xx": "HTTP 502 (or `status`) with an HTML page",
    "timeout": "no answer for `delay` seconds (60 by default), then the connection breaks",
    "drop": "the connection breaks in the middle of the answer",
    "bad_json": "HTTP 200 with a body cut in the middle",
    "html": "HTTP 200 with an HTML page",
    "empty": "HTTP 200 with no body",
    "huge": "HTTP 200 with `size` MiB of JSON (24 by default)",
    "slow": "the right answer after `delay` seconds",
    "slowloris": "the right answer in drops, over `delay` seconds (30 by default)",
    "redirect": "HTTP 302 to `location`",
    "refuse": "the port of the sandbox is closed for `delay` seconds (5 by default)",
}


@dataclass(slots=True)
class Fault:
    id: int
    kind: str
    api: str = "*"
    corp_id: str = ""
    errcode: int = -1
    status: int = 502
    delay: float = 0.0
    size: int = 24
    location: str = "http://127.0.0.1:9/"
    executed: bool = False  # the call takes effect, only its answer is lost or spoilt
    times: int = 0  # how often it strikes; 0: until it is removed
    skip: int = 0  # so many matching calls go well first
    rate: float = 1.0  # share of the matching calls it strikes
    until: float = 0.0  # unix time of its end
    hits: int = field(default=0)

    def strikes(self, corp_id: str, api: str, now: float) -> bool:
        if self.corp_id and self.corp_id != corp_id:
            return False
        if not fnmatchcase(api, self.api) or self.over(now):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.rate < 1.0 and random.random() >= self.rate:
            return False
        self.hits += 1
        return True

    def over(self, now: float) -> bool:
        return bool((self.times and self.hits >= self.times) or (self.until and now >= self.until))


class Faults:
    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.all: dict[int, Fault] = {}

    def add(self, wish: dict[str, Any]) -> Fault:
        """A fault from the control API; `for` seconds may stand for `until`."""
        kind = wish.get("kind")
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        wish = dict(wish)
        lasting = wish.pop("for", None)
        if lasting is not None:
            wish["until"] = time.time() + float(lasting)
        if isinstance(wish.get("api"), str):
            wish["api"] = wish["api"].removeprefix("/").removeprefix("cgi-bin/")
        unknown = set(wish) - set(Fault.__slots__) | ({"id", "hits"} & set(wish))
        if unknown:
            raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
        fault = Fault(next(self.ids), **{name: value for name, value in wish.items() if value is not None})
        self.all[fault.id] = fault
        return fault

    def pick(self, corp_id: str, api: str, now: float) -> Fault | None:
        """The first fault that strikes this call."""
        for fault in self.all.values():
            if fault.strikes(corp_id, api, now):
                return fault
        return None

    def remove(self, fault_id: int = 0, corp_id: str = "") -> int:
        doomed = [
            f.id
            for f in self.all.values()
            if (not fault_id or f.id == fault_id) and (not corp_id or f.corp_id == corp_id)
        ]
        for number in doomed:
            del self.all[number]
        return len(doomed)

    def view(self) -> list[dict[str, Any]]:
        now = time.time()
        return [asdict(fault) | {"over": fault.over(now)} for fault in self.all.values()]
