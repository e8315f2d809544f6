"""发送规则: the company's limits and days of work, in a drawer over the list of plans."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.days import DaysField, refuse_both, spans
from console.forms import KitForm
from sop import rules
from sop.models import SendRule


class RuleForm(KitForm):
    per_day = forms.IntegerField(
        label=_("每位客户每天最多（条）"), min_value=1, max_value=100, required=False, help_text=_("不填则不限"),
    )  # fmt: skip
    per_week = forms.IntegerField(
        label=_("每位客户每周最多（条）"), min_value=1, max_value=500, required=False,
        help_text=_(
            "周一到周日；所有 SOP、总部任务和收到的群发合计。"
            "已满时 SOP 的步骤顺延到有空位的一天，14 天内没有空位则跳过；总部任务和群发只计入，不会被推迟"
        ),
    )  # fmt: skip
    holidays = DaysField(
        label=_("节假日"), required=False, max_length=4000, example="2026-10-01 ~ 2026-10-08",
        help_text=_("每行一天或一段；“仅工作日发送”的步骤会避开这些日子，超时质检也不把它们算作工作时间"),
    )  # fmt: skip
    workdays = DaysField(
        label=_("调休上班日"), required=False, max_length=4000, example="2026-10-10",
        help_text=_("周末但要上班的日子，每行一天"),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        day, week = values.get("per_day"), values.get("per_week")
        if day and week and week < day:
            self.add_error("per_week", _("每周上限不能小于每天上限"))
        refuse_both(self, "workdays", "holidays")
        return values

    @staticmethod
    def initial_of(row: SendRule) -> dict[str, Any]:
        return {name: getattr(row, name) for name in ("per_day", "per_week", "holidays", "workdays")}


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def rule(request: HttpRequest) -> HttpResponse:
    form = RuleForm(request.POST or None, initial=RuleForm.initial_of(rules.rule()))
    if request.method == "POST" and form.is_valid():
        changed = rules.change(**form.cleaned_data)
        record(request, "sop.rule", detail={name: [_told(one) for one in pair] for name, pair in changed.items()})
        return done(request, _now("已保存，从下一步开始按新规则执行"), back_to="sop:plans")
    context = {"title": _now("发送规则"), "form": form, "submit": _now("保存")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


def _told(value: Any) -> Any:
    return spans(value) if isinstance(value, list) else value
