"""应用到进行中: who runs on an older version of a plan goes on with the newest one, once that was looked at before."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from sop import exits, rules, timing
from sop.enrol import STEP, newest
from sop.models import Enrolment, Plan, PlanVersion, Step, StepRun
from sop.pace import Pace
from tenants import due, jobs
from tenants.jobs import JobRun
from tenants.models import Job

JOB = "sop_upgrade"
CHUNK = 200
LOOKED_AT = 5000
State = StepRun.State
HAD = (State.TASKED, State.DONE, State.SKIPPED)


@dataclass
class Fate:
    """What becomes of one enrolment."""

    runs: list[StepRun] = field(default_factory=list)  # of the new version, to come
    had: list[Step] = field(default_factory=list)  # sent or skipped already in the old version
    past: list[Step] = field(default_factory=list)  # their time was over before
    dropped: list[StepRun] = field(default_factory=list)  # waited in the old version, and are not in the new one
    over: bool = False  # nothing is left to do


@dataclass
class Line:
    step: Step
    when: str = ""
    coming: int = 0
    had: int = 0
    past: int = 0


@dataclass
class Preview:
    customers: int
    lines: list[Line]
    dropped: list[tuple[str, int]]
    over: int
    cut: bool  # more customers than were looked at


def older(version: PlanVersion) -> Any:
    """Those on the way in earlier versions of its plan."""
    return Enrolment.objects.filter(
        plan=version.plan_id, state=Enrolment.State.ACTIVE, version__number__lt=version.number
    )


def preview(version: PlanVersion) -> Preview:
    """Nothing is written."""
    total = older(version).count()
    rows = list(older(version).order_by("-pk")[:LOOKED_AT])
    lines = {step.pk: Line(step) for step in version.steps.order_by("no")}
    dropped: Counter[str] = Counter()
    over = 0
    for fate in fates(version, rows).values():
        for run in fate.runs:
            lines[run.step_id].coming += 1
        for step in fate.had:
            lines[step.pk].had += 1
        for step in fate.past:
            lines[step.pk].past += 1
        dropped.update(run.step.title for run in fate.dropped)
        over += fate.over
    return Preview(total, list(lines.values()), dropped.most_common(), over, total > len(rows))


def fates(version: PlanVersion, rows: Sequence[Enrolment]) -> dict[int, Fate]:
    steps, now, pace = list(version.steps.order_by("no")), timezone.now(), rules.pace()
    before: dict[int, list[StepRun]] = {row.pk: [] for row in rows}
    for run in StepRun.objects.filter(enrolment__in=before).select_related("step").order_by("due_at"):
        before[run.enrolment_id].append(run)
    return {row.pk: _fate(steps, row, before[row.pk], now, pace) for row in rows}


def _fate(steps: Iterable[Step], row: Enrolment, before: list[StepRun], now: datetime, pace: Pace) -> Fate:
    """A step is the same one by its title or its content: nobody gets it twice for having been moved."""
    zone, fate = timezone.get_current_timezone(), Fate()
    had = [run for run in before if run.state in HAD]
    waiting = [run for run in before if run.state == State.WAITING]
    kept: set[int] = set()
    for step in steps:
        old = next((run for run in waiting if same(run.step, step)), None)
        kept |= {old.pk} if old else set()
        if any(same(run.step, step) for run in had):
            fate.had.append(step)
            continue
        fall = timing.falls(step, row.anchor_at, zone, f"{row.pk}:{step.no}", pace)
        if not fall.missed and fall.at > now:
            at, reason = fall.at, fall.reason
        elif old is not None and not fall.missed and timing.falls(old.step, row.anchor_at, zone, pace=pace).at <= now:
            at, reason = old.due_at, old.reason  # it is late already, and still to be sent
        else:
            fate.past.append(step)
            continue
        fate.runs.append(StepRun(enrolment=row, step=step, due_at=at, reason=reason))
    fate.dropped = [run for run in waiting if run.pk not in kept]
    fate.over = not fate.runs and not any(run.state == State.TASKED for run in had)
    return fate


def same(one: Step, other: Step) -> bool:
    has_content = bool(one.content.get("text") or one.content.get("materials"))
    return one.title == other.title or (has_content and one.content == other.content)


def start(plan: Plan, *, by: str) -> Job | None:
    """Move them in a job; None where nobody runs on an older version."""
    version = newest(plan)
    if version is None or not older(version).exists():
        return None
    return jobs.start(JOB, by, {"version": version.pk}, subject=f"version:{version.pk}")


def work(run: JobRun) -> None:
    """Killed anywhere it goes on: who was moved is no longer on an older version. Of two that run at once the one of
    the newer version takes up those whom the other moved."""
    version = PlanVersion.objects.get(pk=run.params["version"])
    run.save(total=run.job.done + older(version).count())
    while True:
        run.proceed()
        with transaction.atomic():
            moved = move(version, list(older(version).order_by("pk").values_list("pk", flat=True)[:CHUNK]))
            run.save(done=run.job.done + moved)
        if not moved:
            return


def move(version: PlanVersion, enrolment_ids: list[int]) -> int:
    """Waiting steps are those of the new version from now on; tasks that staff have already stay theirs."""
    waiting = StepRun.objects.filter(enrolment__in=enrolment_ids, state=State.WAITING)
    lock = waiting.select_for_update(of=("self", "enrolment")).select_related("enrolment")
    list(lock.order_by("enrolment_id", "pk"))  # in the order of who lets steps fall due
    rows = list(older(version).select_for_update(of=("self",)).filter(pk__in=enrolment_ids).order_by("pk"))
    found = fates(version, rows)
    ids = list(waiting.filter(enrolment__in=found).values_list("pk", flat=True))
    due.drop(STEP, ids)
    StepRun.objects.filter(pk__in=ids).update(state=State.CANCELLED, reason="version", settled_at=timezone.now())
    Enrolment.objects.filter(pk__in=found).update(version=version)
    runs = StepRun.objects.bulk_create([run for fate in found.values() for run in fate.runs], batch_size=5000)
    due.put(STEP, {run.pk: run.due_at for run in runs})
    exits.finish([pk for pk, fate in found.items() if fate.over])
    return len(rows)
