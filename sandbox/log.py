"""What happened: every API call, and every effect on people. Rings of the latest, and counters that forget nothing."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from typing import Any

from sandbox.corp import Corp

RING = 20_000
LONGEST_BODY = 4096


class Calls:
    """Every call the API got."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.ring: deque[dict[str, Any]] = deque(maxlen=RING)
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self.inside: Counter[tuple[str, str]] = Counter()
        self.most_at_once: Counter[tuple[str, str]] = Counter()

    def begin(self, corp_id: str, api: str) -> None:
        key = corp_id, api
        self.inside[key] += 1
        self.most_at_once[key] = max(self.most_at_once[key], self.inside[key])

    def end(self, corp_id: str, api: str, errcode: int, entry: dict[str, Any]) -> None:
        self.inside[corp_id, api] -= 1
        self.counts[corp_id, api, errcode] += 1
        self.ring.append({"id": next(self.ids), "corp_id": corp_id, "api": api, "errcode": errcode} | entry)

    def view(self, corp_id: str, api: str, after: int, limit: int) -> dict[str, Any]:
        def wanted(key_corp: str, key_api: str) -> bool:
            return (not corp_id or key_corp == corp_id) and (not api or key_api == api)

        found = [entry for entry in self.ring if entry["id"] > after and wanted(entry["corp_id"], entry["api"])]
        counts: dict[str, dict[str, int]] = {}
        for (key_corp, key_api, errcode), count in self.counts.items():
            if wanted(key_corp, key_api):
                by_code = counts.setdefault(key_api, {})
                by_code[str(errcode)] = by_code.get(str(errcode), 0) + count
        most = {key[1]: count for key, count in self.most_at_once.items() if wanted(*key)}
        return {
            "calls": found[-limit:],
            "counts": counts,
            "total": sum(sum(c.values()) for c in counts.values()),
            "most_at_once": most,
        }

    def forget(self, corp_id: str = "") -> None:
        if not corp_id:
            self.ring.clear()
            self.counts.clear()
            self.most_at_once.clear()
            return
        self.ring = deque((entry for entry in self.ring if entry["corp_id"] != corp_id), maxlen=RING)
        self.counts = Counter({key: value for key, value in self.counts.items() if key[0] != corp_id})
        self.most_at_once = Counter({key: value for key, value in self.most_at_once.items() if key[0] != corp_id})


class Effects:
    """What API calls did to people: welcomes sent, tags marked, remarks, messages."""

    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.ring: deque[dict[str, Any]] = deque(maxlen=RING)
        self.counts: Counter[tuple[str, str]] = Counter()

    def note(self, corp: Corp, kind: str, **what: Any) -> None:
        self.counts[corp.corp_id, kind] += 1
        self.ring.append(what | {"id": next(self.ids), "at": time.time(), "corp_id": corp.corp_id, "kind": kind})

    def view(self, corp_id: str, kind: str, after: int, limit: int) -> dict[str, Any]:
        found = [
            entry
            for entry in self.ring
            if entry["id"] > after
            and (not corp_id or entry["corp_id"] == corp_id)
            and (not kind or entry["kind"] == kind)
        ]
        counts: Counter[str] = Counter()
        for (key_corp, key_kind), count in self.counts.items():
            if (not corp_id or key_corp == corp_id) and (not kind or key_kind == kind):
                counts[key_kind] += count
        return {"effects": found[-limit:], "counts": dict(counts)}

    def forget(self, corp_id: str = "") -> None:
        self.ring = deque((entry for entry in self.ring if corp_id and entry["corp_id"] != corp_id), maxlen=RING)
        self.counts = Counter({key: value for key, value in self.counts.items() if corp_id and key[0] != corp_id})


def shorten(body: bytes) -> str:
    text = body[:LONGEST_BODY].decode("utf-8", "replace")
    return text + "…" if len(body) > LONGEST_BODY else text
