"""渠道活码 pages: the list, one code with its numbers and its staff, its picture, and what can be done with it."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from acquisition import codes, numbers, qr
from acquisition.forms import CodeForm
from acquisition.models import ChannelCode, CodeShift
from acquisition.numbers import Totals
from console.access import operator_required, role_required
from console.answers import done
from console.audit import record
from console.charts import DayChart, Series
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Tag
from content import messages
from members.models import Staff
from members.scope import visible_staff

editors = role_required("owner", "admin")


def codes_of(operator: Any) -> QuerySet[ChannelCode]:
    """The codes of the staff one may see; numbers on them are cut by the same range."""
    rows = ChannelCode.objects.filter(archived_at=None)
    seen = visible_staff(operator)
    return rows if seen is None else rows.filter(places__staff__in=seen.values("pk")).distinct()


class CodeFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索活码名称、分组"), max_length=30)
    status = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *ChannelCode.Status.choices])

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(Q(name__icontains=term) | Q(group__icontains=term))
        return rows.filter(status=values["status"]) if "status" in values else rows


CODES = ListPage(
    title=_("渠道活码"),
    unit=_("个活码"),
    help=_("一个二维码背后可以有多位员工；客户从哪个渠道来、加了谁、留没留下，都记在这里。"),
    columns=(
        Column(_("活码")),
        Column(_("员工"), kind="wide"),
        Column(_("今日添加"), kind="number"),
        Column(_("累计添加"), kind="number wide"),
        Column(_("流失率"), kind="number wide"),
        Column(_("状态")),
        Column(_("创建时间"), sort="created_at", kind="time wide"),
    ),
    row="acquisition/_code.html",
    row_url=lambda code: reverse("acquisition:code", args=[code.pk]),
    order="-created_at",
    filters=CodeFilters,
    template="acquisition/codes.html",
    empty=Empty(
        _("还没有渠道活码"),
        _("新建一个活码，印在海报、名片或放进公众号。客户扫码添加员工后，会自动打标签、发欢迎语，并记下来自哪个渠道。"),
        _("新建活码"),
        "acquisition:new_code",
        picture="people",
    ),
)


@require_GET
@operator_required
def index(request: HttpRequest) -> HttpResponse:
    def prepare(rows: list[ChannelCode]) -> list[ChannelCode]:
        found = numbers.totals(rows, request.user)
        for code in rows:
            code.totals = found.get(code.state, Totals())  # type: ignore[attr-defined]
            code.friendships_url = friendships_of(code)  # type: ignore[attr-defined]
        return rows

    rows = codes_of(request.user).prefetch_related("places__staff")
    return CODES.respond(request, rows, prepare=prepare, context={"today": timezone.localdate().isoformat()})


def friendships_of(code: ChannelCode) -> str:
    """The list behind its numbers."""
    return f"{reverse('contacts:friendships')}?channel={code.state}"


@require_http_methods(["GET", "HEAD", "POST"])
@editors
def new(request: HttpRequest) -> HttpResponse:
    form = CodeForm(request.POST or None, operator=request.user)
    if request.method == "POST" and form.is_valid() and (code := saved(request, form)):
        record(request, "code.create", str(code))
        return done(request, _now("活码正在企业微信中创建，几秒后可以下载二维码"), back_to=code_url(code), leave=True)
    values = {"form": form, "title": _now("新建活码"), "submit": _now("创建活码")}
    return render(request, "acquisition/code_form.html", values, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@editors
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    code = get_object_or_404(codes_of(request.user), pk=pk)
    name = code.name
    form = CodeForm(request.POST or None, instance=code, operator=request.user)
    if request.method == "POST" and form.is_valid() and saved(request, form):
        record(request, "code.change", str(code))
        return done(request, _now("已保存，员工变化会在几秒内同步到企业微信"), back_to=code_url(code), leave=True)
    values = {"form": form, "code": code, "title": name, "submit": _now("保存")}
    return render(request, "acquisition/code_form.html", values, status=422 if form.errors else 200)


def saved(request: HttpRequest, form: CodeForm) -> ChannelCode | None:
    """The stored code; None when its staff were refused, which then stands beside the field."""
    by = request.user.get_username()
    try:
        with transaction.atomic():
            code = form.filled()
            staff, backups = list(form.cleaned_data["staff"]), list(form.cleaned_data["backups"])
            if code.pk is None:
                codes.create(code, staff, backups, by=by)
            else:
                code.save()
                codes.set_staff(code, staff, backups)
                codes.push(code, by=by)
                codes.retry(code, by=by)  # where WeCom refused to make it
            if code.welcome is not None:
                messages.want(code.welcome.content)
    except ValidationError as refused:
        form.add_error(None, refused)
        return None
    return code


@require_GET
@operator_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    code = get_object_or_404(codes_of(request.user).select_related("stage", "welcome"), pk=pk)
    days = numbers.by_day(code, request.user)
    friendships = friendships_of(code)
    of_day = f"{friendships}&added_from={{day}}&added_to={{day}}"
    lost_on = f"{reverse('contacts:losses')}?channel={code.state}&ended_from={{day}}&ended_to={{day}}"
    chart = DayChart(
        _("最近 30 天"),
        days.days,
        [Series(_("添加"), days.added, of_day), Series(_("流失"), days.lost, lost_on), Series(_("净增"), days.net)],
    )
    return render(
        request,
        "acquisition/code.html",
        {
            "code": code,
            "totals": numbers.totals([code], request.user).get(code.state, Totals()),
            "chart": chart,
            "places": codes.places_of(code, timezone.now()),
            "shifts": shifts_of(code),
            "next": [staff.pk for staff in codes.eligible(code, timezone.now())],
            "tags": Tag.objects.filter(pk__in=code.tag_ids).select_related("group"),
            "bubbles": messages.preview(code.welcome.content) if code.welcome and code.welcome.enabled else [],
            "friendships_url": friendships,
            "today": timezone.localdate().isoformat(),
            "may_edit": request.user.role != "staff",
        },
    )


def shifts_of(code: ChannelCode) -> list[CodeShift]:
    rows = list(code.shifts.order_by("begins", "pk"))
    names = Staff.objects.in_bulk({pk for row in rows for pk in row.staff_ids})
    for row in rows:
        row.staff = [names[pk] for pk in row.staff_ids if pk in names]  # type: ignore[attr-defined]
    return rows


@require_GET
@operator_required
def picture(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """The QR code as svg, or as png of 500 or 1000 pixels; `?download=1` names the file after the code."""
    code = get_object_or_404(codes_of(request.user), pk=pk)
    if form != "svg" and form not in qr.SIZES:
        raise Http404
    try:
        body = qr.svg(code) if form == "svg" else qr.png(code, qr.SIZES[form])
    except qr.NoPicture:
        if code.qr_code.startswith("https://") and not request.GET.get("download"):
            return HttpResponseRedirect(code.qr_code)
        raise Http404(_now("企业微信的二维码图片暂时取不到，请稍后再试")) from None
    kind, ending = ("image/svg+xml", "svg") if form == "svg" else ("image/png", "png")
    headers = {"Cache-Control": "private, max-age=300"}
    if request.GET.get("download"):
        headers["Content-Disposition"] = content_disposition_header(True, f"{code.name}.{ending}")
    return HttpResponse(body, content_type=kind, headers=headers)


@require_POST
@editors
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    code = get_object_or_404(codes_of(request.user), pk=pk)
    codes.archive(code, by=request.user.get_username())
    record(request, "code.archive", str(code))
    return done(request, _now("活码已停用，扫码将不再能添加员工"), back_to="acquisition:codes", leave=True)


@require_POST
@editors
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    code = get_object_or_404(codes_of(request.user), pk=pk)
    codes.retry(code, by=request.user.get_username())
    return done(request, _now("正在重新创建"), back_to=code_url(code), leave=True)


@require_POST
@editors
def pause(request: HttpRequest, pk: int, staff: int) -> HttpResponse:
    """Take one staff member off the code, or put them back."""
    code = get_object_or_404(codes_of(request.user), pk=pk)
    place = get_object_or_404(code.places.select_related("staff"), staff_id=staff)
    place.paused_at = None if place.paused_at else timezone.now()
    place.save(update_fields=["paused_at"])
    codes.push(code, by=request.user.get_username())
    record(request, "code.pause", str(code), {"staff": [str(place.staff), bool(place.paused_at)]})
    words = _now("%(name)s 已暂停接待") if place.paused_at else _now("%(name)s 已恢复接待")
    return done(request, words % {"name": place.staff}, back_to=code_url(code), leave=True)


def code_url(code: ChannelCode) -> str:
    return reverse("acquisition:code", args=[code.pk])
