"""超时质检: how long a customer may wait for an answer, and when."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from archive import overdue
from archive.models import Alert, ReplyRule
from console.access import role_required
from console.answers import done
from console.audit import record
from console.days import DaysField, refuse_both, spans
from console.forms import KitModelForm, PickMany

WEEK = [(1, _("周一")), (2, _("周二")), (3, _("周三")), (4, _("周四")), (5, _("周五")), (6, _("周六")), (7, _("周日"))]


class Weekdays(PickMany):
    folded = False


class RuleForm(KitModelForm):
    weekdays = forms.TypedMultipleChoiceField(label=_("工作日"), choices=WEEK, coerce=int, widget=Weekdays)

    holidays = DaysField(
        label=_("节假日"), required=False, max_length=4000, example="2026-10-01 ~ 2026-10-08",
        help_text=_("每行一天或一段，这些日子不算工作时间；与 SOP 的“发送规则”共用同一份"),
    )  # fmt: skip
    workdays = DaysField(
        label=_("调休上班日"), required=False, max_length=4000, example="2026-10-10",
        help_text=_("周末但要上班的日子，每行一天"),
    )  # fmt: skip

    class Meta:
        model = ReplyRule
        fields = ("enabled", "minutes", "weekdays", "from_time", "to_time")
        widgets = {name: forms.TimeInput(attrs={"type": "time"}, format="%H:%M") for name in ("from_time", "to_time")}
        help_texts = {
            "minutes": _("只计算工作时间；客户说“谢谢”“好的”等结束语不算等待"),
            "enabled": _("超时后指派给员工的部门负责人，并发送应用消息"),
        }

    def clean_minutes(self) -> int:
        minutes = int(self.cleaned_data["minutes"])
        if not 1 <= minutes <= 1440:
            raise ValidationError(_("请填写 1–1440 分钟"))
        return minutes

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        start, end = values.get("from_time"), values.get("to_time")
        if start and end and start >= end:
            self.add_error("to_time", _("下班时间要晚于上班时间"))
        refuse_both(self, "workdays", "holidays")
        return values


def the_rule() -> ReplyRule:
    return ReplyRule.objects.filter(only=True).first() or ReplyRule(weekdays=[1, 2, 3, 4, 5])


@transaction.atomic
def keep(form: RuleForm) -> None:
    form.save()
    for calendar in overdue.CALENDAR:
        calendar.keep(form.cleaned_data["holidays"], form.cleaned_data["workdays"])
    overdue.rule_changed()


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def rule(request: HttpRequest) -> HttpResponse:
    off = overdue.days_off()
    form = RuleForm(request.POST or None, instance=the_rule(), initial=off._asdict())
    if request.method == "POST" and form.is_valid():
        keep(form)
        told = form.cleaned_data | {name: ", ".join(spans(form.cleaned_data[name])) for name in off._fields}
        changed = {name: str(told[name]) for name in form.changed_data}
        record(request, "reply_rule.save", detail=changed)
        return done(request, _now("已保存"), back_to="archive:rule", leave=True)
    waiting = Alert.objects.filter(kind=Alert.Kind.OVERDUE, state=Alert.State.OPEN).count()
    context = {"form": form, "waiting": waiting}
    return render(request, "archive/rule.html", context, status=422 if form.errors else 200)
