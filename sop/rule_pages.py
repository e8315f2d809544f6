"""发送规则: the company's limits and days of work, in a drawer over the list of plans."""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from sop import rules
from sop.models import SendRule
from sop.pace import A_YEAR

MOST_DAYS = 2 * A_YEAR


class DaysField(forms.CharField):
    """Days and spans of days, one a line: 2027-02-05 ~ 2027-02-11."""

    widget = forms.Textarea

    def __init__(self, *, example: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs |= {"rows": 3, "placeholder": example}

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(_spans(value))

    def clean(self, value: Any) -> list[date]:
        days: set[date] = set()
        for line in re.split(r"[\n,，、;；]+", super().clean(value) or ""):
            if line.strip():
                days.update(self._line(line.strip()))
        if len(days) > MOST_DAYS:
            raise forms.ValidationError(_now("最多 %(n)d 天") % {"n": MOST_DAYS})
        return sorted(days)

    def _line(self, line: str) -> Iterable[date]:
        ends = [_date(part.strip()) for part in re.split(r"~|～|至", line)]
        first, last = ends[0], ends[-1]
        if len(ends) > 2 or first is None or last is None or not 0 <= (last - first).days < A_YEAR:
            text = _now("“%(line)s”不是日期，请写成 2026-10-01 或 2026-10-01 ~ 2026-10-08")
            raise forms.ValidationError(text % {"line": line[:40]})
        return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _date(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _spans(days: Iterable[date]) -> list[str]:
    spans: list[list[date]] = []
    for day in sorted(days):
        if spans and day - spans[-1][-1] == timedelta(days=1):
            spans[-1].append(day)
        else:
            spans.append([day])
    return [f"{one[0]} ~ {one[-1]}" if len(one) > 1 else f"{one[0]}" for one in spans]


class RuleForm(KitForm):
    per_day = forms.IntegerField(
        label=_("每位客户每天最多（条）"), min_value=1, max_value=100, required=False, help_text=_("不填则不限"),
    )  # fmt: skip
    per_week = forms.IntegerField(
        label=_("每位客户每周最多（条）"), min_value=1, max_value=500, required=False,
        help_text=_("周一到周日，所有 SOP 合计；超出的步骤顺延到有空位的一天，14 天内没有空位则跳过"),
    )  # fmt: skip
    holidays = DaysField(
        label=_("节假日"), required=False, max_length=4000, example="2026-10-01 ~ 2026-10-08",
        help_text=_("每行一天或一段；“仅工作日发送”的步骤会避开这些日子"),
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
        if both := set(values.get("holidays") or ()) & set(values.get("workdays") or ()):
            words = _now("%(day)s 已在节假日中") % {"day": min(both)}
            self.add_error("workdays", words)
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
    return _spans(value) if isinstance(value, list) else value
