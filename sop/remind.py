"""Cards that tell staff of their tasks: one for a burst, never in quiet hours. 催办, and whose customers nobody has."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from members import quiet, reach
from members.models import Staff
from sop.models import StaffTask
from tenants import due
from tenants.current import current_tenant
from tenants.models import OutgoingCall

DIGEST = "sop.digest"
"""The kind of the due rows of reminders; their ref is the member of staff."""

SETTLES = timedelta(seconds=20)
"""A burst of tasks has this long to be complete before its card goes out."""

APART = timedelta(minutes=10)
NAMED = 4
MOST_A_DAY = 3
PAGE = "/sidebar/today/"


def soon(staff_ids: Iterable[int], *, at: object = None) -> None:
    """A card for each of them about what is new, together with whatever comes until then."""
    ids = set(staff_ids)
    ids -= due.waiting(DIGEST, ids)
    if not ids:
        return
    now, zone = timezone.now(), timezone.get_current_timezone()
    told = StaffTask.objects.filter(staff__in=ids, reminded_at__gte=now - APART)
    last = dict(told.values_list("staff_id").annotate(last=Max("reminded_at")))
    times = {pk: max(now + SETTLES, last[pk] + APART) if pk in last else now + SETTLES for pk in ids}
    due.put(DIGEST, {pk: quiet.awake(one, zone) for pk, one in times.items()})


def tell_due(staff_ids: list[int]) -> None:
    """The handler of the due index: one card about all tasks that nobody was told of yet."""
    now, zone = timezone.now(), timezone.get_current_timezone()
    if quiet.is_quiet(now, zone):
        due.put(DIGEST, dict.fromkeys(staff_ids, quiet.next_window(now, zone)))
        return
    rows = StaffTask.objects.filter(
        staff__in=staff_ids, state=StaffTask.State.OPEN, reminded_at=None, starts_at__lte=now, ends_at__gt=now
    ).select_related("staff", "customer")
    tasks: dict[int, list[StaffTask]] = {}
    for task in rows.order_by("ends_at", "id"):
        tasks.setdefault(task.staff_id, []).append(task)
    for own in tasks.values():
        _tell(own[0].staff, own, key=f"{own[0].staff_id}:{max(task.pk for task in own)}")
    StaffTask.objects.filter(pk__in=[task.pk for own in tasks.values() for task in own]).update(reminded_at=now)


def _tell(staff: Staff, tasks: list[StaffTask], *, key: str, urged: int = 0) -> None:
    """`urged`: how often today; in words, as WeCom drops a card that is equal to one of the last half hour."""
    with override(settings.LANGUAGE_CODE):
        words = _("您有 %(n)d 项任务待完成")
        if urged:
            words = _("今天第 %(urged)d 次催办：%(n)d 项任务待完成，请尽快完成")
        lines = [_("%(title)s · %(who)s") % {"title": task.title, "who": task.customer or ""} for task in tasks[:NAMED]]
        if len(tasks) > NAMED:
            lines.append(_("还有 %(n)d 项") % {"n": len(tasks) - NAMED})
        title = words % {"n": len(tasks), "urged": urged}
        reach.tell([staff], title=title, text="\n".join(lines), url=PAGE, key=key, kind="task")


def urge(staff: Staff, *, by: str) -> int:
    """催办: the open tasks of one member again, at most three times a day. Raises ValidationError in words."""
    now = timezone.now()
    if not reach.can_be_told(staff):
        raise ValidationError(_("%(name)s 不在应用可见范围内，收不到提醒") % {"name": staff})
    tasks = StaffTask.objects.filter(staff=staff, state=StaffTask.State.OPEN, starts_at__lte=now, ends_at__gt=now)
    rows = list(tasks.select_related("customer").order_by("ends_at", "id"))
    if not rows:
        raise ValidationError(_("%(name)s 没有待完成的任务") % {"name": staff})
    start = f"urge:{staff.pk}:{timezone.localdate():%Y%m%d}"
    sent = OutgoingCall.objects.filter(tenant=current_tenant(), idem_key__startswith=f"tell:task:{start}:").count()
    if sent >= MOST_A_DAY:
        raise ValidationError(_("今天已经催办 %(name)s %(n)d 次，明天再试") % {"name": staff, "n": MOST_A_DAY})
    _tell(staff, rows, key=f"{start}:{sent + 1}", urged=sent + 1)
    return len(rows)


def nobody_writes(left: Iterable[Staff]) -> None:
    """Customers in a plan whose friend has left: who leads that member is told, once a day."""
    gone = [one for one in left if one.left_at is not None]
    managers = reach.managers_of(gone) if gone else {}
    with override(settings.LANGUAGE_CODE):
        for one in gone:
            if one.pk in managers:
                reach.tell(
                    [managers[one.pk]],
                    title=_("%(name)s 已离职，客户没有人接手") % {"name": one},
                    text=_("SOP 步骤已暂停。请在企业微信中分配离职员工的客户，分配后自动继续，7 天内没有接手则过期。"),
                    url=reach.page_for(managers[one.pk], "/console/tasks/"),
                    key=f"ownerless:{one.pk}:{timezone.localdate():%Y%m%d}",
                    kind="task",
                )
