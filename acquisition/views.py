"""欢迎语: the default greeting, those of chosen staff, and what came of the last greetings."""

from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from acquisition import outcomes
from acquisition.code_pages import codes_of
from acquisition.forms import StaffField, sellers
from acquisition.models import Welcome
from console.access import role_required
from console.answers import done
from console.audit import record
from console.forms import KitForm, PickMany
from console.uses import Hold, Use
from content import messages
from content.forms import MessageField
from members.models import Staff

editors = role_required("owner", "admin")


class DefaultForm(KitForm):
    enabled = forms.BooleanField(label=_("自动发送欢迎语"), required=False)
    content = MessageField(label=_("欢迎语内容"), use="welcome", required=False)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("enabled") and "content" not in self.errors and messages.is_empty(values["content"]):
            self.add_error("content", _("请填写欢迎语内容，或者关闭自动发送"))
        return values


class StaffForm(KitForm):
    name = forms.CharField(label=_("名称"), max_length=30)
    staff = StaffField(Staff.objects.none(), label=_("适用员工"), widget=PickMany(nothing=_("请选择")))
    content = MessageField(label=_("欢迎语内容"), use="welcome")

    def __init__(self, *args: Any, operator: Any, stored: Welcome | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = stored
        self.fields["staff"].queryset = sellers(operator, also=stored.staff_ids if stored else ())

    def clean_staff(self) -> list[Staff]:
        """A staff member has one greeting: which of two would be sent could not be told."""
        chosen = list(self.cleaned_data["staff"])
        taken = Welcome.objects.filter(reach=Welcome.Reach.STAFF, staff_ids__overlap=[one.pk for one in chosen])
        for other in taken.exclude(pk__in=[self.stored.pk] if self.stored else []):
            names = _now("、").join(str(one) for one in chosen if one.pk in other.staff_ids)
            raise forms.ValidationError(
                _("%(staff)s 已在“%(other)s”中，请先从那里移除") % {"staff": names, "other": other.name}
            )
        return chosen


@require_http_methods(["GET", "POST"])
@editors
def welcome(request: HttpRequest) -> HttpResponse:
    stored = Welcome.objects.filter(reach=Welcome.Reach.DEFAULT).first()
    initial = {"enabled": stored.enabled if stored else False, "content": stored.content if stored else None}
    form = DefaultForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        stored = stored or Welcome(reach=Welcome.Reach.DEFAULT)
        stored.enabled = values["enabled"]
        keep(request, stored, values["content"])
        record(request, "welcome.save", detail={"enabled": values["enabled"]})
        return done(request, _now("欢迎语已保存，之后添加的客户会收到"), back_to="acquisition:welcome")
    context = {"form": form, "stored": stored, "outcomes": outcomes.lately(), "of_staff": of_staff()}
    return render(request, "acquisition/welcome.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@editors
def staff_welcome(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """A greeting for the customers of some staff, new or stored."""
    stored = None if pk is None else get_object_or_404(Welcome, pk=pk, reach=Welcome.Reach.STAFF)
    initial = {"name": stored.name, "staff": stored.staff_ids, "content": stored.content} if stored else {}
    form = StaffForm(request.POST or None, initial=initial, operator=request.user, stored=stored)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        row = stored or Welcome(reach=Welcome.Reach.STAFF)
        row.name, row.staff_ids = values["name"], [one.pk for one in values["staff"]]
        keep(request, row, values["content"])
        record(request, "welcome.save", row.name)
        return done(request, _now("员工欢迎语已保存"), back_to="acquisition:welcome", leave=True)
    title = stored.name if stored else _now("新建员工欢迎语")
    values = {"form": form, "title": title, "stored": stored}
    return render(request, "acquisition/staff_welcome.html", values, status=422 if form.errors else 200)


@require_POST
@editors
def delete_staff_welcome(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Welcome, pk=pk, reach=Welcome.Reach.STAFF)
    row.delete()
    record(request, "welcome.delete", row.name)
    return done(request, _now("已删除，这些员工的客户将收到默认欢迎语"), back_to="acquisition:welcome", leave=True)


def keep(request: HttpRequest, row: Welcome, content: dict[str, Any]) -> None:
    row.text, row.materials, row.updated_by = content["text"], content["materials"], request.user.get_username()
    row.save()
    messages.want(row.content)


def uses_of_materials(materials: Collection[int], operator: Any) -> Iterable[tuple[int, Use]]:
    """Greetings that are sent, or could be once they are turned on again."""
    rows = Welcome.objects.filter(materials__overlap=list(materials)).select_related("code").order_by("-enabled", "pk")
    mine = set(codes_of(operator).filter(welcome__in=rows).values_list("pk", flat=True))
    for row in rows:
        code = getattr(row, "code", None)
        if row.reach == Welcome.Reach.CODE and (code is None or code.archived_at):
            continue
        if code is not None:
            url = reverse("acquisition:code", args=[code.pk]) if code.pk in mine else ""
        elif operator.role == "staff":
            url = ""
        elif row.reach == Welcome.Reach.STAFF:
            url = reverse("acquisition:staff_welcome", args=[row.pk])
        else:
            url = reverse("acquisition:welcome")
        name = code.name if code else row.name or _now("全部员工")
        state, hold = (_("已启用"), Hold.NEEDED) if row.enabled else (_("已停用"), Hold.DRAFT)
        use = Use(row.get_reach_display(), name, state, url, hold)
        yield from ((pk, use) for pk in row.materials if pk in materials)


def of_staff() -> list[dict[str, Any]]:
    rows = list(Welcome.objects.filter(reach=Welcome.Reach.STAFF).order_by("pk"))
    names = Staff.objects.in_bulk({pk for row in rows for pk in row.staff_ids})
    return [{"row": row, "staff": [names[pk] for pk in row.staff_ids if pk in names]} for row in rows]
