"""Envelopes are opened: RSA by our own key of their version, the rest by WeCom's library, many at a time.

Nothing is lost on the way: without its key an envelope waits, one that nobody can open is kept with the reason.
"""

import binascii
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from django.db import connection

from archive import arrivals, library, storing
from archive.access import Access, Key, private_keys
from archive.models import Envelope
from archive.pull import DIED, LOCK_SPACE, MISSING, Refused
from tenants.locks import alone_with

CHUNK = 2000  # of a chunk's cost a part is the same for any size, and its conversations are written once each
_CLOSED = """
SELECT id, seq, msgid, key_version, random_key, body FROM archive_envelope
WHERE state = 'closed' AND seq > %s ORDER BY seq LIMIT %s
"""
_PADDING = padding.PKCS1v15()
Pair = tuple[str, str]
State = Envelope.State


@dataclass(slots=True)
class Opened:
    opened: int = 0
    no_key: int = 0
    broken: int = 0
    more: bool = False
    missing: set[int] = field(default_factory=set)  # versions of keys that we do not have


class _Pool:
    """RSA gives the interpreter's lock back: as many threads as cores open keys at the same time."""

    def __init__(self) -> None:
        self._of: dict[int, ThreadPoolExecutor] = {}  # by process: a forked worker has none of its parent's threads

    def __call__(self) -> ThreadPoolExecutor:
        if os.getpid() not in self._of:
            self._of = {os.getpid(): ThreadPoolExecutor(os.cpu_count() or 1, "archive-rsa")}
        return self._of[os.getpid()]


_pool = _Pool()


def open_closed(
    access: Access, *, seconds: float = 40.0, store: Callable[[Sequence[arrivals.Outcome]], None] = storing.store
) -> Opened:
    """All that is closed, oldest first, or what fits into the time."""
    told = Opened()
    with alone_with(LOCK_SPACE, f"open:{access.corp_id}") as mine:
        if not mine:
            return told
        keys, until = private_keys(), time.monotonic() + seconds
        process = library.process_of(access.corp_id, access.secret)
        for rows, pairs in unlocked(keys):
            outcomes = read(rows, pairs, process)
            store(outcomes)
            count(told, outcomes)
            if time.monotonic() >= until:
                told.more = True
                break
    return told


def count(told: Opened, outcomes: Sequence[arrivals.Outcome]) -> None:
    for outcome in outcomes:
        if outcome.state == State.OPENED:
            told.opened += 1
        elif outcome.state == State.NO_KEY:
            told.no_key += 1
            told.missing.add(outcome.envelope.key_version)
        else:
            told.broken += 1


# -- our key -----------------------------------------------------------------------------------------------------------


def unlocked(keys: Mapping[int, Key]) -> Iterator[tuple[list[arrivals.Sealed], list[Pair | None]]]:
    """Chunks with the keys of their messages; the next chunk's are opened while this one is read and stored."""
    waiting: list[tuple[list[arrivals.Sealed], list[Future[list[Pair | None]]]]] = []
    after = -1
    while True:
        with connection.cursor() as cursor:  # by hand: the ORM took as long to hand a row over as the driver to read it
            cursor.execute(_CLOSED, [after, CHUNK])
            rows = list(map(arrivals.Sealed._make, cursor.fetchall()))
        if rows:
            after = rows[-1].seq
            parts = [rows[start : start + 50] for start in range(0, len(rows), 50)]
            waiting.append((rows, [_pool().submit(message_keys, part, keys) for part in parts]))
        if not waiting:
            return
        if len(waiting) > 1 or not rows:
            ready, futures = waiting.pop(0)
            yield ready, [pair for future in futures for pair in future.result()]


def message_keys(rows: Sequence[arrivals.Sealed], keys: Mapping[int, Key]) -> list[Pair | None]:
    return [message_key(row, keys) for row in rows]


def message_key(row: arrivals.Sealed, keys: Mapping[int, Key]) -> Pair | None:
    """What the library opens the message with: by the key of its version, else by any other that fits, as WeCom's
    admin may count otherwise than we do. None without that version; empty when it is there and none fits."""
    own = keys.get(row.key_version)
    if own is not None and (found := unlocked_by(own, row)):
        return found, row.body
    for version, key in keys.items():
        if version != row.key_version and (found := unlocked_by(key, row)):
            return found, row.body
    return None if own is None else ("", row.body)


def unlocked_by(key: Key, row: arrivals.Sealed) -> str:
    """A wrong key gives random bytes instead of an error, so they are looked at before the library sees them."""
    try:
        found = key.decrypt(binascii.a2b_base64(row.random_key), _PADDING)
        binascii.a2b_base64(found, strict_mode=True)
        return found.decode("ascii")
    except (ValueError, binascii.Error):
        return ""


# -- WeCom's library ---------------------------------------------------------------------------------------------------


def read(rows: Sequence[arrivals.Sealed], pairs: Sequence[Pair | None], process: Any) -> list[arrivals.Outcome]:
    asked = [place for place, pair in enumerate(pairs) if pair is not None and pair[0]]
    answers = dict(zip(asked, opened(process, [pairs[place] for place in asked]), strict=True))
    found = []
    for place, row in enumerate(rows):
        if pairs[place] is None:
            found.append(arrivals.Outcome(row, State.NO_KEY, "no_key"))
        elif place not in answers:
            found.append(arrivals.Outcome(row, State.BROKEN, "wrong_key"))
        else:
            found.append(outcome_of(row, *answers[place]))
    return found


def outcome_of(row: arrivals.Sealed, code: int, text: str) -> arrivals.Outcome:
    if code:
        return arrivals.Outcome(row, State.BROKEN, f"library:{code}")
    payload = arrivals.payload_of(text)
    if payload is None:
        return arrivals.Outcome(row, State.BROKEN, "not_json")
    return arrivals.Outcome(row, State.OPENED, "", payload)


def opened(process: Any, pairs: Sequence[Any]) -> list[tuple[int, str]]:
    """The library's answers. A message at which it dies is found by halving, and only that one stays closed."""
    if not pairs:
        return []
    try:
        return list(process.open(pairs))
    except library.LibraryMissing as error:
        raise Refused(MISSING, str(error)) from error
    except library.LibraryDied:
        if len(pairs) == 1:
            return [(DIED, "")]
        half = len(pairs) // 2
        return [*opened(process, pairs[:half]), *opened(process, pairs[half:])]
