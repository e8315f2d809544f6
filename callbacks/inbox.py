"""The inbox as operators, the scheduler and commands use it: what is open, and what is to be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import connection

from callbacks import wake
from callbacks.drain import drain
from callbacks.spool import recover
from callbacks.stored import due
from callbacks.urgent import drain_urgent
from tenants.models import Tenant
from tenants.polling import broker, inline
from tenants.recycling import PUBLIC

__all__ = [
    "Status",
    "drain",
    "drain_urgent",
    "ignore",
    "poll",
    "replay",
    "resume_parked",
    "status",
    "tenants_with_parked",
    "work",
]

SLICE_SECONDS = 0.5  # of a worker for one lane of one tenant, then it is the others' turn
BULK_PER_SECOND = 50  # a replay of thousands must not stand before today's events, nor exhaust WeCom's limits

_REPLAY = """
WITH chosen AS (
    SELECT event_day, id, row_number() OVER (ORDER BY id) - 1 AS place FROM public.callbacks_inbox
    WHERE tenant_id = %(tenant)s AND status = ANY(%(statuses)s) AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
)
UPDATE public.callbacks_inbox AS event
SET status = 'new', attempts = 0, done_at = NULL, last_error = '',
    due_at = now() + make_interval(secs => chosen.place / %(rate)s::float)
FROM chosen WHERE event.event_day = chosen.event_day AND event.id = chosen.id AND event.status = ANY(%(statuses)s)
"""
_IGNORE = """
UPDATE public.callbacks_inbox SET status = 'ignored', done_at = now(), last_error = %s, urgent = false
WHERE tenant_id = %s AND id = ANY(%s) AND status IN ('parked', 'dead')
"""
_COUNTS = """
SELECT count(*) FILTER (WHERE status = 'new'), count(*) FILTER (WHERE status = 'new' AND attempts > 0),
       count(*) FILTER (WHERE status = 'parked'), count(*) FILTER (WHERE status = 'dead'),
       min(received_at) FILTER (WHERE status = 'new')
FROM public.callbacks_inbox WHERE tenant_id = %s AND (status = 'new' OR status IN ('parked', 'dead'))
"""
_SETTLED = """
SELECT count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'ignored'),
       count(*) FILTER (WHERE status = 'done' AND last_error = 'no handler'), count(*) FILTER (WHERE suspect)
FROM public.callbacks_inbox WHERE tenant_id = %s
"""
_LAST = """
SELECT max(last_event_at) FROM (
    SELECT last_event_at FROM public.tenants_receiver WHERE tenant_id = %(tenant)s
    UNION ALL SELECT last_event_at FROM public.tenants_corpapp WHERE tenant_id = %(tenant)s
) AS heard
"""
_WAITING = """
SELECT tenant.id, tenant.schema_name, place.lane
FROM (
    SELECT DISTINCT tenant_id, lane::text FROM public.callbacks_inbox WHERE status = 'new' AND due_at <= now()
    UNION ALL
    SELECT DISTINCT tenant_id, %s FROM public.callbacks_inbox WHERE urgent
) AS place(tenant_id, lane) JOIN public.tenants_tenant AS tenant ON tenant.id = place.tenant_id
WHERE tenant.status = 'active' ORDER BY place.lane = %s DESC, random()
"""


@dataclass(frozen=True, slots=True)
class Status:
    """What stands in a tenant's inbox. `pending` waits its turn or its next attempt (`retrying`)."""

    pending: int
    retrying: int
    parked: int
    dead: int
    oldest_at: datetime | None
    last_event_at: datetime | None
    done: int | None = None
    ignored: int | None = None
    unhandled: int | None = None
    suspect: int | None = None


def status(tenant_id: int, *, settled: bool = False) -> Status:
    """Counts of what is open, by small indexes; with `settled` also of what is over, by reading it all."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [tenant_id])
        pending, retrying, parked, dead, oldest = cursor.fetchone()
        cursor.execute(_LAST, {"tenant": tenant_id})
        last = cursor.fetchone()[0]
        done: tuple[int | None, ...] = (None, None, None, None)
        if settled:
            cursor.execute(_SETTLED, [tenant_id])
            done = cursor.fetchone()
    return Status(pending, retrying, parked, dead, oldest, last, *done)


def replay(
    tenant_id: int, *, ids: Sequence[int] | None = None, dead: bool = False, parked: bool = False, again: bool = False
) -> int:
    """Gives events another full set of attempts; how many. By id, or all that are dead or parked.

    With `again` those handled or ignored before are taken too, by id only. Many are spread over time.
    """
    statuses = ["dead"] * dead + ["parked"] * parked
    if ids is not None:
        statuses = statuses or ["dead", "parked"]
        if again:
            statuses = ["dead", "parked", "done", "ignored"]
    if not statuses:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _REPLAY,
            {
                "tenant": tenant_id,
                "statuses": statuses,
                "ids": list(ids) if ids is not None else None,
                "rate": BULK_PER_SECOND,
            },
        )
        return int(cursor.rowcount)


def resume_parked(tenant_id: int) -> int:
    """For the check of the connection, when it is green again: what waited for the repair goes on."""
    return replay(tenant_id, parked=True)


def ignore(tenant_id: int, ids: Sequence[int], *, reason: str) -> int:
    """An operator decides that these events shall have no effect; how many. The reason stays with them."""
    with connection.cursor() as cursor:
        cursor.execute(_IGNORE, [reason[:300], tenant_id, list(ids)])
        return int(cursor.rowcount)


class Place(NamedTuple):
    """Something is due here."""

    tenant_id: int
    schema: str
    lane: str


def waiting() -> list[Place]:
    """Whatever is due now, the urgent first, the tenants in no order."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [wake.URGENT, wake.URGENT])
        return [Place(*row) for row in cursor.fetchall()]


def poll() -> int:
    """Once a second, from the scheduler: the guarantee behind every wake-up that was lost; how many places waited.

    When the broker is down, or no worker comes, the events are handled right here, each lane for its slice of time.
    """
    recover()
    places = waiting()
    marks = wake.marks()
    for place in places:
        call = partial(wake.send, marks, [(place.schema, place.lane)])
        if place.schema == PUBLIC or not broker.reached(wake.queue_of(place.lane), call):  # no task is the platform's
            inline.submit(("inbox", place.tenant_id, place.lane), partial(_handle, place))
    return len(places)


def _handle(place: Place) -> int:
    if place.lane == wake.URGENT:
        return drain_urgent(place.tenant_id)
    return drain(place.tenant_id, int(place.lane), seconds=SLICE_SECONDS)


def work(tenant: Tenant, lane: str) -> int:
    """A worker's slice of a lane. What is left asks for another slice, behind the other tenants."""
    place = (tenant.schema_name, lane)
    client = wake.marks()
    wake.taken(client, place)
    if lane == wake.URGENT:
        return drain_urgent(tenant.pk)
    handled = drain(tenant.pk, int(lane), seconds=SLICE_SECONDS)
    if handled and due(tenant.pk, int(lane), 1):
        wake.send_quietly(client, place)
    return handled


def tenants_with_parked() -> set[int]:
    """Whose connection is to be checked again soon: their events wait for a repair."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tenant_id FROM public.callbacks_inbox WHERE status = 'parked'")
        return {row[0] for row in cursor.fetchall()}
