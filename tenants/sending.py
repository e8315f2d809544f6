"""Sends the outgoing calls that are due: claim one, call WeCom outside of any transaction, settle it."""

import json
import logging
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Func
from django.utils import timezone

from tenants.current import client_for
from tenants.judging import judge, refuse_broken
from tenants.keys import seal
from tenants.locks import alone_with
from tenants.models import OutgoingCall, Tenant
from tenants.outcomes import MENDERS, RECONCILERS, Verdict, body_name, body_of, settle
from wecom.endpoints import Kind, endpoint_of
from wecom.errors import WeComError, WeComUnavailable

logger = logging.getLogger(__name__)

State = OutgoingCall.State
Priority = OutgoingCall.Priority
LEASE_SECONDS = 90
URGENT_LEASE_SECONDS = 8
URGENT_TIMEOUT = 5.0
LOCK_SPACE = 0x4F555442  # "OUTB"
DATABASE_NOW = Func(function="statement_timestamp", output_field=DateTimeField())
"""Leases are written and judged by the database's clock: the workers' own clocks may differ."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A span of priorities with workers of its own. `slots` bounds the workers that one tenant may hold at once."""

    name: str
    first: int
    last: int
    slots: int


WELCOME = Lane("welcome", Priority.WELCOME, Priority.WELCOME, 0)
INTERACTIVE = Lane("interactive", Priority.INTERACTIVE, Priority.INTERACTIVE, 3)
BULK = Lane("bulk", Priority.NOTICE, Priority.BACKFILL, 2)
LANES = (WELCOME, INTERACTIVE, BULK)
EVERYTHING = Lane("everything", Priority.WELCOME, Priority.BACKFILL, 0)

CLAIM = """
UPDATE public.tenants_outgoingcall SET state = 'leased',
    leased_until = statement_timestamp()
        + make_interval(secs => CASE WHEN deadline IS NULL THEN %(lease)s ELSE %(short)s END)
WHERE id = (
    SELECT c.id FROM public.tenants_outgoingcall c
    WHERE c.tenant_id = %(tenant)s AND c.priority BETWEEN %(first)s AND %(last)s
      AND c.state = 'pending' AND c.due_at <= statement_timestamp()
      AND (c.subject = '' OR NOT EXISTS (
          SELECT 1 FROM public.tenants_outgoingcall e
          WHERE e.tenant_id = c.tenant_id AND e.subject = c.subject AND e.subject <> '' AND e.id < c.id
            AND e.state IN ('pending', 'leased', 'parked', 'unknown')))
      AND NOT EXISTS (
          SELECT 1 FROM public.tenants_apibreaker b
          WHERE b.app_id = c.app_id AND b.api = c.api AND b.open_until > statement_timestamp()
            AND (c.priority > 0 OR b.reason = 'limited'))
    ORDER BY c.priority, c.due_at, c.id LIMIT 1
    FOR UPDATE OF c SKIP LOCKED)
RETURNING id
"""
HOLD = """
UPDATE public.tenants_outgoingcall SET leased_until = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE id = %(id)s AND state = 'leased' AND leased_until = %(until)s RETURNING leased_until
"""
CLAIM_UNKNOWN = """
UPDATE public.tenants_outgoingcall SET leased_until = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE id = (
    SELECT id FROM public.tenants_outgoingcall
    WHERE tenant_id = %(tenant)s AND state = 'unknown' AND api = ANY(%(apis)s) AND due_at <= statement_timestamp()
      AND (leased_until IS NULL OR leased_until < statement_timestamp())
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""
DUE = """
SELECT t.id, t.schema_name, lane.name FROM public.tenants_tenant t
CROSS JOIN (VALUES ('welcome', 0, 0), ('interactive', 1, 1), ('bulk', 2, 4)) AS lane (name, first, last)
WHERE t.status = 'active' AND (EXISTS (
    SELECT 1 FROM public.tenants_outgoingcall c
    WHERE c.tenant_id = t.id AND c.priority BETWEEN lane.first AND lane.last AND (
        (c.state = 'pending' AND c.due_at <= statement_timestamp())
        OR (c.state = 'leased' AND c.leased_until < statement_timestamp())))
  OR (lane.name = 'bulk' AND EXISTS (
    SELECT 1 FROM public.tenants_outgoingcall c
    WHERE c.tenant_id = t.id AND c.state = 'unknown' AND c.api = ANY(%s) AND c.due_at <= statement_timestamp()
      AND (c.leased_until IS NULL OR c.leased_until < statement_timestamp()))))
