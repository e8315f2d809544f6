"""The inbox's partitions: a day each, made ahead, dropped whole when old and nothing in them is open."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction

log = structlog.get_logger(__name__)

AHEAD_DAYS = 7
BEHIND_DAYS = 1
KEEP_DAYS = 30
CHINA = timedelta(hours=8)
_COLUMNS = (
    "event_day, id, dedupe_key, tenant_id, receiver_id, key_version, name, lane, urgent, suspect, status, attempts, "
    "due_at, event_at, received_at, done_at, last_error, body"
)
_PARTITIONS = """
SELECT child.relname FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'public.callbacks_inbox'::regclass
"""
# {name} is made from a date
_MOVE = (
    f"WITH moved AS (DELETE FROM public.callbacks_inbox_other WHERE event_day = %s RETURNING {_COLUMNS}) "  # noqa: S608
    f"INSERT INTO {{name}} ({_COLUMNS}) SELECT {_COLUMNS} FROM moved"
)
_HAS_OPEN = "SELECT EXISTS (SELECT 1 FROM public.{name} WHERE status IN ('new', 'parked', 'dead'))"
_OLD = """
DELETE FROM public.callbacks_inbox_other WHERE received_at < %s AND status NOT IN ('new', 'parked', 'dead')
"""
_NOBODYS = """
DELETE FROM public.callbacks_inbox AS event WHERE status = 'new'
AND NOT EXISTS (SELECT 1 FROM public.tenants_tenant AS tenant WHERE tenant.id = event.tenant_id)
"""


def maintain(now: datetime | None = None) -> tuple[int, int]:
    """Daily, from the scheduler: how many partitions were made and dropped. Harmless to run twice."""
    today = ((now or datetime.now(UTC)).astimezone(UTC) + CHINA).date()
    there = _partitions()
    made = [
        day
        for offset in range(-BEHIND_DAYS, AHEAD_DAYS + 1)
        if name_of(day := today + timedelta(days=offset)) not in there and _quietly(_make, day)
    ]
    oldest_kept = name_of(today - timedelta(days=KEEP_DAYS))
    dropped = [name for name in there if _is_day(name) and name < oldest_kept and _quietly(_drop, name)]
    _quietly(_empty_default, today - timedelta(days=KEEP_DAYS))
    _quietly(_forget_the_gone, today)
    return len(made), len(dropped)


def name_of(day: date) -> str:
    return f"callbacks_inbox_{day:%Y%m%d}"


def _is_day(name: str) -> bool:
    return name.removeprefix("callbacks_inbox_").isdigit()


def _partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS)
        return {row[0] for row in cursor.fetchall()}


def _quietly(act: Callable[[Any], bool], what: date | str) -> bool:
    """The door never waits long for our locks: what is not to be had in a moment is done by a later run."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            return act(what)
    except OperationalError as error:
        log.warning("partition left for the next run", what=str(what), error=str(error).strip()[:200])
        return False


def _make(day: date) -> bool:
    """A table beside the parent, filled with what already came for that day, then attached."""
    name = f"public.{name_of(day)}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('callbacks_inbox partitions'))")
        if name_of(day) in _partitions():
            return False
        cursor.execute(f"CREATE TABLE {name} (LIKE public.callbacks_inbox INCLUDING DEFAULTS)")
        cursor.execute("LOCK TABLE public.callbacks_inbox_other IN ACCESS EXCLUSIVE MODE")
        cursor.execute(_MOVE.format(name=name), [day])
        cursor.execute(
            f"ALTER TABLE public.callbacks_inbox ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
            [day.isoformat(), (day + timedelta(days=1)).isoformat()],
        )
    return True


def _drop(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE public.{name} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(_HAS_OPEN.format(name=name))
        if cursor.fetchone()[0]:
            return False
        cursor.execute(f"DROP TABLE public.{name}")
    return True


def _empty_default(before: date) -> bool:
    """Events with an absurd time lie in the default partition: they go when they are old by our own clock."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD, [before])
        return bool(cursor.rowcount)


def _forget_the_gone(_today: date) -> bool:
    """The door takes events of a deleted company for a minute more: nobody is left to handle or to read them."""
    with connection.cursor() as cursor:
        cursor.execute(_NOBODYS)
        return bool(cursor.rowcount)
