"""A plan as it is edited: a draft beside the published version, published as a new one, tried before it runs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Follow, FollowTag, Tag, TimelineEntry
from content import messages
from members.models import Staff
from sop import exits, rules, timing
from sop.enrol import newest
from sop.models import Plan, PlanVersion, Step
from tagging import segments
from tagging.models import Segment, SegmentMember

MOST_STEPS = 30
CLOSE = timedelta(minutes=30)
"""Two steps nearer than this are one disturbance too many: the editor says so."""

HISTORY = 30
MOST_BEGINS = 5000
COPIED = ("no", "day", "at", "after_minutes", "workdays_only", "title", "content", "valid_hours")


@transaction.atomic
def create(*, name: str, trigger: dict[str, Any], exits: dict[str, Any], by: str) -> Plan:
    plan = Plan(created_by=by)
    _name(plan, name)
    plan.save()
    PlanVersion.objects.create(plan=plan, number=1, trigger=trigger, exits=exits, created_by=by)
    return plan


def _name(plan: Plan, name: str) -> None:
    name = name.strip()
    if not name:
        raise ValidationError({"name": _("请填写 SOP 名称")})
    if Plan.objects.filter(name=name, archived_at=None).exclude(pk=plan.pk).exists():
        raise ValidationError({"name": _("已有同名的 SOP")})
    plan.name = name


@transaction.atomic
def change(plan: Plan, *, name: str, trigger: dict[str, Any], exits: dict[str, Any], by: str) -> None:
    """The name holds at once; when it begins and ends is part of the draft."""
    _name(plan, name)
    plan.save(update_fields=["name", "updated_at"])
    draft = draft_of(plan, by=by)
    draft.trigger, draft.exits = trigger, exits
    draft.save(update_fields=["trigger", "exits"])


def stored_draft(plan: Plan) -> PlanVersion | None:
    return plan.versions.filter(published_at=None).order_by("-number").first()


@transaction.atomic
def draft_of(plan: Plan, *, by: str) -> PlanVersion:
    """What is edited: the draft, begun as a copy of what is published."""
    Plan.objects.select_for_update().get(pk=plan.pk)
    if (found := stored_draft(plan)) is not None:
        return found
    last = newest(plan)
    if last is None:
        return PlanVersion.objects.create(plan=plan, number=1, trigger={"on": "added"}, created_by=by)
    trigger = {name: value for name, value in last.trigger.items() if name != "after"}
    draft = PlanVersion.objects.create(
        plan=plan, number=last.number + 1, trigger=trigger, exits=last.exits, created_by=by
    )
    Step.objects.bulk_create(
        Step(version=draft, **{name: getattr(step, name) for name in COPIED}) for step in last.steps.order_by("no")
    )
    return draft


@transaction.atomic
def save_step(plan: Plan, step: Step, *, by: str) -> Step:
    """Into the draft, in the order of time. A step of the published version is changed in its copy."""
    draft = draft_of(plan, by=by)
    if step.pk is None:
        if draft.steps.count() >= MOST_STEPS:
            raise ValidationError(_("一个 SOP 最多 %(n)d 个步骤") % {"n": MOST_STEPS})
        step.version, step.no = draft, (draft.steps.aggregate(last=Max("no"))["last"] or 0) + 1
        step.save()
    else:
        step = in_draft(draft, step)
        step.save()
    put_in_order(draft)
    return step


def in_draft(draft: PlanVersion, step: Step) -> Step:
    """The draft's own row for a step that may be of the published version, with the values of that one."""
    if step.version_id == draft.pk:
        return step
    own = draft.steps.get(no=step.no)
    for name in COPIED:
        setattr(own, name, getattr(step, name))
    return own


@transaction.atomic
def drop_step(plan: Plan, step: Step, *, by: str) -> None:
    draft = draft_of(plan, by=by)
    draft.steps.filter(no=step.no).delete()
    put_in_order(draft)


