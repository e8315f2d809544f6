"""任务 as it is settled: by sending its content, by a reason not to, by a tick where nothing is sent, by its end."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk
from contacts.models import Customer, Follow, TimelineEntry
from content import messages
from content.models import Sending
from members.models import Staff
from sop import exits, remind
from sop.models import StaffTask, StepRun
from sop.words import reason_words
from tenants import due

State = StaffTask.State
Proof = StaffTask.Proof
LONGEST_REASON = 100
DUE = "sop.task"
"""The kind of the due rows that end tasks."""


def open_tasks(staff: Staff, customer: Customer | None = None, *, at: datetime | None = None) -> QuerySet[StaffTask]:
    """What is to be done now, what ends first before the rest."""
    now = at or timezone.now()
    rows = StaffTask.objects.filter(staff=staff, state=State.OPEN, starts_at__lte=now, ends_at__gt=now)
    if customer is not None:
        rows = rows.filter(customer=customer)
    return rows.order_by("ends_at", "id")


def own_task(staff: Staff, pk: int) -> StaffTask | None:
    return StaffTask.objects.filter(pk=pk, staff=staff).first()


@transaction.atomic
def ask_to_send(task: StaffTask) -> str:
    """Why its content is not to be sent any more, in words; empty when it is. The exits of its plan are asked again,
    as they were when the step fell due: this is the moment at which the customer gets it."""
    if task.state not in (State.OPEN, State.EXPIRED):  # what is sent late still counts
        return _("这项任务已经是“%(state)s”，不用再发送") % {"state": task.get_state_display()}
    run = StepRun.objects.filter(task=task.pk).select_related(
        "enrolment__plan", "enrolment__version", "enrolment__follow__customer"
    )
    for one in run:
        if over := exits.reasons([one.enrolment]):
            exits.leave(over)
            why = reason_words(over[one.enrolment_id])
            return _("客户已退出 SOP，不用再发送：%(why)s") % {"why": why}
    return ""


@transaction.atomic
def task_sent(task: StaffTask, part: str, sending: Sending) -> bool:
    """A part of the task's content went out; True when that was the last one, which settles the task. Where there is
    nothing to send, no sending proves anything."""
    row = StaffTask.objects.select_for_update().get(pk=task.pk)
    wanted = messages.parts_of(row.content)
    if part in wanted and part not in row.sent:
        row.sent = [*row.sent, part]
        row.save(update_fields=["sent"])
    task.sent = row.sent
    if row.state not in (State.OPEN, State.EXPIRED) or not wanted or any(one not in row.sent for one in wanted):
        return False
    _settle([row], State.DONE, proof=Proof.SIDEBAR, at=sending.at, by=str(sending.staff or ""))
    task.state = row.state
    return True


@transaction.atomic
def skip(task: StaffTask, reason: str, *, by: str) -> None:
    """Raises ValidationError without a reason, or when the task is settled already."""
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise ValidationError(_("请选择跳过的原因"))
    row = _open(task)
    _settle([row], State.SKIPPED, proof="", at=timezone.now(), by=by, reason=reason)
    task.state, task.skip_reason = row.state, row.skip_reason


@transaction.atomic
def tick(task: StaffTask, *, by: str) -> None:
    """Done by word alone, which stands where no sending can prove it: nothing is to be sent, or what is left was
    deleted after the rest went out."""
    row, wanted = _open(task), messages.parts_of(task.content)
    if any(part not in row.sent for part in wanted):
        raise ValidationError(_("请用“发送”完成，系统会自动记为已完成"))
    _settle([row], State.DONE, proof=Proof.SIDEBAR if wanted else Proof.TICK, at=timezone.now(), by=by)
    task.state = row.state


def _open(task: StaffTask) -> StaffTask:
    row = StaffTask.objects.select_for_update().get(pk=task.pk)
    if row.state != State.OPEN:
        raise ValidationError(_("这项任务已经是“%(state)s”") % {"state": row.get_state_display()})
    return row


RUN_STATES = {State.DONE: StepRun.State.DONE, State.SKIPPED: StepRun.State.SKIPPED}


def _settle(
    rows: Sequence[StaffTask],
    state: str,
    *,
    proof: str,
    at: datetime,
    by: str,
    reason: str = "",
    source: str = TimelineEntry.Source.SIDEBAR,
) -> None:
    """Locked rows, all by the same proof: a mass message settles thousands at once."""
    ids = [row.pk for row in rows]
    for row in rows:
        row.state, row.proof, row.settled_at, row.skip_reason = state, proof, at, reason
    StaffTask.objects.filter(pk__in=ids).update(state=state, proof=proof, settled_at=at, skip_reason=reason)
    due.drop(DUE, ids)
    if steps := [row.step_run_id for row in rows if row.step_run_id is not None]:
        runs = StepRun.objects.filter(pk__in=steps)
        runs.update(state=RUN_STATES[State(state)], reason="", settled_at=at)
        exits.finish(runs.values_list("enrolment_id", flat=True))
    kind = TimelineEntry.Kind.TASK_DONE if state == State.DONE else TimelineEntry.Kind.TASK_SKIPPED
    entries = [
        bulk.Entry(
            key=f"task:{row.pk}:{state}",
            kind=kind,
            at=at,
            customer_id=row.customer_id,
            staff_id=row.staff_id,
            actor=by,
            payload={"task": row.pk, "title": row.title, "proof": proof, "reason": reason},
        )
        for row in rows
        if row.customer_id is not None
    ]
    if entries:
        bulk.write_timeline(entries, source=source)


# -- settled by what else happens --------------------------------------------------------------------------------------


def proved_by(sending_ids: Iterable[int]) -> int:
    """What staff sent without opening the task proves it all the same: the material of an open task, to its customer.

    For the signal `content.signals.sent`; what was sent from a task itself names its part to `task_sent`.
    """
    settled = 0
    rows = Sending.objects.filter(pk__in=list(sending_ids), task_id=None, via=Sending.Via.SIDEBAR).exclude(
        material=None
    )
    for sending in rows.filter(staff__isnull=False, customer__isnull=False).select_related("staff"):
        for task in open_tasks(sending.staff, sending.customer, at=sending.at):  # type: ignore[arg-type]
            settled += task_sent(task, f"m{sending.material_id}", sending)
    return settled


@transaction.atomic
def settled_by_mass(task_ids: Iterable[int], *, at: datetime, by: str = "") -> int:
    """The result of a mass message says that these were delivered; how many tasks that settled."""
    rows = StaffTask.objects.select_for_update().filter(pk__in=list(task_ids), state__in=[State.OPEN, State.EXPIRED])
    found = list(rows.order_by("pk"))
    _settle(found, State.DONE, proof=Proof.MASS, at=at, by=by, source=TimelineEntry.Source.SYSTEM)
    return len(found)


def ended(task_ids: list[int]) -> None:
    """The handler of the due index: their time is over. What is sent later still counts."""
    rows = StaffTask.objects.filter(pk__in=task_ids, state=State.OPEN, ends_at__lte=timezone.now())
    ids = list(rows.select_for_update().values_list("pk", flat=True))
    runs = list(StaffTask.objects.filter(pk__in=ids).exclude(step_run=None).values_list("step_run_id", flat=True))
    StaffTask.objects.filter(pk__in=ids).update(state=State.EXPIRED, settled_at=timezone.now())
    over = StepRun.objects.filter(pk__in=runs)
    over.update(state=StepRun.State.EXPIRED, reason="late", settled_at=timezone.now())
    exits.finish(over.values_list("enrolment_id", flat=True))


@transaction.atomic
def cancel(tasks: Iterable[StaffTask], reason: str) -> int:
    """Not to be done any more, by nobody's fault."""
    ids = [task.pk for task in tasks]
    rows = StaffTask.objects.filter(pk__in=ids, state=State.OPEN)
    runs = StepRun.objects.filter(pk__in=list(rows.exclude(step_run=None).values_list("step_run_id", flat=True)))
    changed = rows.update(state=State.CANCELLED, skip_reason=reason[:LONGEST_REASON], settled_at=timezone.now())
    due.drop(DUE, ids)
    runs.update(state=StepRun.State.CANCELLED, reason="staff_left", settled_at=timezone.now())
    exits.finish(runs.values_list("enrolment_id", flat=True))
    return changed


