"""Starting the long jobs of this app and waiting for their end, as the commands do."""

from typing import Any

from contacts.reconcile import RECONCILE, reconcile
from contacts.sync import SYNC, sync
from tenants import jobs
from tenants.isolation import NoTenant
from tenants.models import Job, Tenant
from tenants.provision import Refused

KINDS = {SYNC: sync, RECONCILE: reconcile}  # for tenants.jobs.JOB_KINDS


def run_now(schema: str, kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run a job of this tenant to its end here; an open one of the kind is joined."""
    tenant = Tenant.objects.exclude(schema_name="public").filter(schema_name=schema).first()
    if tenant is None:
        raise NoTenant(f"no tenant with schema {schema}")
    with tenant:
        job = jobs.start(kind, by="command", params=params)
        if job.params != params:
            raise Refused(f"another {kind} is running (since {job.created_at:%H:%M}): wait for it, then try again")
        try:
            job = jobs.run_to_end(job)
        except jobs.JobFailed as error:
            raise Refused(str(error)) from error
    return {"job": job.pk, "state": job.state, "seconds": _seconds(job), "counts": job.counts}


def _seconds(job: Job) -> float:
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return round((job.finished_at - job.started_at).total_seconds(), 1)