def put_in_order(draft: PlanVersion) -> None:
    """Numbers follow the time of the steps, counted from a beginning at midnight."""
    rows = sorted(draft.steps.all(), key=lambda step: (_minutes(step), step.no))
    for number, row in enumerate(rows, start=1):
        row.no = 1000 + number  # out of the way of the numbers in use
    Step.objects.bulk_update(rows, ["no"])
    for number, row in enumerate(rows, start=1):
        row.no = number
    Step.objects.bulk_update(rows, ["no"])


def _minutes(step: Step) -> int:
    if step.after_minutes is not None:
        return step.after_minutes
    return (step.day or 0) * 1440 + (step.at.hour * 60 + step.at.minute if step.at else 0)


def close_steps(version: PlanVersion) -> list[tuple[Step, Step]]:
    """Neighbours that reach the same customer within half an hour."""
    rows = [step for step in version.steps.order_by("no") if step.after_minutes is None]
    minutes = [(_minutes(step), step) for step in rows]
    pairs = pairwise(minutes)
    return [(one, other) for (at, one), (later, other) in pairs if timedelta(minutes=later - at) < CLOSE]


@transaction.atomic
def publish(plan: Plan, *, by: str) -> PlanVersion:
    """The draft becomes the version that new customers enter; those on the way stay on theirs."""
    Plan.objects.select_for_update().get(pk=plan.pk)  # nobody edits the draft in the meantime
    draft = stored_draft(plan)
    if draft is None:
        raise ValidationError(_("没有需要发布的修改"))
    if not draft.steps.exists():
        raise ValidationError(_("请先添加步骤"))
    check_trigger(draft.trigger)
    for step in draft.steps.order_by("no"):
        messages.refuse_deleted(step.content)
    draft.published_at = timezone.now()
    draft.save(update_fields=["published_at"])
    plan.trigger = draft.trigger.get("on", "")
    plan.save(update_fields=["trigger", "updated_at"])
    for step in draft.steps.all():
        messages.want(step.content)
    if plan.enabled:
        _begin_to_watch(draft)
    return draft


def check_trigger(trigger: dict[str, Any]) -> None:
    """What the beginning rests on must still be there."""
    on = trigger.get("on")
    if on == "tag" and not Tag.objects.filter(pk__in=trigger.get("tags", []), deleted_at=None).exists():
        raise ValidationError(_("触发标签已被删除，请重新选择"))
    if on == "segment" and not Segment.objects.filter(pk=trigger.get("segment") or 0, archived_at=None).exists():
        raise ValidationError(_("触发的人群包已被删除，请重新选择"))


@transaction.atomic
def switch(plan: Plan, *, on: bool) -> None:
    """On: what happens from now on enters. Off: nobody enters any more, who is on the way goes on."""
    version = newest(plan)
    if on and version is None:
        raise ValidationError(_("请先发布 SOP"))
    if on and version is not None:
        check_trigger(version.trigger)
        for step in version.steps.order_by("no"):
            messages.refuse_deleted(step.content)
        _begin_to_watch(version)
    plan.enabled = on
    plan.save(update_fields=["enabled", "updated_at"])


def _begin_to_watch(version: PlanVersion) -> None:
    """Tags and segments tell of what is new from here on: who was in before does not enter."""
    if version.trigger.get("on") == "tag":
        last = FollowTag.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        version.trigger = {**version.trigger, "after": last}
        version.save(update_fields=["trigger"])
    if version.trigger.get("on") == "segment":
        segments.watch(Segment.objects.get(pk=version.trigger["segment"]))


@transaction.atomic
def archive(plan: Plan, *, by: str) -> int:
    """Put away; who is on the way leaves. How many those were."""
    plan.archived_at, plan.enabled = timezone.now(), False
    plan.save(update_fields=["archived_at", "enabled", "updated_at"])
    return exits.plan_archived(plan.pk, by=by)


def restore(plan: Plan) -> None:
    _name(plan, plan.name)
    plan.archived_at = None
    plan.save(update_fields=["archived_at", "updated_at"])


# -- tried before ------------------------------------------------------------------------------------------------------


def simulate(version: PlanVersion, begun: datetime) -> list[tuple[Step, timing.Fall]]:
    """When each step would fall due for a customer of that moment who is in no other plan."""
    return timing.course(version.steps.order_by("no"), begun, timezone.get_current_timezone(), rules.pace())