"""


def due() -> list[tuple[int, str, Lane]]:
    """The tenants that have calls to send now, by lane; suspended ones wait."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, [list(RECONCILERS)])
        lanes = {lane.name: lane for lane in LANES}
        return [(tenant, schema, lanes[name]) for tenant, schema, name in cursor.fetchall()]


def deliver_due(*, urgent: bool, limit: int = 500, seconds: float = 45.0) -> int:
    """Send what is due of all tenants, a few calls of each in turn. Urgent: the welcome messages alone."""
    end, sent = time.monotonic() + seconds, 0
    lane = WELCOME if urgent else EVERYTHING
    while sent < limit and time.monotonic() < end:
        waiting = {tenant for tenant, _, of in due() if not urgent or of is WELCOME}
        round_ = 0
        for tenant in Tenant.objects.filter(pk__in=waiting).order_by("pk"):
            round_ += deliver(tenant, lane, limit=min(5, limit - sent - round_), seconds=end - time.monotonic())
        if not round_:
            break
        sent += round_
    return sent


def deliver(tenant: Tenant, lane: Lane, *, limit: int = 50, seconds: float = 20.0) -> int:
    """Send a tenant's due calls of a lane until none is left, or another tenant should have its turn."""
    end, sent = time.monotonic() + seconds, 0
    with tenant, slot(tenant, lane) as free:
        if not free:
            return 0
        end_leases(tenant)
        while sent < limit and time.monotonic() < end:
            call = claim(tenant, lane)
            if call is not None:
                send(call)
            elif lane.last < Priority.NOTICE or not (lost := claim_unknown(tenant)):
                break
            else:
                look_up(lost)
            sent += 1
    return sent


def claim(tenant: Tenant, lane: Lane) -> OutgoingCall | None:
    """Take the first due call that nobody holds and that no earlier call of its subject goes before."""
    values = {
        "tenant": tenant.pk,
        "first": lane.first,
        "last": lane.last,
        "lease": LEASE_SECONDS,
        "short": URGENT_LEASE_SECONDS,
    }
    return _taken(CLAIM, values)


def claim_unknown(tenant: Tenant) -> OutgoingCall | None:
    """Take a create whose answer was lost and that somebody knows how to look up."""
    if not RECONCILERS:
        return None
    return _taken(CLAIM_UNKNOWN, {"tenant": tenant.pk, "apis": list(RECONCILERS), "lease": LEASE_SECONDS})


def _taken(sql: str, values: dict[str, Any]) -> OutgoingCall | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return OutgoingCall.objects.select_related("app", "tenant").get(pk=row[0]) if row else None


def send(call: OutgoingCall) -> None:
    """One attempt."""
    now = timezone.now()
    if call.deadline is not None and now >= call.deadline:
        settle(call, Verdict(State.EXPIRED, message="the time to send it was over"))
        return
    kind = endpoint_of(call.api).kind
    try:
        answer = _ask(call, now)
    except WeComError as error:
        verdict = judge(call, kind, error)
    except Exception as error:
        logger.exception("outgoing call %s could not be made", call.pk)
        verdict = judge(call, kind, error)
    else:
        keep = kind in (Kind.CREATE, Kind.MESSAGE)
        result = {name: value for name, value in answer.items() if name not in ("errcode", "errmsg")}
        verdict = Verdict(State.OK, code=0, message="ok", result=result if keep else None)
    if not settle(call, verdict):
        logger.info("outgoing call %s was settled by another worker", call.pk)


