"""Long work as a resumable job: chunks with a checkpoint, a heartbeat, progress, and a cancel that is heard.

A job runs in slices of under a minute, so that workers stay free for others and a restart costs little. Killed
anywhere, it goes on from its last checkpoint, which is written in the very transaction of the rows it stands for.
"""

import logging
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from tenants.current import current_tenant
from tenants.judging import DELAYS
from tenants.locks import alone_with
from tenants.models import Job, Tenant
from tenants.tasks import enqueue
from wecom.errors import WeComMisconfigured, WeComUnavailable, WeComUnknown

logger = logging.getLogger(__name__)

SLICE_SECONDS = 50.0
STALE = timedelta(seconds=60)
HEARTBEAT_SECONDS = 5.0
OWN_FAULTS = 3  # how often a fault of ours is tried again before the job fails
LOCK_SPACE = 0x4A4F4253  # "JOBS"
OPEN = (Job.State.QUEUED, Job.State.RUNNING)


class Cancelled(Exception):
    """Someone asked the job to stop; what its checkpoints cover stays."""


class SliceOver(Exception):
    """The slice's time is up; the job goes on in another one."""


class Overtaken(Exception):
    """Another worker has taken the job up; this one must write nothing more."""


class JobFailed(Exception):
    """The job ended without having done its work; the text says why."""


class JobRun:
    """What the code of a job holds: where it stands, and how to say how far it has come."""

    def __init__(self, job: Job, *, seconds: float = SLICE_SECONDS) -> None:
        self.job = job
        self._fence = job.fence
        self._ends = time.monotonic() + seconds
        self._beat_at = time.monotonic()

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.job.params)

    @property
    def checkpoint(self) -> dict[str, Any]:
        """What the last `save` left; empty at the start."""
        return dict(self.job.checkpoint)

    def proceed(self) -> None:
        """Call before each chunk, outside of any transaction: keeps the job alive, and ends it when it must end."""
        now = time.monotonic()
        if now - self._beat_at >= HEARTBEAT_SECONDS:
            self.heartbeat()
        if now >= self._ends:
            raise SliceOver

    def heartbeat(self) -> None:
        self._beat_at = time.monotonic()
        self._update(heartbeat_at=timezone.now())
        if Job.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise Cancelled

    def save(
        self,
        checkpoint: dict[str, Any] | None = None,
        *,
        done: int | None = None,
        total: int | None = None,
        stage: str | None = None,
        **counts: int,
    ) -> None:
        """Record how far the job has come. Call it in the transaction of the rows it speaks of; counts are added up.

        Attempts are counted anew from here on where it came further: one that only says where it begins would else
        fail and begin for ever.
        """
        job = self.job
        further = checkpoint is not None and checkpoint != job.checkpoint
        further = further or (done is not None and done > job.done) or any(counts.values())
        if checkpoint is not None:
            job.checkpoint = checkpoint
        if done is not None:
            job.done = done
        if total is not None:
            job.total = total
        if stage is not None:
            job.stage = stage[:64]
        for name, number in counts.items():
            job.counts[name] = job.counts.get(name, 0) + number
        if further:
            job.attempts = 0
        self._update(
            checkpoint=job.checkpoint,
            done=job.done,
            total=job.total,
            stage=job.stage,
            counts=job.counts,
            attempts=job.attempts,
            heartbeat_at=timezone.now(),
        )
        self._beat_at = time.monotonic()

    def _update(self, **values: Any) -> None:
        if not Job.objects.filter(pk=self.job.pk, fence=self._fence, state=Job.State.RUNNING).update(**values):
            raise Overtaken(f"job {self.job.pk}")


JOB_KINDS: dict[str, Callable[[JobRun], None]] = {}
"""By kind; filled by scrm/wiring.py. Runs in the tenant's schema, outside of any transaction."""


def start(
    kind: str,
    by: str = "",
    params: dict[str, Any] | None = None,
    *,
    subject: str = "",
    delay: timedelta = timedelta(0),
) -> Job:
    """A new job of the current tenant, or the one of this kind and subject that is still open."""
    if kind not in JOB_KINDS:
        raise KeyError(f"no such kind of job: {kind}")
    tenant = current_tenant()
    try:
        with transaction.atomic():
            job = Job.objects.create(
                tenant=tenant,
                kind=kind,
                subject=subject,
                requested_by=by[:80],
                params=params or {},
                due_at=timezone.now() + delay,
            )
    except IntegrityError:
        there = Job.objects.filter(tenant=tenant, kind=kind, subject=subject, state__in=OPEN).first()
        if there is None:  # it ended in between
            return start(kind, by, params, subject=subject, delay=delay)
        job = there
    if not delay:  # else the poller finds it when it is due
        enqueue(work, job_id=job.pk)
    return job


def cancel(job: Job, by: str = "") -> None:
    """Ask a job to stop; it does so before its next chunk."""
    Job.objects.filter(pk=job.pk, state__in=OPEN).update(cancel_requested=True, due_at=timezone.now())
    logger.info("job %s (%s): cancel asked by %s", job.pk, job.kind, by)
    enqueue(work, job_id=job.pk)