@transaction.atomic
def staff_left(staff_ids: Iterable[int]) -> None:
    """The open tasks of leavers go to a colleague who is friends with the customer; else they are cancelled."""
    rows = StaffTask.objects.filter(staff__in=list(staff_ids), state=State.OPEN)
    hand_over(rows, _("员工已离职，客户没有其他好友"))


@transaction.atomic
def follows_ended(follow_ids: Iterable[int]) -> None:
    """Tasks for a friendship that is over: a colleague's, or nobody's."""
    for follow in Follow.objects.filter(pk__in=list(follow_ids)).exclude(ended_at=None):
        rows = StaffTask.objects.filter(staff=follow.staff_id, customer=follow.customer_id, state=State.OPEN)
        if follow.ended_by == Follow.EndedBy.TRANSFER:
            hand_over(rows, _("客户已转交，没有接手的好友"))
        else:
            cancel(rows, follow.get_ended_by_display() if follow.ended_by else _("好友关系已结束"))


def hand_over(rows: QuerySet[StaffTask], reason: str) -> None:
    tasks = list(rows.select_for_update().order_by("pk"))
    if not tasks:
        return
    friends = Follow.objects.living().filter(customer__in={task.customer_id for task in tasks}, half=False)
    friends = friends.filter(staff__left_at=None, staff__status=Staff.Status.ACTIVE)
    friends = friends.exclude(staff__in={task.staff_id for task in tasks})
    newest = friends.order_by("customer_id", "-added_at", "-id").distinct("customer_id")
    heirs = dict(newest.values_list("customer_id", "staff_id"))
    moved = [task for task in tasks if task.customer_id in heirs]
    for task in moved:
        task.staff_id, task.reminded_at = heirs[task.customer_id], None  # type: ignore[index]
    StaffTask.objects.bulk_update(moved, ["staff", "reminded_at"])
    remind.soon({task.staff_id for task in moved})
    cancel([task for task in tasks if task.customer_id not in heirs], reason)
