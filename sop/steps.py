"""A step falls due: exits are asked again, then it becomes one task of one member of staff."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from contacts.models import Follow
from members.models import Staff
from sop import exits, remind, rules, tasks, timing
from sop.enrol import STEP, able
from sop.models import StaffTask, StepRun
from sop.timing import Act
from tenants import due

PARKED = timedelta(days=1)
PARKED_AT_MOST = timedelta(days=7)
"""A customer of somebody who left waits so long for a new friend; then the step is over."""

State = StepRun.State


def fall_due(run_ids: list[int]) -> None:
    """The handler of the due index, in its transaction: all statements are over the set."""
    runs = list(
        StepRun.objects.select_for_update(of=("self", "enrolment"))
        .filter(pk__in=run_ids, state=State.WAITING)
        .select_related(
            "step", "enrolment__plan", "enrolment__version", "enrolment__follow__staff", "enrolment__follow__customer"
        )
        .order_by("enrolment_id", "pk")  # one order for all who lock enrolments
    )
    over = exits.reasons(list({run.enrolment_id: run.enrolment for run in runs}.values()))
    exits.leave(over)
    left = [run for run in runs if run.enrolment_id not in over]
    _send(left, timezone.now())


def _send(runs: list[StepRun], now: datetime) -> None:
    zone, allowed = timezone.get_current_timezone(), rules.pace()
    staff_of = speakers([run.enrolment.follow for run in runs])
    seeds = {run.pk: f"{run.enrolment_id}:{run.step.no}" for run in runs}
    planned = {run.pk: timing.falls(run.step, run.enrolment.anchor_at, zone, seeds[run.pk], allowed).at for run in runs}
    ready, ownerless = list[StepRun](), set[Staff]()
    for run in runs:
        begins = _begins(run, planned[run.pk])
        verdict = timing.judge(run.due_at, now, begins + timedelta(hours=run.step.valid_hours), zone, seeds[run.pk])
        if verdict.act == Act.SEND and run.enrolment.follow_id in staff_of:
            ready.append(run)
            continue
        if verdict.act == Act.SEND:
            run.reason = "half" if run.enrolment.follow.half else "staff_left"
            ownerless.add(run.enrolment.follow.staff)
            verdict = _park(begins, now)
        else:
            run.reason = "moved" if verdict.act == Act.LATER else "late"
        _put_off(run, verdict.at, State.EXPIRED, now)
    days = rules.days_of(ready, planned, now, allowed)
    for run in ready:
        day = days[run.pk]
        if day is None or day.reason:
            run.reason = day.reason if day else "no_room"
            _put_off(run, timing.on_day(planned[run.pk], day.day, zone) if day else None, State.SKIPPED, now)
        else:
            run.state, run.reason = State.TASKED, ""
    _write(runs)
    _make([_task_of(run, staff_of[run.enrolment.follow_id], now) for run in ready if run.state == State.TASKED])
    remind.nobody_writes(ownerless)


def _begins(run: StepRun, planned: datetime) -> datetime:
    """Its time to be done counts from where the company's rule put it; what an outage took is not given back."""
    return max(planned, run.due_at) if run.reason in ("crowded", "workday") else planned


def _put_off(run: StepRun, at: datetime | None, over: StepRun.State, now: datetime) -> None:
    """To that moment; without one it is over."""
    if at is not None:
        run.due_at = at
    else:
        run.state, run.settled_at = over, now


def _write(runs: list[StepRun]) -> None:
    sent = [run.pk for run in runs if run.state == State.TASKED]
    StepRun.objects.filter(pk__in=sent).update(state=State.TASKED, reason="")
    rest = [run for run in runs if run.state != State.TASKED]
    StepRun.objects.bulk_update(rest, ["state", "reason", "settled_at", "due_at"])
    due.put(STEP, {run.pk: run.due_at for run in rest if run.state == State.WAITING})
    exits.finish(run.enrolment_id for run in rest if run.state != State.WAITING)


def _park(planned: datetime, now: datetime) -> timing.Verdict:
    if now - planned >= PARKED_AT_MOST:
        return timing.Verdict(Act.EXPIRED)
    return timing.Verdict(Act.LATER, now + PARKED)


def _task_of(run: StepRun, staff_id: int, now: datetime) -> StaffTask:
    return StaffTask(
        staff_id=staff_id,
        customer_id=run.enrolment.follow.customer_id,
        step_run=run,
        title=run.step.title,
        content=run.step.content,
        starts_at=now,
        ends_at=now + timedelta(hours=run.step.valid_hours),
    )


def _make(wanted: list[StaffTask]) -> None:
    """A run has one task, whoever makes it and however often."""
    if not wanted:
        return
    StaffTask.objects.bulk_create(wanted, ignore_conflicts=True)
    made = StaffTask.objects.filter(step_run__in=[task.step_run_id for task in wanted], state=StaffTask.State.OPEN)
    due.put(tasks.DUE, dict(made.values_list("pk", "ends_at")))
    remind.soon({task.staff_id for task in wanted})


def speakers(follows: Iterable[Follow]) -> dict[int, int]:
    """By friendship the member of staff who can write to its customer now: its own, else the newest other friend's."""
    given = list(follows)
    found = {one.pk: one.staff_id for one in given if _can_write(one)}
    missing = [one for one in given if one.pk not in found]
    if missing:
        others = (
            Follow.objects.living()
            .filter(able("staff__"), customer__in={one.customer_id for one in missing}, half=False)
            .order_by("customer_id", "-added_at", "-id")
            .distinct("customer_id")
        )
        heirs = dict(others.values_list("customer_id", "staff_id"))
        found |= {one.pk: heirs[one.customer_id] for one in missing if one.customer_id in heirs}
    return found


def _can_write(follow: Follow) -> bool:
    staff = follow.staff
    return follow.ended_at is None and not follow.half and staff.left_at is None and staff.status == Staff.Status.ACTIVE
