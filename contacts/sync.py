"""全量同步: a company's staff, tags, customers and groups read from WeCom, as a job that survives any interruption."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from contacts import bulk
from contacts.emptied import in_doubt, read_tags
from contacts.group_sync import close_unlisted, sync_groups
from contacts.harvest import harvest, started_at
from contacts.models import ListedPage
from contacts.models.timeline import TimelineEntry
from contacts.unnamed import name_tags_by_customers
from contacts.vanished import end_vanished
from members.staff_tags import sync_staff_tags
from members.sync import sync_staff
from tenants.current import wecom_client
from tenants.jobs import JobRun

STAGES = ("staff", "tags", "customers", "groups")
SYNC = "sync"

Stage = Callable[[JobRun, dict[str, Any], str], None]


def sync(run: JobRun) -> None:
    """The job `sync`; its parameter `only` names a single stage."""
    run_stages(run, _STAGES, source=TimelineEntry.Source.SYNC)


def run_stages(run: JobRun, stages: dict[str, Stage], *, source: str) -> None:
    """Stage by stage, each one over when the checkpoint says so."""
    checkpoint = run.checkpoint or {"started": timezone.now().isoformat(), "over": []}
    only = run.params.get("only")
    for name, stage in stages.items():
        if name in checkpoint["over"] or (only and name != only):
            continue
        run.proceed()
        run.save(checkpoint, stage=name)
        stage(run, checkpoint, source)
        checkpoint = checkpoint | {"over": [*checkpoint["over"], name]}
        run.save(checkpoint)
    ListedPage.objects.filter(job_id=run.job.pk).delete()


def staff_stage(run: JobRun, checkpoint: dict[str, Any], source: str) -> None:
    """Members first, as tags name them; a job that goes on amid the tags does not read all members again."""
    if "staff_tags" not in checkpoint:
        counts = sync_staff(run.proceed)
        checkpoint = checkpoint | {"staff_tags": {"after": 0}}
        run.save(checkpoint, **counts)
    sync_staff_tags(run, checkpoint)


def tags_stage(run: JobRun, checkpoint: dict[str, Any], source: str) -> None:
    client = wecom_client()
    groups = read_tags(client)
    if doubt := in_doubt(client, groups):
        run.save(tags_in_doubt=doubt)
        return
    counts = bulk.write_tags(groups, at=timezone.now(), emptied=True)
    run.save(tags=sum(len(group.tags) for group in groups), **counts)


def customers_stage(run: JobRun, checkpoint: dict[str, Any], source: str) -> None:
    """Friendships of all who may have customers; then those that vanished, if the listing was complete."""
    userids = wecom_client().follow_user_list()
    progress = harvest(run, checkpoint, userids, source=source)
    refused = set(progress.refused)
    listed = [userid for userid in progress.listed_userids if userid not in refused]
    counts = end_vanished(run.job.pk, listed, before=started_at(checkpoint), source=source)
    named = name_tags_by_customers(wecom_client())
    run.save(staff_refused=len(refused), tags_named=named, **counts)


def groups_stage(run: JobRun, checkpoint: dict[str, Any], source: str) -> None:
    sync_groups(run, checkpoint, wecom_client().follow_user_list(), source=source)
    run.save(groups_closed=close_unlisted(run, before=started_at(checkpoint), source=source))


_STAGES: dict[str, Stage] = {
    "staff": staff_stage,
    "tags": tags_stage,
    "customers": customers_stage,
    "groups": groups_stage,
}
