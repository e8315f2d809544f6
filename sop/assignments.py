"""任务 of headquarters: one thing to send to some customers, split to the staff who are their friends."""

from datetime import timedelta
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from content import messages
from members import quiet
from sop import remind, tasks
from sop.models import Assignment, StaffTask
from tagging import segments
from tenants import due, jobs
from tenants.jobs import JobRun

DUE = "sop.assignment"
STARTS = "sop.starts"
JOB = "assignment"
CHUNK = 1000
LONGEST = timedelta(days=60)
State = Assignment.State

_SPLIT = """
INSERT INTO sop_stafftask (staff_id, customer_id, assignment_id, title, content, starts_at, ends_at, state, proof, sent,
    skip_reason)
SELECT DISTINCT ON (f.customer_id) f.staff_id, f.customer_id, %(assignment)s, %(title)s, %(content)s::jsonb,
    %(starts)s, %(ends)s, 'open', '', '{}', ''
FROM contacts_follow f JOIN members_staff s ON s.id = f.staff_id AND s.left_at IS NULL AND s.status = 1
WHERE f.customer_id = ANY(%(customers)s) AND f.ended_at IS NULL AND NOT f.half
    AND (%(staff)s::bigint[] IS NULL OR f.staff_id = ANY(%(staff)s))
    AND NOT EXISTS (SELECT FROM sop_stafftask t
        WHERE t.assignment_id = %(assignment)s AND t.customer_id = f.customer_id)
ORDER BY f.customer_id, f.added_at DESC, f.id DESC
ON CONFLICT DO NOTHING RETURNING id, staff_id
"""


def check(assignment: Assignment) -> None:
    """Raises ValidationError by field."""
    problems: dict[str, Any] = {}
    if assignment.ends_at <= max(assignment.starts_at, timezone.now()):
        problems["ends_at"] = _("截止时间要晚于开始时间和现在")
    elif assignment.ends_at - assignment.starts_at > LONGEST:
        problems["ends_at"] = _("任务最长 60 天")
    if not 1 <= assignment.target <= 100:
        problems["target"] = _("目标完成率为 1 到 100")
    if problems:
        raise ValidationError(problems)


@transaction.atomic
def publish(assignment: Assignment, *, by: str) -> None:
    """Split to staff in a job; asked again it is the same job."""
    row = Assignment.objects.select_for_update().get(pk=assignment.pk)
    if row.state != State.DRAFT:
        return
    check(row)
    messages.refuse_deleted(row.content)
    row.state = assignment.state = State.RUNNING
    row.save(update_fields=["state"])
    messages.want(row.content)
    due.put(DUE, {row.pk: row.ends_at})
    jobs.start(JOB, by, {"assignment": row.pk}, subject=f"assignment:{row.pk}")


def tree_of(assignment: Assignment) -> Any:
    return assignment.segment.tree if assignment.segment else assignment.tree


def split(run: JobRun) -> None:
    """The job: customers by their ids, a thousand at a time; each has one task of the assignment."""
    row = Assignment.objects.select_related("segment").get(pk=run.params["assignment"])
    everybody = segments.customers_of(tree_of(row), staff_ids=row.scope_staff_ids).order_by("pk")
    after = run.checkpoint.get("after", 0)
    if not run.checkpoint:
        run.save({"after": 0}, total=everybody.count(), done=0)
    while row.state == State.RUNNING:
        run.proceed()
        ids = list(everybody.filter(pk__gt=after).values_list("pk", flat=True)[:CHUNK])
        if not ids:
            break
        after = ids[-1]
        with transaction.atomic():
            row = Assignment.objects.select_for_update().select_related(None).get(pk=row.pk)
            made = split_to(row, ids) if row.state == State.RUNNING else 0
            run.save({"after": after}, done=run.job.done + len(ids), tasks=made, no_friend=len(ids) - made)
    Assignment.objects.filter(pk=row.pk, split_at=None).update(split_at=timezone.now())


def split_to(row: Assignment, customer_ids: list[int]) -> int:
    staff = row.staff_ids or None
    if row.scope_staff_ids is not None:
        staff = [pk for pk in staff or row.scope_staff_ids if pk in row.scope_staff_ids]
    with connection.cursor() as cursor:
        cursor.execute(
            _SPLIT,
            {
                "assignment": row.pk,
                "title": row.title,
                "content": orjson.dumps(row.content).decode(),
                "starts": row.starts_at,
                "ends": row.ends_at,
                "customers": customer_ids,
                "staff": staff,
            },
        )
        made: list[tuple[int, int]] = cursor.fetchall()
    due.put(tasks.DUE, {pk: row.ends_at for pk, _staff in made})
    _tell_when_it_starts(row, {staff_id for _pk, staff_id in made})
    return len(made)


def _tell_when_it_starts(row: Assignment, staff_ids: set[int]) -> None:
    now, zone = timezone.now(), timezone.get_current_timezone()
    if row.starts_at <= now:
        remind.soon(staff_ids)
        return
    due.put(STARTS, {row.pk: quiet.awake(row.starts_at, zone)})


def started(assignment_ids: list[int]) -> None:
    """The handler of the due index: who has tasks of it is told now."""
    rows = StaffTask.objects.filter(assignment__in=assignment_ids, state=StaffTask.State.OPEN, reminded_at=None)
    remind.soon(set(rows.values_list("staff_id", flat=True)))


def over(assignment_ids: list[int]) -> None:
    """The handler of the due index: its time is over."""
    Assignment.objects.filter(pk__in=assignment_ids, state=State.RUNNING, ends_at__lte=timezone.now()).update(
        state=State.ENDED
    )


@transaction.atomic
def stop(assignment: Assignment) -> int:
    """What is open is cancelled; what was done stays done."""
    row = Assignment.objects.select_for_update().get(pk=assignment.pk)
    if row.state not in (State.DRAFT, State.RUNNING):
        return 0
    row.state = assignment.state = State.STOPPED
    row.save(update_fields=["state"])
    due.drop(DUE, [row.pk])
    due.drop(STARTS, [row.pk])
    return tasks.cancel(StaffTask.objects.filter(assignment=row, state=StaffTask.State.OPEN), _("任务已停止"))
