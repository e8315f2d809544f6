"""The outbox: what WeCom is to be told is a row first. This module is its door; how it is sent stands in `sending`."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from tenants import delivery
from tenants.current import app_of, current_tenant
from tenants.keys import seal
from tenants.models import CorpApp, OutgoingCall
from tenants.outcomes import OUTCOMES, RECONCILERS, body_name_for, body_of, tell_owner
from tenants.sending import deliver_due
from tenants.tasks import enqueue

__all__ = [
    "OUTCOMES",
    "RECONCILERS",
    "NotAllowed",
    "body_of",
    "deliver_due",
    "ignore",
    "post",
    "resume",
    "retry",
    "retry_many",
    "withdraw",
]

State = OutgoingCall.State
Priority = OutgoingCall.Priority

RETRIED_PER_SECOND = 20
KEPT = timedelta(days=30)
TRIAL = "trial after "


class NotAllowed(Exception):
    """The call is not in a state in which this can be done."""


def post(
    api: str,
    body: dict[str, Any],
    *,
    purpose: str,
    idem_key: str,
    subject: str = "",
    priority: int = Priority.INTERACTIVE,
    deadline: datetime | None = None,
    context: dict[str, Any] | None = None,
    by: str = "",
) -> OutgoingCall:
    """Have WeCom called, once per `idem_key`: a key that is there gives back its row and changes nothing.

    Part of the caller's transaction. Calls of one subject go out one after the other, in the order they were posted.
    """
    tenant = current_tenant()
    with transaction.atomic():
        row = OutgoingCall(
            tenant=tenant,
            app=app_of(tenant),
            idem_key=idem_key,
            api=api,
            purpose=purpose,
            subject=subject,
            priority=priority,
            body=seal(tenant.pk, body_name_for(idem_key), json.dumps(body, ensure_ascii=False)),
            context=context or {},
            due_at=timezone.now(),
            deadline=deadline,
            requested_by=by[:80],
        )
        OutgoingCall.objects.bulk_create([row], ignore_conflicts=True)
        call = OutgoingCall.objects.get(tenant=tenant, idem_key=idem_key)
    wake(call.priority)
    return call


def wake(priority: int) -> None:
    """A hint to the workers of the lane, sent on commit; the poller finds the row if it is lost."""
    if priority == Priority.WELCOME:
        enqueue(delivery.deliver_welcome)
    elif priority == Priority.INTERACTIVE:
        enqueue(delivery.deliver_interactive)
    else:
        enqueue(delivery.deliver_bulk)


RETRY_MANY = """
WITH chosen AS (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM public.tenants_outgoingcall
    WHERE id = ANY(%(ids)s) AND tenant_id = %(tenant)s AND state = ANY(%(states)s)
      AND (deadline IS NULL OR deadline > statement_timestamp())
)
UPDATE public.tenants_outgoingcall AS call
SET state = CASE WHEN call.state IN ('unknown', 'ignored') AND call.api = ANY(%(looked_up)s) THEN 'unknown'
        ELSE 'pending' END,
    attempts = 0, finished_at = NULL, note = %(note)s,
    due_at = statement_timestamp() + make_interval(secs => chosen.place / %(rate)s)
FROM chosen WHERE call.id = chosen.id AND call.state = ANY(%(states)s)
RETURNING call.priority, call.state
"""
RETRIABLE = frozenset({State.DEAD, State.EXPIRED, State.PARKED, State.UNKNOWN, State.IGNORED})


def retry(call: OutgoingCall, by: str) -> OutgoingCall:
    """Send it again, by someone's decision; the key stays, so nothing is done twice by us. A create whose answer was
    lost is looked up at once, and sent again where it was not done."""
    return _retry(call.pk, by)


def retry_many(calls: Iterable[OutgoingCall], by: str) -> int:
    """The same for many, spread over time; those that cannot be sent again are left as they are."""
    values = {
        "ids": [call.pk for call in calls],
        "tenant": current_tenant().pk,
        "states": [str(state) for state in RETRIABLE],
        "looked_up": list(RECONCILERS),
        "rate": float(RETRIED_PER_SECOND),
        "note": f"retry by {by}"[:200],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(RETRY_MANY, values)
        rows = cursor.fetchall()
        for priority, state in set(rows):
            wake(lane_of(priority, state))
    return len(rows)


def lane_of(priority: int, state: str) -> int:
    """What is looked up first is the bulk lane's."""
    return max(priority, Priority.NOTICE) if state == State.UNKNOWN else priority


