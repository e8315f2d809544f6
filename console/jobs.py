"""How a long job is told while it runs: words for its kind and stage, a part that asks again every two seconds."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.models import Job

JOB_NAMES: dict[str, Any] = {}  # kind or stage → words; filled by scrm/wiring.py
JOB_GAPS: list[Callable[[Job], Iterable[tuple[Any, Any]]]] = []  # cause and fix of what a job could not do; as above
OPEN = (Job.State.QUEUED, Job.State.RUNNING)
SILENT = timedelta(seconds=90)  # a running job that says nothing for so long has lost its worker


def told(job: Job) -> dict[str, Any]:
    """The context of `console/kit/job.html`."""
    is_open = job.state in OPEN
    silent = job.state == Job.State.RUNNING and (job.heartbeat_at is None or timezone.now() - job.heartbeat_at > SILENT)
    return {
        "job": job,
        "name": JOB_NAMES.get(job.kind, job.kind),
        "stage": JOB_NAMES.get(job.stage, job.stage),
        "is_open": is_open,
        "note": _("执行进程没有响应，将自动从断点继续") if silent else time_left(job) if is_open else "",
        "counts": [(JOB_NAMES[key], value) for key, value in job.counts.items() if key in JOB_NAMES],
        "gaps": [words for gaps in JOB_GAPS for words in gaps(job)],
    }


def time_left(job: Job) -> str:
    """An honest guess, and none before there is something to guess from."""
    if not (job.started_at and job.total and job.done):
        return ""
    spent = (timezone.now() - job.started_at).total_seconds()
    seconds = spent / job.done * max(0, job.total - job.done)
    if spent < 5 or seconds < 1:
        return ""
    return (
        _("预计还需 %(n)d 秒") % {"n": seconds}
        if seconds < 90
        else _("预计还需 %(n)d 分钟") % {"n": round(seconds / 60)}
    )
