"""What must happen at a time: rows of one index over all tenants, claimed some hundred at a time, tenants by turns."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from celery import shared_task
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from tenants.current import current_tenant
from tenants.judging import DELAYS
from tenants.models import DueRow, Tenant
from tenants.polling import broker, inline
from tenants.staging import numbers
from tenants.tasks import enqueue

logger = logging.getLogger(__name__)

CLAIMED = 200
TURNS = 10  # claims of one tenant before the others have theirs


class Claimed(NamedTuple):
    id: int
    kind: str
    ref: int
    failures: int


DUE_HANDLERS: dict[str, Callable[[list[int]], None]] = {}
"""By kind; filled by scrm/wiring.py. Called with the `ref`s that are due, in the tenant's schema, inside the
transaction that takes their rows away. What is to happen again is put again by the handler."""

_DUE_TENANTS = """
WITH RECURSIVE owners AS (
    (SELECT tenant_id, due_at FROM public.tenants_duerow ORDER BY tenant_id, due_at LIMIT 1)
    UNION ALL
    SELECT next.tenant_id, next.due_at FROM owners CROSS JOIN LATERAL (
        SELECT tenant_id, due_at FROM public.tenants_duerow
        WHERE tenant_id > owners.tenant_id ORDER BY tenant_id, due_at LIMIT 1
    ) next
)
SELECT t.id, t.schema_name FROM owners JOIN public.tenants_tenant t ON t.id = owners.tenant_id
WHERE owners.due_at <= statement_timestamp() AND t.status = 'active' ORDER BY owners.due_at
"""
_CLAIM = """
SELECT id, kind, ref, failures FROM public.tenants_duerow
WHERE tenant_id = %s AND due_at <= statement_timestamp()
ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_PUT = """
WITH wanted AS (
    SELECT ref, at FROM unnest(%(refs)s::bigint[], %(times)s::timestamptz[]) AS w (ref, at)
), there AS (
    SELECT id, ref FROM public.tenants_duerow
    WHERE tenant_id = %(tenant)s AND kind = %(kind)s AND ref = ANY(%(refs)s::bigint[])
), free AS (
    SELECT ref FROM public.tenants_duerow WHERE id IN (SELECT id FROM there) FOR UPDATE SKIP LOCKED
)
INSERT INTO public.tenants_duerow (tenant_id, kind, ref, due_at, failures)
SELECT %(tenant)s, %(kind)s,
    CASE WHEN ref IN (SELECT ref FROM there) AND ref NOT IN (SELECT ref FROM free) THEN -ref ELSE ref END AS place,
    at, 0
FROM wanted ORDER BY place
ON CONFLICT (tenant_id, kind, ref) DO UPDATE SET due_at = excluded.due_at, failures = 0
"""
_WAITING = """
SELECT abs(ref) FROM public.tenants_duerow
WHERE tenant_id = %s AND kind = %s AND ref = ANY(%s) FOR KEY SHARE SKIP LOCKED
"""
_DROP = """
DELETE FROM public.tenants_duerow WHERE id IN (
    SELECT id FROM public.tenants_duerow WHERE tenant_id = %s AND kind = %s AND ref = ANY(%s) FOR UPDATE SKIP LOCKED)
"""


def put(kind: str, times: Mapping[int, datetime]) -> None:
    """Have the handler of `kind` called for each ref at its time. Part of the caller's transaction; a ref that is
    there already is moved.

    A row that a worker has claimed cannot be moved, and must not be waited for: its handler may be waiting for the
    caller's rows. Beside it a second one is put, under the negative of the ref.
    """
    if not times:
        return
    values = {"tenant": current_tenant().pk, "kind": kind, "refs": list(times), "times": list(times.values())}
    with connection.cursor() as cursor:
        cursor.execute(_PUT, values)
    if min(times.values()) <= timezone.now():
        enqueue(run)


def drop(kind: str, refs: Iterable[int]) -> int:
    """It need not happen any more. A row that a worker has claimed is left to it: its handler looks at the state by
    itself and may wait for the caller's rows, for which the caller must not wait in turn."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP, [current_tenant().pk, kind, both(refs)])
        return int(cursor.rowcount)


def waiting(kind: str, refs: Iterable[int]) -> set[int]:
    """Those that are put already, and that no worker takes before the caller's transaction has ended."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [current_tenant().pk, kind, both(refs)])
        return {ref for (ref,) in cursor.fetchall()}


def both(refs: Iterable[int]) -> str:
    """With the places beside them, see `put`."""
    return numbers(place for ref in refs for place in (ref, -ref))


@shared_task(expires=5)
def run() -> None:
    """A tenant's turn; what is left after it gets another one from the poller."""
    run_due(current_tenant())


def run_due(tenant: Tenant, *, turns: int = TURNS, size: int = CLAIMED) -> int:
    """Take what is due of one tenant and hand it over, in its schema; how many rows were done."""
    done = 0
    for _ in range(turns):
        more, handled = _take(tenant, size)
        done += handled
        if not more:
            break
    return done


def claim(tenant: Tenant, size: int = CLAIMED) -> list[Claimed]:
    """The rows due first, locked until the transaction ends: a worker that dies leaves them to the next at once."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [tenant.pk, size])
        return [Claimed(*row) for row in cursor.fetchall()]


@transaction.atomic
def _take(tenant: Tenant, size: int) -> tuple[bool, int]:
    """Rows of one kind, as handlers of two lock the same customers, each in an order of its own; whether more may be
    due, and how many were done."""
    rows = claim(tenant, size)
    own = [row for row in rows if row.kind == rows[0].kind]
    handled = _handle(rows[0].kind, own) if own else []
    return len(rows) == size or len(own) < len(rows), len(handled)


def _handle(kind: str, rows: list[Claimed]) -> list[Claimed]:
    """All together; when that fails each alone, so that one bad row holds up no other."""
    try:
        with transaction.atomic():
            DueRow.objects.filter(pk__in=[row.id for row in rows]).delete()
            DUE_HANDLERS[kind](sorted({abs(row.ref) for row in rows}))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if len(rows) == 1:
            logger.exception("due row of %s failed", kind)
            _postpone(rows[0])
            return []
        return [done for row in rows for done in _handle(kind, [row])]
    return rows


def _postpone(row: Claimed) -> None:
    """Later and later, by the schedule of retries; it is never given up."""
    wait = timedelta(seconds=DELAYS[min(row.failures, len(DELAYS) - 1)])
    DueRow.objects.filter(pk=row.id).update(due_at=timezone.now() + wait, failures=row.failures + 1)


def due_tenants() -> list[tuple[int, str]]:
    """Id and schema of the active tenants that have something due, the longest waiting first."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE_TENANTS)
        rows: list[tuple[int, str]] = cursor.fetchall()
    return rows


def poll() -> int:
    """Wakes a worker for each tenant with something due; without a broker it is done here."""
    places = due_tenants()
    for tenant_id, schema in places:
        if not broker.send(run, schema, {}, queue="events", expires=5):
            inline.submit((tenant_id, "due"), _run_for(tenant_id))
    return len(places)


def _run_for(tenant_id: int) -> Callable[[], object]:
    def work() -> int:
        tenant = Tenant.objects.get(pk=tenant_id)
        with tenant:
            return run_due(tenant, turns=2)

    return work
