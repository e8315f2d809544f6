"""自动排班 on the page of a code: the hours at which its staff serve."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from acquisition import codes
from acquisition.code_pages import code_url, codes_of, editors
from acquisition.forms import StaffField
from acquisition.models import ChannelCode, CodeShift
from console.answers import done, drawer
from console.audit import record
from console.forms import KitModelForm, PickMany
from members.models import Staff


class Unfolded(PickMany):
    folded = False


class ShiftForm(KitModelForm):
    weekdays = forms.TypedMultipleChoiceField(
        label=_("星期"), choices=CodeShift.Weekday.choices, coerce=int, widget=Unfolded
    )
    staff = StaffField(Staff.objects.none(), label=_("接待员工"), widget=Unfolded)

    class Meta:
        model = CodeShift
        fields = ("weekdays", "begins", "ends", "staff")
        widgets = {name: forms.TimeInput(attrs={"type": "time"}, format="%H:%M") for name in ("begins", "ends")}
        help_texts = {"ends": _("早于或等于开始时间时，到次日结束")}

    def __init__(self, *args: Any, code: ChannelCode, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.code = code
        own = code.places.filter(backup=False).values("staff")
        self.fields["staff"].queryset = Staff.objects.filter(pk__in=own).order_by("pinyin", "pk")
        self.initial["staff"] = self.instance.staff_ids

    def save(self, commit: bool = True) -> CodeShift:
        self.instance.staff_ids = [staff.pk for staff in self.cleaned_data["staff"]]
        saved: CodeShift = super().save(commit)
        return saved


@require_http_methods(["GET", "HEAD", "POST"])
@editors
def shift(request: HttpRequest, pk: int, shift: int | None = None) -> HttpResponse:
    """Hours of a code, new or stored."""
    code = get_object_or_404(codes_of(request.user), pk=pk)
    stored = None if shift is None else get_object_or_404(code.shifts, pk=shift)
    form = ShiftForm(request.POST or None, instance=stored, code=code)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            codes.shifts_changed(code, by=request.user.get_username())
        record(request, "code.shift", str(code), {"hours": form.instance.in_words})
        return done(request, _now("排班已保存，到点会自动更新活码的员工"), back_to=code_url(code), leave=True)
    context = {"form": form, "title": _now("接待时段"), "submit": _now("保存")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


@require_POST
@editors
def delete(request: HttpRequest, pk: int, shift: int) -> HttpResponse:
    code = get_object_or_404(codes_of(request.user), pk=pk)
    stored = get_object_or_404(code.shifts, pk=shift)
    with transaction.atomic():
        stored.delete()
        codes.shifts_changed(code, by=request.user.get_username())
    record(request, "code.shift", str(code), {"hours": [stored.in_words, ""]})
    return done(request, _now("接待时段已删除"), back_to=code_url(code), leave=True)