def _retry(pk: int, by: str) -> OutgoingCall:
    with transaction.atomic():
        call = OutgoingCall.objects.select_for_update().get(pk=pk, tenant=current_tenant())
        if call.state not in RETRIABLE:
            raise NotAllowed(f"a call that is {call.state} is not sent again")
        if call.deadline is not None and call.deadline <= timezone.now():
            raise NotAllowed("the time to send it is over")
        lost = call.state in (State.UNKNOWN, State.IGNORED)  # who ignored it may have done so before it was found
        call.state = State.UNKNOWN if lost and call.api in RECONCILERS else State.PENDING
        call.attempts, call.due_at, call.finished_at = 0, timezone.now(), None
        call.note = f"retry by {by}"[:200]
        call.save(update_fields=["state", "attempts", "due_at", "finished_at", "note"])
        wake(lane_of(call.priority, call.state))
    return call


def ignore(call: OutgoingCall, by: str, reason: str) -> OutgoingCall:
    """Give it up for good, with a reason; its owner is told, as of any end."""
    with transaction.atomic():
        row = OutgoingCall.objects.select_for_update().get(pk=call.pk, tenant=current_tenant())
        if row.state not in RETRIABLE - {State.IGNORED}:
            raise NotAllowed(f"a call that is {row.state} is not ignored")
        told = row.state in (State.DEAD, State.EXPIRED)
        row.state, row.finished_at = State.IGNORED, timezone.now()
        row.note = f"ignored by {by}: {reason}"[:200]
        row.save(update_fields=["state", "finished_at", "note"])
        if not told:
            tell_owner(row)
    return row


@transaction.atomic
def withdraw(keys: Iterable[str], *, by: str, reason: str) -> int:
    """Take back what nobody has begun to send, or what waits for a repair; its owner is told, as of any end. What is
    under way is left alone."""
    waiting = (State.PENDING, State.PARKED)
    rows = OutgoingCall.objects.filter(tenant=current_tenant(), idem_key__in=list(keys), state__in=waiting)
    calls = list(rows.select_for_update(skip_locked=True))
    for call in calls:
        call.state, call.finished_at, call.note = State.IGNORED, timezone.now(), f"withdrawn by {by}: {reason}"[:200]
        call.save(update_fields=["state", "finished_at", "note"])
        tell_owner(call)
    return len(calls)


def resume(app: CorpApp) -> int:
    """The app is mended: everything that waited for that goes out, the oldest first."""
    parked = OutgoingCall.objects.filter(app=app, state=State.PARKED)
    count = parked.update(state=State.PENDING, due_at=timezone.now(), attempts=0)
    if count:
        with app.tenant:
            enqueue(delivery.deliver_interactive)
            enqueue(delivery.deliver_bulk)
    return count


def try_parked(app: CorpApp) -> int:
    """Some faults concern one API or one member, and no check of the app sees them: one parked call of each API and
    code is sent by way of trial, and the success of that trial brings the others."""
    parked = OutgoingCall.objects.filter(app=app, state=State.PARKED)
    trials = OutgoingCall.objects.filter(app=app, state=State.OK, note__startswith=TRIAL)
    mended: dict[tuple[str, str], datetime] = {}
    for api, note, at in trials.order_by("finished_at").values_list("api", "note", "finished_at"):
        if at is not None:
            mended[api, note] = at
    under_way = OutgoingCall.objects.filter(
        app=app, state__in=[State.PENDING, State.LEASED, State.UNKNOWN], note__startswith=TRIAL
    )
    first: dict[tuple[str, str], int] = dict.fromkeys(under_way.values_list("api", "note"), 0)
    release: list[int] = []
    rows = parked.order_by("due_at", "id").values_list("pk", "api", "result_code", "due_at")
    for pk, api, code, since in rows[:5000]:
        note = f"{TRIAL}{code}"
        if (at := mended.get((api, note))) and at > since:
            release.append(pk)
        else:
            first.setdefault((api, note), pk)
    now = timezone.now()
    count = parked.filter(pk__in=release).update(state=State.PENDING, due_at=now)
    for (_, note), pk in first.items():
        count += parked.filter(pk=pk).update(state=State.PENDING, due_at=now, note=note)
    if count:
        with app.tenant:
            enqueue(delivery.deliver_interactive)
            enqueue(delivery.deliver_bulk)
    return count


def prune() -> int:
    """Forget what was done a month ago; what failed stays until someone looked at it, at most half a year."""
    done = OutgoingCall.objects.filter(state__in=[State.OK, State.IGNORED], finished_at__lt=timezone.now() - KEPT)
    failed = OutgoingCall.objects.filter(
        state__in=[State.DEAD, State.EXPIRED], finished_at__lt=timezone.now() - 6 * KEPT
    )
    return sum(_delete_in_batches(rows) for rows in (done, failed))


def _delete_in_batches(rows: Any) -> int:
    count = 0
    while pks := list(rows.values_list("pk", flat=True)[:2000]):
        count += OutgoingCall.objects.filter(pk__in=pks).delete()[0]
    return count
