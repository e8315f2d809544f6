"""批量打标签: the friendships are fixed first, then WeCom is told of one after the other, and each can be taken back.

A run is resumable anywhere: what is left to do are its planned items, and each item's call has a key of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from contacts.models import Follow, FollowTag, Tag, TimelineEntry
from tagging import gone as gone_tags
from tagging.marking import change_tags
from tagging.models import TagRun, TagRunItem
from tenants import jobs, outbox
from tenants.current import current_tenant
from tenants.jobs import JobRun
from tenants.models import Job, OutgoingCall

KIND = "tag_run"
CHUNK = 50
WITHDRAWN = 500  # calls that are taken back in one transaction
State = TagRunItem.State
OPEN = (State.PLANNED, State.ASKED)

_PLAN = """
INSERT INTO tagging_tagrunitem (run_id, follow_id, state, added, removed, reason)
SELECT %s, chosen.id, 'planned', '{{}}', '{{}}', '' FROM ({follows}) AS chosen ORDER BY chosen.id
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands, by its items."""

    total: int
    counts: dict[str, int]

    @property
    def open(self) -> int:
        return sum(self.counts.get(state, 0) for state in OPEN)

    @property
    def settled(self) -> int:
        return self.total - self.open


def friendships(customers: QuerySet[Any], operator: Any = None, *, staff: Any = None) -> QuerySet[Follow]:
    """The living friendships with these customers, in the operator's range or of one member of staff."""
    rows = Follow.objects.living() if operator is None else Follow.objects.visible_to(operator).living()
    rows = rows.filter(customer__in=customers.order_by().values("pk"))
    return rows if staff is None else rows.filter(staff=staff)


def begin(
    follows: QuerySet[Follow],
    *,
    add: Sequence[Tag] = (),
    remove: Sequence[Tag] = (),
    by: str,
    filters: dict[str, Any] | None = None,
    source: str = TimelineEntry.Source.CONSOLE,
) -> TagRun:
    """Fix the friendships and start. Raises ValidationError in the user's words."""
    refuse_nonsense(add, remove)
    with transaction.atomic():
        run = TagRun.objects.create(
            add=[tag.pk for tag in add],
            remove=[tag.pk for tag in remove],
            filters={**(filters or {}), "source": str(source)},
            by=by[:80],
        )
        if not _plan(run, follows):
            raise ValidationError(_("没有可以打标签的客户：他们都不在员工的好友中"))
        _start(run)
    return run


def undo(run: TagRun, *, by: str) -> TagRun:
    """Another run with the inverse of what each item really changed."""
    if TagRun.objects.filter(undo_of=run).exists():
        raise ValidationError(_("这次操作已经撤销过"))
    if run.undo_of_id is not None:
        raise ValidationError(_("撤销操作本身不能再撤销，请重新打标签"))
    if progress(run).open:
        raise ValidationError(_("还有客户没有处理完，请等待完成或先停止"))
    changed = TagRunItem.objects.filter(run=run, state=State.DONE).values("follow")
    with transaction.atomic():
        back = TagRun.objects.create(
            add=run.remove,
            remove=run.add,
            undo_of=run,
            by=by[:80],
            filters={"source": str(TimelineEntry.Source.CONSOLE)},
        )
        if not _plan(back, Follow.objects.filter(pk__in=changed)):
            raise ValidationError(_("没有需要撤销的改动"))
        _start(back)
    return back


def cancel(run: TagRun, *, by: str) -> int:
    """What has not reached WeCom yet never will; what it has stays, and can be undone."""
    job = Job.objects.filter(pk=run.job_id or 0, tenant=current_tenant()).first()
    if job is not None:
        jobs.cancel(job, by)
    words = _("已由 %(by)s 停止") % {"by": by}
    stopped = TagRunItem.objects.filter(run=run, state=State.PLANNED).update(state=State.CANCELLED, reason=words)
    asked = list(TagRunItem.objects.filter(run=run, state=State.ASKED).values_list("follow", flat=True))
    keys = [_key(run, follow) for follow in asked]
    for start in range(0, len(keys), WITHDRAWN):
        stopped += outbox.withdraw(keys[start : start + WITHDRAWN], by=by, reason=words)
    return stopped


def resume(run: TagRun) -> None:
    """Go on with what a job that failed has left."""
    if TagRunItem.objects.filter(run=run, state=State.PLANNED).exists():
        _start(run)


def progress(run: TagRun) -> Progress:
    return progress_of([run])[run.pk]


def progress_of(runs: Iterable[TagRun]) -> dict[int, Progress]:
    """Of the runs of a page, in one statement."""
    counts: dict[int, dict[str, int]] = {run.pk: {} for run in runs}
    items = TagRunItem.objects.filter(run__in=counts).order_by().values_list("run", "state")
    for pk, state, number in items.annotate(n=Count("id")):
        counts[pk][state] = number
    return {pk: Progress(sum(found.values()), found) for pk, found in counts.items()}


