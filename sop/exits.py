"""Who leaves a plan early, and how an enrolment ends."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from contacts import bulk
from contacts.models import Follow, FollowTag, TimelineEntry
from sop.models import Enrolment, StaffTask, StepRun
from sop.words import reason_words
from tenants import due

State = StepRun.State
ENDED_BY = Follow.EndedBy

_FINISH = """
UPDATE sop_enrolment e SET state = 'done', ended_at = %(now)s
WHERE e.id = ANY(%(ids)s) AND e.state = 'active'
    AND NOT EXISTS (SELECT FROM sop_steprun r WHERE r.enrolment_id = e.id AND r.state IN ('waiting', 'tasked'))
"""


def reasons(enrolments: Sequence[Enrolment]) -> dict[int, str]:
    """Why those of them that must end now do; asked again at the moment of every step.

    Expects version, plan, follow and its customer to be there. Deletion by either side ends it. A friendship that went
    to a colleague does not: the step goes to the colleague.
    """
    found: dict[int, str] = {}
    for one in enrolments:
        if one.plan.archived_at is not None:
            found[one.pk] = "archived"
        elif one.follow.ended_at is not None and one.follow.ended_by != ENDED_BY.TRANSFER:
            found[one.pk] = one.follow.ended_by or "vanished"
        elif one.follow.customer.stage_id in (one.version.exits.get("stages") or ()):
            found[one.pk] = "stage"
    wanted = {tag for one in enrolments for tag in one.version.exits.get("tags") or ()}
    if wanted:
        customers = {one.follow.customer_id for one in enrolments}
        links = FollowTag.objects.filter(tag__in=wanted, follow__customer__in=customers, follow__ended_at=None)
        carried = set(links.values_list("follow__customer_id", "tag_id"))
        for one in enrolments:
            if any((one.follow.customer_id, tag) in carried for tag in one.version.exits.get("tags") or ()):
                found.setdefault(one.pk, "tag")
    return found


@transaction.atomic
def leave(why: Mapping[int, str], *, by: str = "", keep_tasks: bool = False) -> int:
    """End enrolments early, each with its reason; what they still had to do is cancelled."""
    rows = list(
        Enrolment.objects.select_for_update(of=("self",))
        .filter(pk__in=why, state=Enrolment.State.ACTIVE)
        .select_related("follow", "plan")
        .order_by("pk")
    )
    now = timezone.now()
    for row in rows:
        row.state, row.exit_reason, row.ended_at = Enrolment.State.EXITED, why[row.pk], now
    Enrolment.objects.bulk_update(rows, ["state", "exit_reason", "ended_at"], batch_size=2000)
    open_runs = StepRun.objects.filter(enrolment__in=rows, state__in=[State.WAITING, State.TASKED])
    runs = list(open_runs.values_list("pk", flat=True))
    due.drop("sop.step", runs)
    tasks = StaffTask.objects.filter(step_run__in=runs, state=StaffTask.State.OPEN)
    due.drop("sop.task", tasks.values_list("pk", flat=True))
    tasks.update(state=StaffTask.State.CANCELLED, skip_reason=reason_words("exited")[:100], settled_at=now)
    StepRun.objects.filter(pk__in=runs).update(state=State.CANCELLED, reason="exited", settled_at=now)
    bulk.write_timeline([_entry(row, by) for row in rows], source=TimelineEntry.Source.SYSTEM)
    return len(rows)


def _entry(row: Enrolment, by: str) -> bulk.Entry:
    payload: dict[str, Any] = {"plan": row.plan_id, "name": row.plan.name, "reason": row.exit_reason}
    return bulk.Entry(
        key=f"sop_exited:{row.pk}",
        kind=TimelineEntry.Kind.SOP_EXITED,
        at=row.ended_at or timezone.now(),
        customer_id=row.follow.customer_id,
        staff_id=row.follow.staff_id,
        actor=by,
        payload=payload,
    )


def finish(enrolment_ids: Iterable[int]) -> int:
    """Enrolments that have nothing left to do are done."""
    ids = list(enrolment_ids)
    if not ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, {"ids": ids, "now": timezone.now()})
        return int(cursor.rowcount)


def follows_ended(follow_ids: Iterable[int]) -> None:
    """Who deleted us, or was deleted, leaves at once."""
    ended = Enrolment.objects.filter(follow__in=list(follow_ids), state=Enrolment.State.ACTIVE)
    rows = ended.exclude(follow__ended_at=None).exclude(follow__ended_by=ENDED_BY.TRANSFER)
    leave(dict(rows.values_list("pk", "follow__ended_by")))


def plan_archived(plan_id: int, *, by: str) -> int:
    rows = Enrolment.objects.filter(plan=plan_id, state=Enrolment.State.ACTIVE)
    return leave(dict.fromkeys(rows.values_list("pk", flat=True), "archived"), by=by)
