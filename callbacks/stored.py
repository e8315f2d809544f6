"""Rows of the inbox as the workers see them: taken in order, opened, settled."""

import os
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import cache
from math import ceil
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from callbacks.receivers import addressees, receiver_keys
from tenants import keys
from tenants.events import EVENT_OWNERS, NotYet
from tenants.models import Receiver
from tenants.staging import numbers
from wecom.crypto import CallbackCrypto
from wecom.errors import BadCallback, OtherReceiver, WeComMisconfigured, WeComRefused
from wecom.events import Event, parse_event

RETRY_DELAYS = (5, 30, 120, 600, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600)  # seconds; then a person must look
KEYS_FRESH = 60.0

_DUE = """
SELECT event_day, id, receiver_id::text, key_version, suspect, attempts, body FROM public.callbacks_inbox
WHERE tenant_id = %s AND lane = %s AND status = 'new' AND due_at <= now() ORDER BY id LIMIT %s
"""
_DONE = """
UPDATE public.callbacks_inbox SET status = 'done', done_at = now(), last_error = %s
WHERE event_day = %s AND id = ANY(%s) AND status = 'new' RETURNING id
"""
_FAILED = """
UPDATE public.callbacks_inbox
SET status = %s, attempts = %s, last_error = %s, due_at = now() + make_interval(secs => %s),
    done_at = CASE WHEN %s THEN now() END, urgent = urgent AND NOT %s
WHERE event_day = %s AND id = ANY(%s) AND status = 'new'
"""


class Row(NamedTuple):
    """A stored callback, still sealed."""

    event_day: date
    id: int
    receiver_id: str
    key_version: int
    suspect: bool
    attempts: int
    body: bytes


class Item(NamedTuple):
    """A row and the event it held."""

    row: Row
    event: Event


def due(tenant_id: int, lane: int, limit: int) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [tenant_id, lane, limit])
        return [Row(*values) for values in cursor.fetchall()]


class _Keyring:
    """Keys of receivers, retired ones too, for a minute: a batch is of few receivers."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, dict[int, CallbackCrypto]]] = {}

    def get(self, receiver_id: str, version: int) -> CallbackCrypto:
        now = time.monotonic()
        found = self._known.get(receiver_id)
        if found is None or found[0] < now or version not in found[1]:
            receiver = Receiver.objects.select_related("app").filter(pk=receiver_id).first()
            if receiver is None:
                raise BadCallback("the receiver was deleted")
            found = (now + KEYS_FRESH, dict(receiver_keys(receiver, with_retired=True)))
            self._known[receiver_id] = found
        if version not in found[1]:
            raise BadCallback("the key of this callback was deleted")
        return found[1][version]

    def forget(self, receiver_id: str) -> None:
        self._known.pop(receiver_id, None)

    def clear(self) -> None:
        self._known.clear()


keyring = _Keyring()


def event_of(row: Row) -> Event:
    return _opened(row, keyring.get(row.receiver_id, row.key_version))


def _opened(row: Row, crypto: CallbackCrypto) -> Event:
    """The event as it may be applied: of a suspect one only the ids are believed."""
    event = parse_event(crypto.decrypt_body(bytes(row.body)).plaintext)
    return as_reread(event) if row.suspect else event


class Unopened:
    """Rows whose events are read when they are asked for, or before that by another thread. Their keys are fetched at
    once: another thread has another connection, or none.

    The best moment for it is a commit: Postgres checks its keys, and the worker has nothing to do."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._keys = _keys_of(rows)
        self._ahead: Future[list[Event | Exception]] | None = None

    def begin(self) -> None:
        if self._ahead is None:
            self._ahead = _other_thread(os.getpid()).submit(_read, self.rows, self._keys)

    def events(self) -> list[Event | Exception]:
        """One for each row, or why it cannot be read."""
        return self._ahead.result() if self._ahead else _read(self.rows, self._keys)


@cache
def _other_thread(pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="events-ahead")


def _keys_of(rows: Iterable[Row]) -> list[CallbackCrypto | Exception]:
    found: list[CallbackCrypto | Exception] = []
    for row in rows:
        try:
            found.append(keyring.get(row.receiver_id, row.key_version))
        except (BadCallback, keys.KeyFault) as error:
            found.append(error)
    return found


def _read(rows: Iterable[Row], cryptos: Iterable[CallbackCrypto | Exception]) -> list[Event | Exception]:
    found: list[Event | Exception] = []
    for row, crypto in zip(rows, cryptos, strict=True):
        try:
            found.append(crypto if isinstance(crypto, Exception) else _opened(row, crypto))
        except BadCallback as error:
            found.append(error)
    return found


