"""Why something of a plan ended, when a plan begins, and when a step falls due: in words."""

from typing import Any

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from contacts.models import Stage, Tag
from members.models import Staff
from sop.pace import Pace
from sop.timing import When
from tagging.models import Segment

REASONS: dict[str, Any] = {
    "customer": _("客户已删除员工"),
    "staff": _("员工已删除客户"),
    "vanished": _("好友关系已不存在"),
    "transfer": _("客户已转交，没有接手的好友"),
    "half": _("员工还没有通过好友"),
    "tag": _("客户已有结束标签"),
    "stage": _("客户已到结束阶段"),
    "archived": _("SOP 已删除"),
    "staff_left": _("员工已离职，没有接手的好友"),
    "manual": _("由操作员移出"),
    "api": _("由接口移出"),
    "before": _("开始时已过这个时间"),
    "late": _("超过有效时长"),
    "moved": _("避开免打扰时段或因故顺延"),
    "workday": _("避开休息日顺延"),
    "crowded": _("客户收到的已达上限，顺延"),
    "no_room": _("客户收到的已达上限，14 天内没有空位"),
    "exited": _("客户已退出 SOP"),
    "version": _("已换到新版本"),
    "stopped": _("任务已停止"),
}
TRIGGERS: dict[str, Any] = {
    "added": _("添加好友"),
    "tag": _("打上标签"),
    "stage": _("进入客户阶段"),
    "segment": _("进入人群包"),
}


def reason_words(reason: str) -> str:
    return str(REASONS.get(reason, reason))


def when_words(step: When) -> str:
    """第 1 天 09:00, or 30 分钟后."""
    return _now("%(when)s（仅工作日）") % {"when": _when(step)} if step.workdays_only else _when(step)


def _when(step: When) -> str:
    if step.after_minutes is None:
        at = f"{step.at:%H:%M}"
        return (
            _now("当天 %(at)s") % {"at": at} if not step.day else _now("第 %(n)d 天 %(at)s") % {"n": step.day, "at": at}
        )
    if not step.after_minutes:
        return _now("立即")
    hours, minutes = divmod(step.after_minutes, 60)
    if hours and not minutes and hours % 24 == 0:
        return _now("%(n)d 天后") % {"n": hours // 24}
    if hours and minutes:
        return _now("%(h)d 小时 %(m)d 分钟后") % {"h": hours, "m": minutes}
    return _now("%(h)d 小时后") % {"h": hours} if hours else _now("%(m)d 分钟后") % {"m": minutes}


def pace_words(pace: Pace) -> str:
    """Empty where the company set no limits."""
    day, week = pace.per_day, pace.per_week
    if day and week:
        most = _now("每位客户每天最多 %(day)d 条、每周最多 %(week)d 条") % {"day": day, "week": week}
    elif day:
        most = _now("每位客户每天最多 %(day)d 条") % {"day": day}
    elif week:
        most = _now("每位客户每周最多 %(week)d 条") % {"week": week}
    else:
        return ""
    said = _now("%(most)s，所有 SOP、总部任务和收到的群发合计；已满时 SOP 顺延，14 天内没有空位则跳过。")
    return said % {"most": most}


class Vocabulary:
    """What the triggers and exits of some versions name, looked up together."""

    def __init__(self, versions: list[Any]) -> None:
        facts = [part for one in versions for part in (one.trigger, one.exits) if isinstance(part, dict)]
        self.tags = _names(Tag, [pk for one in facts for pk in _ids(one.get("tags"))])
        stages = [pk for one in facts for pk in [*_ids(one.get("stages")), *_ids([one.get("stage")])]]
        self.stages = _names(Stage, stages)
        self.segments = _names(Segment, [pk for one in facts for pk in _ids([one.get("segment")])])
        self.staff = _names(Staff, [pk for one in facts for pk in _ids(one.get("staff"))])

    def trigger(self, trigger: dict[str, Any]) -> str:
        on = trigger.get("on")
        if on == "tag":
            words = _now("打上标签：%(names)s") % {"names": self._join(self.tags, trigger.get("tags"))}
        elif on == "stage":
            words = _now("进入阶段：%(names)s") % {"names": self._join(self.stages, [trigger.get("stage")])}
        elif on == "segment":
            words = _now("进入人群包：%(names)s") % {"names": self._join(self.segments, [trigger.get("segment")])}
        else:
            words = _now("员工与客户成为好友")
        if staff := _ids(trigger.get("staff")):
            words += _now("（限员工：%(names)s）") % {"names": self._join(self.staff, staff)}
        return words

    def exits(self, exits: dict[str, Any]) -> list[str]:
        """Those that always hold are said too."""
        words = [_now("好友关系结束")]
        if tags := _ids(exits.get("tags")):
            words.append(_now("打上标签：%(names)s") % {"names": self._join(self.tags, tags)})
        if stages := _ids(exits.get("stages")):
            words.append(_now("进入阶段：%(names)s") % {"names": self._join(self.stages, stages)})
        return words

    @staticmethod
    def _join(names: dict[int, str], ids: Any) -> str:
        return _now("、").join(names.get(pk, _now("已删除")) for pk in _ids(ids))


def _ids(given: Any) -> list[int]:
    return [one for one in given if isinstance(one, int)] if isinstance(given, list) else []


def _names(model: Any, ids: list[int]) -> dict[int, str]:
    return {pk: str(row) for pk, row in model.objects.in_bulk(ids).items()} if ids else {}