@shared_task(expires=10, soft_time_limit=110, time_limit=150)
def work(*, job_id: int) -> None:
    """One slice of a job; the message may come twice or never."""
    job = Job.objects.filter(pk=job_id, tenant=current_tenant()).first()
    if job is not None and run_slice(job) and job.state == Job.State.QUEUED and job.due_at <= timezone.now():
        enqueue(work, job_id=job_id)


def waiting() -> list[tuple[str, int]]:
    """Schema and job of all that should be running now: queued, or its worker went away."""
    now = timezone.now()
    stale = Q(state=Job.State.RUNNING) & (Q(heartbeat_at__lt=now - STALE) | Q(heartbeat_at=None))
    jobs = Job.objects.filter(stale | Q(state=Job.State.QUEUED, due_at__lte=now), tenant__status=Tenant.Status.ACTIVE)
    return list(jobs.order_by("due_at").values_list("tenant__schema_name", "pk")[:200])


def run_slice(job: Job, *, seconds: float = SLICE_SECONDS) -> bool:
    """Run a job for a while; False when another worker has it or it is not open any more."""
    with alone_with(LOCK_SPACE, f"job:{job.pk}") as mine:
        if not mine or not _take_up(job):
            return False
        _run(job, JobRun(job, seconds=seconds))
    return True


def run_to_end(job: Job, *, patience: float = 3600.0) -> Job:
    """Run a job here until it ends, for commands and tests. A job that a worker holds is waited for.

    Raises JobFailed when it ends otherwise than done.
    """
    end = time.monotonic() + patience
    while job.state in OPEN:
        if not run_slice(job):
            time.sleep(0.2)
        elif job.state == Job.State.QUEUED:
            time.sleep(max(0.0, min((job.due_at - timezone.now()).total_seconds(), 30.0)))
        if time.monotonic() > end:
            raise JobFailed(f"{job.kind} is not done after {patience:.0f} s; it goes on in the background")
        job.refresh_from_db()
    if job.state != Job.State.DONE:
        raise JobFailed(f"{job.kind} {job.state}: {job.error}" if job.error else f"{job.kind} {job.state}")
    return job


def _take_up(job: Job) -> bool:
    now = timezone.now()
    with transaction.atomic():
        row = Job.objects.select_for_update().get(pk=job.pk)
        if row.state not in OPEN or (row.state == Job.State.QUEUED and row.due_at > now):
            _refresh(job)
            return False
        row.state, row.heartbeat_at, row.fence = Job.State.RUNNING, now, row.fence + 1
        row.started_at = row.started_at or now
        row.save(update_fields=["state", "heartbeat_at", "fence", "started_at"])
    _refresh(job)
    return True


def _run(job: Job, run: JobRun) -> None:
    try:
        if job.cancel_requested:
            raise Cancelled
        JOB_KINDS[job.kind](run)
    except SliceOver:
        _end_slice(run, Job.State.QUEUED, due_at=timezone.now())
    except Cancelled:
        _end_slice(run, Job.State.CANCELLED)
    except Overtaken:
        logger.warning("job %s (%s) was taken up by another worker", job.pk, job.kind)
    except (WeComUnavailable, WeComUnknown) as error:
        _later(run, error, patient=True)
    except WeComMisconfigured as error:
        _end_slice(run, Job.State.FAILED, error=str(error))
    except (OperationalError, InterfaceError) as error:
        logger.warning("job %s (%s): the database went away: %s", job.pk, job.kind, error)
        connection.close()
        _later(run, error, patient=True)
    except Exception as error:
        logger.exception("job %s (%s) met a fault", job.pk, job.kind)
        _later(run, error, patient=False)
    else:
        _end_slice(run, Job.State.DONE)
    _refresh(job)


def _later(run: JobRun, error: Exception, *, patient: bool) -> None:
    """Again by the schedule of retries; `attempts` counts from the last checkpoint, so progress makes it start anew."""
    attempts = run.job.attempts + 1
    text = f"{type(error).__name__}: {error}"[:500]
    if attempts >= (len(DELAYS) if patient else OWN_FAULTS):
        _end_slice(run, Job.State.FAILED, attempts=attempts, error=text)
        return
    due_at = timezone.now() + timedelta(seconds=random.uniform(0.5, 1) * DELAYS[attempts - 1])
    _end_slice(run, Job.State.QUEUED, attempts=attempts, due_at=due_at, error=text)


def _end_slice(run: JobRun, state: str, **values: Any) -> None:
    if state in (Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED):
        values["finished_at"] = timezone.now()
    if state == Job.State.DONE:
        values["error"] = ""
    try:
        run._update(state=state, **values)
    except Overtaken:
        logger.warning("job %s was taken up by another worker", run.job.pk)


def _refresh(job: Job) -> None:
    job.refresh_from_db()
