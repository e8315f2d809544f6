"""Forms of plans, steps and assignments."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.forms import KitForm, PickMany
from contacts.models import Stage, Tag
from contacts.stages import living_stages
from contacts.views import TagsField, living_tags, staff_choices
from content.forms import MessageField
from members import quiet
from members.models import Staff
from members.scope import visible_staff
from sop.models import Assignment, Plan, PlanVersion, Step
from sop.words import TRIGGERS
from tagging.fields import ConditionsField
from tagging.models import Segment

MOST_DAYS = 365


class Picks(PickMany):
    """Open, as nothing picked means something else in each field."""

    folded = False


class StaffField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, staff: Any) -> str:
        return str(staff)


class StagesField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, stage: Any) -> str:
        return stage.name  # type: ignore[no-any-return]


class MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class PlanForm(KitForm):
    name = forms.CharField(label=_("SOP 名称"), max_length=30)
    on = forms.ChoiceField(label=_("什么时候开始"), choices=list(TRIGGERS.items()))
    tags = TagsField(
        Tag.objects.none(), label=_("触发标签"), widget=Picks, required=False,
        help_text=_("打上其中任意一个就开始；启用前已有标签的客户不会进入"),
    )  # fmt: skip
    stage = forms.ModelChoiceField(
        Stage.objects.none(), label=_("触发阶段"), required=False, empty_label=_("请选择"),
    )  # fmt: skip
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("触发人群包"), required=False, empty_label=_("请选择"),
        help_text=_("启用后新进入的客户才开始，最晚 2 分钟"),
    )  # fmt: skip
    staff = StaffField(
        Staff.objects.none(), label=_("限定员工"), widget=PickMany, required=False,
        help_text=_("不选则对所有员工的客户生效"),
    )  # fmt: skip
    exit_tags = TagsField(
        Tag.objects.none(), label=_("打上这些标签时结束"), widget=Picks, required=False,
        help_text=_("好友关系结束时总是结束，不用设置"),
    )  # fmt: skip
    exit_stages = StagesField(Stage.objects.none(), label=_("进入这些阶段时结束"), widget=Picks, required=False)

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tags"].queryset = self.fields["exit_tags"].queryset = living_tags()  # type: ignore[attr-defined]
        stages = living_stages()
        self.fields["stage"].queryset = self.fields["exit_stages"].queryset = stages  # type: ignore[attr-defined]
        self.fields["stage"].label_from_instance = lambda one: one.name  # type: ignore[attr-defined]
        self.fields["segment"].queryset = Segment.objects.filter(archived_at=None).order_by("name")  # type: ignore[attr-defined]
        self.fields["staff"].queryset = staff_choices(operator)  # type: ignore[attr-defined]
        if visible_staff(operator) is not None:  # none would mean the customers of all
            self.fields["staff"].required = True
            self.fields["staff"].help_text = _("请选择您管理范围内的员工，只对他们的客户生效")

    @staticmethod
    def initial_of(plan: Plan, version: PlanVersion) -> dict[str, Any]:
        trigger, exits = version.trigger, version.exits
        return {
            "name": plan.name,
            **{name: trigger.get(name) for name in ("on", "tags", "stage", "segment", "staff")},
            "exit_tags": exits.get("tags"),
            "exit_stages": exits.get("stages"),
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        wanted = {"tag": ("tags", _("请选择触发标签")), "stage": ("stage", _("请选择触发阶段")),
                  "segment": ("segment", _("请选择触发人群包"))}  # fmt: skip
        name, words = wanted.get(values.get("on", ""), ("", ""))
        if name and not values.get(name):
            self.add_error(name, words)
        return values

    def staff_out_of_range(self) -> list[int]:
        """Whom somebody with a wider range chose: who does not see them does not take them out by saving."""
        given = set(self.initial.get("staff") or ())
        rows: Any = self.fields["staff"].queryset  # type: ignore[attr-defined]
        return sorted(given - set(rows.filter(pk__in=given).values_list("pk", flat=True))) if given else []

    @property
    def facts(self) -> dict[str, Any]:
        """As `plans.create` and `plans.change` take them."""
        values = self.cleaned_data
        trigger: dict[str, Any] = {"on": values["on"]}
        if values["on"] == "tag":
            trigger["tags"] = [one.pk for one in values["tags"]]
        elif values["on"] in ("stage", "segment"):
            trigger[values["on"]] = values[values["on"]].pk
        if staff := [one.pk for one in values["staff"]] + self.staff_out_of_range():
            trigger["staff"] = staff
        exits = {"tags": [one.pk for one in values["exit_tags"]], "stages": [one.pk for one in values["exit_stages"]]}
        return {"name": values["name"], "trigger": trigger, "exits": {key: ids for key, ids in exits.items() if ids}}


class StepForm(KitForm):
    title = forms.CharField(label=_("步骤名称"), max_length=40, help_text=_("员工在任务里看到的标题"))
    kind = forms.ChoiceField(label=_("什么时候"), choices=[("day", _("第几天的几点")), ("after", _("开始后多久"))])
    day = forms.IntegerField(
        label=_("第几天"), min_value=0, max_value=MOST_DAYS, required=False, help_text=_("0 是开始当天，1 是第二天")
    )
    at = forms.TimeField(
        label=_("时间"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("22:00–08:00 为免打扰时段，请避开"),
    )  # fmt: skip
    hours = forms.IntegerField(label=_("多少小时后"), min_value=0, max_value=24 * 30, required=False)
    minutes = forms.IntegerField(label=_("多少分钟后"), min_value=0, max_value=59, required=False)
    workdays_only = forms.BooleanField(
        label=_("仅工作日发送"), required=False,
        help_text=_("遇到周末和节假日，顺延到下一个工作日的同一时间；节假日和调休在“发送规则”中填写"),
    )  # fmt: skip
    valid_hours = forms.IntegerField(
        label=_("有效时长（小时）"), min_value=1, max_value=24 * 30, initial=24,
        help_text=_("超过后任务记为已过期；系统故障补发时，超过的也不再生成"),
    )  # fmt: skip
    content = MessageField(
        label=_("发送内容"), use="sidebar", required=False, help_text=_("不填内容则是一项由员工自己标记完成的任务")
    )

    @staticmethod
    def initial_of(step: Step) -> dict[str, Any]:
        hours, minutes = divmod(step.after_minutes or 0, 60)
        return {
            "title": step.title, "kind": "day" if step.after_minutes is None else "after", "day": step.day,
            "at": step.at, "hours": hours, "minutes": minutes, "valid_hours": step.valid_hours,
            "workdays_only": step.workdays_only, "content": step.content,
        }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("kind") == "day":
            for name, words in (("day", _("请填写第几天")), ("at", _("请填写时间"))):
                if values.get(name) is None and name not in self.errors:
                    self.add_error(name, words)
            at = values.get("at")
            if at is not None and quiet.covers(at):
                self.add_error("at", _("22:00–08:00 为免打扰时段，请换一个时间"))
        return values

    def fill(self, step: Step) -> Step:
        values = self.cleaned_data
        step.title, step.valid_hours, step.content = values["title"], values["valid_hours"], values["content"]
        step.workdays_only = values["workdays_only"]
        if values["kind"] == "day":
            step.day, step.at, step.after_minutes = values["day"], values["at"], None
        else:
            step.day = step.at = None
            step.after_minutes = (values["hours"] or 0) * 60 + (values["minutes"] or 0)
        return step


class SimulateForm(KitForm):
    at = forms.DateTimeField(label=_("假设客户这时开始"), widget=MomentInput())


class AssignmentForm(KitForm):
    title = forms.CharField(label=_("任务名称"), max_length=40)
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("发给人群包"), required=False, empty_label=_("不用人群包，在下面选条件")
    )
    tree = ConditionsField(label=_("或者按条件选择客户"), required=False)
    staff = StaffField(
        Staff.objects.none(), label=_("限定员工"), widget=PickMany, required=False,
        help_text=_("不选则由客户最近添加的好友员工完成；每位客户只生成一项任务"),
    )  # fmt: skip
    content = MessageField(label=_("发送内容"), use="sidebar")
    starts_at = forms.DateTimeField(label=_("开始时间"), widget=MomentInput())
    ends_at = forms.DateTimeField(label=_("截止时间"), widget=MomentInput())
    target = forms.IntegerField(label=_("目标完成率（%）"), min_value=1, max_value=100, initial=100)

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tree"].of(operator)  # type: ignore[attr-defined]
        self.fields["segment"].queryset = Segment.objects.filter(archived_at=None).order_by("name")  # type: ignore[attr-defined]
        self.fields["staff"].queryset = staff_choices(operator)  # type: ignore[attr-defined]

    @staticmethod
    def initial_of(assignment: Assignment | None = None) -> dict[str, Any]:
        if assignment is None:
            return {"starts_at": _next_hour(), "ends_at": _next_hour() + timedelta(days=2), "target": 100}
        names = ("title", "segment", "tree", "content", "starts_at", "ends_at", "target")
        return {**{name: getattr(assignment, name) for name in names}, "staff": assignment.staff_ids}

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not values.get("segment") and not values.get("tree") and "tree" not in self.errors:
            self.add_error("segment", _("请选择人群包，或者添加条件"))
        return values

    def fill(self, assignment: Assignment) -> Assignment:
        values = self.cleaned_data
        for name in ("title", "segment", "content", "starts_at", "ends_at", "target"):
            setattr(assignment, name, values[name])
        assignment.tree = {} if values["segment"] else values["tree"]
        assignment.staff_ids = [one.pk for one in values["staff"]]
        return assignment


def _next_hour() -> datetime:
    return timezone.localtime().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