def _ask(call: OutgoingCall, now: datetime) -> dict[str, object]:
    refuse_broken(call.app)
    endpoint = endpoint_of(call.api)
    client = client_for(call.app, endpoint.secret, priority=call.priority)
    body = body_of(call)
    timeout = None
    if call.deadline is not None:
        timeout = max(0.5, min(URGENT_TIMEOUT, (call.deadline - now).total_seconds()))
    try:
        return client.call(call.api, body, timeout=timeout)
    except tuple(MENDERS) as refused:
        mended = MENDERS[type(refused)](call, body)
        if mended is None:
            raise
        keep_body(call, mended)
        hold(call)
        return client.call(call.api, mended, timeout=timeout)


def keep_body(call: OutgoingCall, body: dict[str, Any]) -> None:
    """What is sent from now on is what the row says."""
    call.body = seal(call.tenant_id, body_name(call), json.dumps(body, ensure_ascii=False))
    OutgoingCall.objects.filter(pk=call.pk).update(body=call.body)


def hold(call: OutgoingCall) -> None:
    """Mending took its time, files may have been sent: the lease begins anew, unless somebody took the call over."""
    lease = LEASE_SECONDS if call.deadline is None else URGENT_LEASE_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(HOLD, {"id": call.pk, "until": call.leased_until, "lease": lease})
        row = cursor.fetchone()
    if row is None:
        raise WeComUnavailable(0, "the lease was over before the call was mended", call.api)
    call.leased_until = row[0]


def look_up(call: OutgoingCall) -> None:
    """Was a create whose answer was lost done? Adopt it if so, send it again if not."""
    try:
        client = client_for(call.app, endpoint_of(call.api).secret, priority=call.priority)
        found = RECONCILERS[call.api](call, body_of(call), client)
    except Exception as error:
        if not isinstance(error, WeComError):
            logger.exception("outgoing call %s could not be looked up", call.pk)
        wait = timedelta(seconds=random.uniform(30, 90))
        message = f"outcome unknown; looking it up failed: {error}"
        settle(call, Verdict(State.UNKNOWN, code=call.result_code, message=message, due_at=timezone.now() + wait))
        return
    if found is not None:
        settle(call, Verdict(State.OK, code=0, message="found in WeCom", result=found))
    else:
        verdict = Verdict(State.PENDING, code=call.result_code, message="not done: sent again", due_at=timezone.now())
        settle(call, verdict)


def end_leases(tenant: Tenant) -> None:
    """Calls of workers that died in the middle: repeat what may be repeated, look up what may not."""
    overdue = OutgoingCall.objects.filter(tenant=tenant, state=State.LEASED, leased_until__lt=DATABASE_NOW)
    for call in overdue.select_related("tenant", "app")[:200]:
        kind = endpoint_of(call.api).kind
        now = timezone.now()
        if kind.repeatable or kind is Kind.ONE_SHOT or kind is Kind.MESSAGE:
            verdict = Verdict(State.PENDING, message="the worker went away", due_at=now, burned=True)
        else:
            later = now + timedelta(seconds=10)
            verdict = Verdict(State.UNKNOWN, message="the worker went away", due_at=later, burned=True)
        settle(call, verdict)


@contextmanager
def slot(tenant: Tenant, lane: Lane) -> Iterator[bool]:
    """One of the places that a tenant has in a lane; a dead worker's place is free at once."""
    if not lane.slots:
        yield True
        return
    names = [f"{lane.name}:{tenant.pk}:{number}" for number in range(lane.slots)]
    random.shuffle(names)
    with ExitStack() as held:
        yield any(held.enter_context(alone_with(LOCK_SPACE, name)) for name in names)
