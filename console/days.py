"""A list of days in a form, such as the holidays of a company."""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _now

A_YEAR = 366
MOST_DAYS = 2 * A_YEAR


class DaysField(forms.CharField):
    """Days and spans of days, one a line: 2027-02-05 ~ 2027-02-11."""

    widget = forms.Textarea

    def __init__(self, *, example: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs |= {"rows": 3, "placeholder": example}

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(spans(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return sorted(initial or ()) != self.clean(data)
        except forms.ValidationError:
            return True

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


def spans(days: Iterable[date]) -> list[str]:
    spans: list[list[date]] = []
    for day in sorted(days):
        if spans and day - spans[-1][-1] == timedelta(days=1):
            spans[-1].append(day)
        else:
            spans.append([day])
    return [f"{one[0]} ~ {one[-1]}" if len(one) > 1 else f"{one[0]}" for one in spans]


def refuse_both(form: forms.BaseForm, name: str, other: str) -> None:
    """In a form's `clean`: no day stands in both lists."""
    if both := set(form.cleaned_data.get(name) or ()) & set(form.cleaned_data.get(other) or ()):
        form.add_error(name, _now("%(day)s 已在节假日中") % {"day": min(both)})