def refuse_nonsense(add: Sequence[Tag], remove: Sequence[Tag]) -> None:
    """What no friendship could be asked for."""
    if not add and not remove:
        raise ValidationError(_("请至少选择一个标签"))
    if any(not tag.group.wecom_id for tag in (*add, *remove)):
        raise ValidationError(_("规则组标签只能在企业微信中修改"))
    taken = {tag.pk for tag in remove}
    if both := next((tag for tag in add if tag.pk in taken), None):
        raise ValidationError(_("标签“%(name)s”不能同时添加和移除") % {"name": both.name})


def _plan(run: TagRun, follows: QuerySet[Follow]) -> int:
    """All items by one statement: whoever comes to match the list later is not part of the run."""
    try:
        sql, params = follows.order_by().values("id").query.sql_with_params()
    except EmptyResultSet:  # Django sees that nobody can match
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_PLAN.format(follows=sql), [run.pk, *params])
        return int(cursor.rowcount)


def _start(run: TagRun) -> None:
    job = jobs.start(KIND, by=run.by, params={"run": run.pk}, subject=str(run.pk))
    TagRun.objects.filter(pk=run.pk).update(job_id=job.pk)
    run.job_id = job.pk


def _key(run: TagRun, follow: object) -> str:
    return f"mark_tag:run:{run.pk}:{follow}"


# -- the job -----------------------------------------------------------------------------------------------------------


def carry_out(job: JobRun) -> None:
    """Posts one call for each planned item. WeCom's budgets pace the sending, behind all that somebody waits for."""
    run = TagRun.objects.get(pk=job.params["run"])
    total = TagRunItem.objects.filter(run=run).count()
    while True:
        job.proceed()
        with transaction.atomic():
            planned = TagRunItem.objects.select_for_update(skip_locked=True).filter(run=run, state=State.PLANNED)
            ids = list(planned.order_by("id").values_list("pk", flat=True)[:CHUNK])
            _ask(run, ids)
            left = TagRunItem.objects.filter(run=run, state=State.PLANNED).count()
            job.save(done=total - left, total=total)
        if not ids:
            return


def _ask(run: TagRun, ids: Sequence[int]) -> None:
    items = TagRunItem.objects.filter(pk__in=ids).select_related("follow__staff", "follow__customer").order_by("id")
    wishes = _wishes(run, [item.follow_id for item in items])
    keys = {key for add, remove in wishes.values() for key in (*add, *remove)}
    living = Tag.objects.filter(deleted_at=None, group__deleted_at=None).select_related("group").in_bulk(keys)
    carried: dict[int, set[int]] = {}
    for follow, tag in FollowTag.objects.filter(follow__in=wishes).values_list("follow", "tag"):
        carried.setdefault(follow, set()).add(tag)
    for item in items:
        add, remove = wishes[item.follow_id]
        has = carried.get(item.follow_id, set())
        _ask_one(run, item, [pk for pk in add if pk not in has], [pk for pk in remove if pk in has], living)


def _wishes(run: TagRun, follows: Sequence[int]) -> dict[int, tuple[list[int], list[int]]]:
    """What each friendship is asked for; an undo takes back what was really changed on it."""
    if run.undo_of_id is None:
        return dict.fromkeys(follows, (run.add, run.remove))
    changed = TagRunItem.objects.filter(run=run.undo_of_id, follow__in=follows)
    return {pk: (removed, added) for pk, added, removed in changed.values_list("follow", "added", "removed")}


def _ask_one(run: TagRun, item: TagRunItem, add: list[int], remove: list[int], living: dict[int, Tag]) -> None:
    wanted = [living[pk] for pk in add if pk in living], [living[pk] for pk in remove if pk in living]
    gone = [pk for pk in (*add, *remove) if pk not in living]
    if not add and not remove:
        item.state = State.UNCHANGED
    elif not any(wanted):
        item.state, item.reason = State.FAILED, gone_tags.in_words(gone, alone=True)[:200]
    else:
        try:
            change_tags(
                item.follow,
                add=wanted[0],
                remove=wanted[1],
                by=run.by,
                source=run.filters.get("source", TimelineEntry.Source.CONSOLE),
                key=_key(run, item.follow_id).removeprefix("mark_tag:"),
                item=item.pk,
                gone=gone,
                priority=OutgoingCall.Priority.BACKFILL,
            )
            item.state = State.ASKED
        except ValidationError as error:
            item.state, item.reason = State.FAILED, " ".join(error.messages)[:200]
    item.save(update_fields=["state", "reason"])