_REREAD = {
    "change_external_contact": "edit_external_contact",
    "change_external_chat": "update",
    "change_external_tag": "update",
    "change_contact": "update_user",
    "msgaudit_notify": "",
}
_IDS = {
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "SuiteId",
    "AuthCorpId",
    "InfoType",
    "TimeStamp",
}
_IDS |= {"UserID", "ExternalUserID", "ChatId", "Id", "TagType", "StrategyId", "TagId"}


def as_reread(event: Event) -> Event:
    """A callback of another time may be a captured one: it causes a look at the object in WeCom, and nothing more."""
    if event.name not in EVENT_OWNERS:
        return event
    change_type = _REREAD.get(event.name)
    if change_type is None:
        raise BadCallback("signed at another time than now, and nothing of it can be read again from WeCom")
    if event.change_type.endswith("_party"):
        change_type = "update_party"
    if event.key == "change_contact.update_tag":
        change_type = event.change_type
    fields = {name: value for name, value in event.fields.items() if name in _IDS}
    return event._replace(change_type=change_type, fields=fields | {"ChangeType": change_type})


def mark_done(items: Iterable[Item], note: str = "", *, before: str = "") -> set[int]:
    """Those that were still open. They stay locked until the transaction ends, so nobody else applies them.

    `before` is a statement that travels with it: a round trip costs a batch more than most statements.
    """
    taken: set[int] = set()
    with connection.cursor() as cursor:
        for day, ids in _by_day(item.row for item in items).items():
            cursor.execute(f"{before};{_DONE}" if before else _DONE, [note, day, numbers(ids)])
            taken.update(row[0] for row in cursor.fetchall())
    return taken


def mark_failed(failures: Sequence[tuple[Row, Exception]]) -> None:
    """Each goes its way by the family of its error: tried again later, parked for a person's repair, or buried."""
    ways: dict[tuple[str, int, str, float], list[Row]] = defaultdict(list)
    whose = _addressees_now(row for row, error in failures if isinstance(error, OtherReceiver))
    for row, error in failures:
        if isinstance(error, OtherReceiver):
            ways[_way_of_another(row, error, whose[row.receiver_id])].append(row)
        else:
            ways[_way(row, error)].append(row)
    with connection.cursor() as cursor:
        for (status, attempts, text, delay), rows in ways.items():
            spread = delay * random.uniform(0.9, 1.1)
            for day, ids in _by_day(rows).items():
                over = status == "ignored"
                cursor.execute(_FAILED, [status, attempts, text, spread, over, over, day, ids])


def _addressees_now(rows: Iterable[Row]) -> dict[str, frozenset[str]]:
    """By receiver: the keyring may be a minute old."""
    keys = {row.receiver_id for row in rows}
    found = Receiver.objects.select_related("app").filter(pk__in=keys) if keys else ()
    return dict.fromkeys(keys, frozenset()) | {str(receiver.pk): addressees(receiver.app) for receiver in found}


def _way_of_another(row: Row, error: OtherReceiver, whose: frozenset[str]) -> tuple[str, int, str, float]:
    """Accepted when this connection was another company's: nothing of it belongs to the company that is here now."""
    if error.receive_id in whose:
        keyring.forget(row.receiver_id)
        return "new", row.attempts, "", 0
    return "ignored", row.attempts, f"{type(error).__name__}: {error.receive_id}", 0


def _way(row: Row, error: Exception) -> tuple[str, int, str, float]:
    text = f"{type(error).__name__}: {error}".splitlines()[0].replace("\0", "")[:300]
    if isinstance(error, WeComMisconfigured | keys.KeyFault):
        return "parked", row.attempts, text, 0
    if isinstance(error, NotYet):
        wait = (error.until - timezone.now()).total_seconds()
        return "new", row.attempts, "", max(ceil(wait), 0)  # whole seconds: those that wait alike share a statement
    attempts = row.attempts + 1
    if isinstance(error, BadCallback | WeComRefused) or attempts > len(RETRY_DELAYS):
        return "dead", attempts, text, 0
    return "new", attempts, text, RETRY_DELAYS[attempts - 1]


def _by_day(rows: Iterable[Row]) -> dict[date, list[int]]:
    """One statement a day: with the day as a constant Postgres touches one partition."""
    days: dict[date, list[int]] = defaultdict(list)
    for row in rows:
        days[row.event_day].append(row.id)
    return days
