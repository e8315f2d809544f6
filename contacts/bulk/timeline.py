"""Entries of the timeline, inserted in sets."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from tenants.staging import copy, stage

_COLUMNS = {
    "key": "text",
    "customer_id": "bigint",
    "chat_id": "bigint",
    "staff_id": "bigint",
    "kind": "text",
    "at": "timestamptz",
    "source": "text",
    "actor": "text",
    "payload": "jsonb",
}
_INSERT = f"""
INSERT INTO contacts_timelineentry ({", ".join(_COLUMNS)})
SELECT {", ".join(_COLUMNS)} FROM pg_temp.stage_timeline ON CONFLICT (key) DO NOTHING
"""


class Entry(NamedTuple):
    """One fact. Its key is made of ids and the fact's own time, so that the same fact is one entry."""

    key: str
    kind: str
    at: datetime
    customer_id: int | None = None
    chat_id: int | None = None
    staff_id: int | None = None
    actor: str = ""
    payload: dict[str, Any] | None = None


def _rows(entries: Iterable[Entry], source: str) -> list[tuple[object, ...]]:
    return [
        (
            one.key,
            one.customer_id,
            one.chat_id,
            one.staff_id,
            one.kind,
            one.at,
            source,
            one.actor[:80],
            orjson.dumps(one.payload).decode() if one.payload else "{}",
        )
        for one in entries
    ]


def copy_timeline(cursor: Any, entries: Iterable[Entry], *, source: str) -> None:
    """Facts about rows that are new themselves, so that no entry can be there yet."""
    once = {one.key: one for one in entries}
    if once:
        copy(cursor, "contacts_timelineentry", _COLUMNS, _rows(once.values(), source))


@transaction.atomic(savepoint=False)
def write_timeline(entries: Iterable[Entry], *, source: str) -> int:
    """Returns how many of the facts were new."""
    rows = _rows(entries, source)
    if not rows:
        return 0
    with connection.cursor() as cursor:
        stage(cursor, "stage_timeline", _COLUMNS, rows)
        cursor.execute(_INSERT)
        inserted: int = cursor.rowcount
    return inserted