@dataclass
class DryRun:
    """What the plan would have made of the last days."""

    customers: int = 0
    actions: int = 0
    exited: int = 0  # actions that a lost friendship spared
    of: Counter[int] = field(default_factory=Counter)  # actions by staff
    days: Counter[tuple[int, date]] = field(default_factory=Counter)
    names: dict[int, str] = field(default_factory=dict)
    cut: bool = False  # more than are looked at

    @property
    def staff(self) -> int:
        return len(self.of)

    @property
    def most(self) -> tuple[int, str, date] | None:
        """The busiest day of anybody."""
        if not self.days:
            return None
        (pk, day), number = max(self.days.items(), key=lambda one: (one[1], one[0][1]))
        return number, self.names.get(pk, ""), day

    @property
    def rows(self) -> list[dict[str, Any]]:
        """By staff, who has most first."""
        return [
            {
                "staff": self.names.get(pk, ""),
                "actions": number,
                "most": max(many for (who, _day), many in self.days.items() if who == pk),
            }
            for pk, number in self.of.most_common(20)
        ]


def dry_run(version: PlanVersion, operator: Any = None, *, days: int = HISTORY, now: datetime | None = None) -> DryRun:
    """The plan over the beginnings of the last days, of the staff one may see. Nothing is written."""
    now, zone, result = now or timezone.now(), timezone.get_current_timezone(), DryRun()
    steps, pace = list(version.steps.order_by("no")), rules.pace()
    begins = list(_begins(version, now - timedelta(days=days), operator))[: MOST_BEGINS + 1]
    result.cut = len(begins) > MOST_BEGINS
    for follow, begun in begins[:MOST_BEGINS]:
        result.customers += 1
        for _step, fall in timing.course(steps, begun, zone, pace):
            if fall.missed or fall.at > now:
                continue
            if follow.ended_at is not None and follow.ended_at <= fall.at:
                result.exited += 1
                continue
            result.actions += 1
            result.of[follow.staff_id] += 1
            result.days[follow.staff_id, fall.at.astimezone(zone).date()] += 1
    result.names = {one.pk: str(one) for one in Staff.objects.filter(pk__in=result.of)}
    return result


def _begins(version: PlanVersion, since: datetime, operator: Any) -> Iterable[tuple[Follow, datetime]]:
    """What would have begun the plan: each customer once, as in earnest, by the newest."""
    trigger = version.trigger
    follows = Follow.objects.filter(half=False)
    if operator is not None:
        follows = follows.visible_to(operator)
    if trigger.get("staff"):
        follows = follows.filter(staff__in=trigger["staff"])
    if trigger.get("on") == "added":
        rows = follows.filter(added_at__gte=since).order_by("customer_id", "-added_at", "-id").distinct("customer_id")
        return [(follow, follow.added_at) for follow in rows[: MOST_BEGINS + 1]]
    times = _times(trigger, since)
    own = follows.filter(customer__in=times).order_by("customer_id", "-added_at", "-id").distinct("customer_id")
    return [(follow, times[follow.customer_id]) for follow in own]


def _times(trigger: dict[str, Any], since: datetime) -> dict[int, datetime]:
    """By customer the last time that it happened."""
    if trigger.get("on") == "segment":
        entered = SegmentMember.objects.filter(segment=trigger.get("segment"), entered_at__gte=since)
        return dict(entered.order_by("entered_at").values_list("customer_id", "entered_at"))
    entries = TimelineEntry.objects.filter(at__gte=since, customer__isnull=False)
    if trigger.get("on") == "stage":
        entries = entries.filter(kind=TimelineEntry.Kind.STAGE_CHANGED, payload__stage=trigger.get("stage"))
        return {customer or 0: at for customer, at in entries.order_by("at").values_list("customer_id", "at")}
    names = set(Tag.objects.filter(pk__in=trigger.get("tags", [])).values_list("name", flat=True))
    put = entries.filter(kind=TimelineEntry.Kind.TAGS_CHANGED).order_by("at")
    told = put.values_list("customer_id", "at", "payload")
    return {customer or 0: at for customer, at, payload in told if names & set(payload.get("added") or ())}
