"""The month on the home page: who came, who left, what staff did, day by day."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.charts import DayChart, Series
from contacts.daily import last_days, per_day
from contacts.models import Follow
from members.scope import visible_staff
from sop.models import StaffTask

DAYS = 30


def friendships_by_day(operator: Any) -> DayChart:
    """Friendships that began and ended; a point opens the list of its day."""
    days = last_days(DAYS)
    follows = Follow.objects.visible_to(operator)
    added, lost = per_day(follows, "added_at", days), per_day(follows, "ended_at", days)
    came = f"{reverse('contacts:friendships')}?added_from={{day}}&added_to={{day}}"
    went = f"{reverse('contacts:losses')}?ended_from={{day}}&ended_to={{day}}"
    net = [one - other for one, other in zip(added, lost, strict=True)]
    series = [Series(_("新增好友关系"), added, came), Series(_("流失"), lost, went), Series(_("净增"), net)]
    return DayChart(_("最近 30 天客户增减"), days, series)


def tasks_by_day(operator: Any) -> DayChart:
    """Tasks that staff finished."""
    days = last_days(DAYS)
    done = StaffTask.objects.filter(state=StaffTask.State.DONE)
    if (seen := visible_staff(operator)) is not None:
        done = done.filter(staff__in=seen.values("pk"))
    counts = per_day(done, "settled_at", days)
    of_day = f"{reverse('sop:tasks')}?state=done&done_from={{day}}&done_to={{day}}"
    return DayChart(_("最近 30 天完成的任务"), days, [Series(_("完成任务"), counts, of_day, shape="bar")])
