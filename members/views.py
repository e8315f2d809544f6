"""员工: the members of the corp as WeCom has them, and which operator each is."""

from typing import Any

from django import forms
from django.db import connection
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Operator
from accounts.seats import NoSeat, changing
from console.access import operator_required, role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from console.lists import Column, Empty, Filters, ListPage
from members import seats
from members.models import Department, Staff, StaffTag
from members.scope import visible_staff
from members.tagged import carrying, with_tags
from tenants.models import Job

STATES = [
    ("", _("在职")),
    ("follow", _("有客户联系权限")),
    ("hidden", _("不在应用可见范围")),
    ("left", _("已离职")),
    ("all", _("全部")),
]
SIDEBAR = [
    ("", _("全部")),
    ("seat", _("使用中，占用席位")),
    ("on", _("使用中")),
    ("off", _("已停用")),
    ("refused", _("席位不足，未能进入")),
]


class StaffFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索姓名、账号、拼音"), max_length=64)
    department = forms.ModelChoiceField(Department.objects.none(), label=_("部门"), empty_label=_("全部部门"))
    tag = forms.ModelChoiceField(StaffTag.objects.none(), label=_("通讯录标签"), empty_label=_("全部标签"))
    state = forms.ChoiceField(label=_("状态"), choices=STATES)
    sidebar = forms.ChoiceField(label=_("侧边栏"), choices=SIDEBAR)
    more = ("sidebar",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["department"].queryset = Department.objects.filter(deleted_at=None).order_by("path")
        self.fields["tag"].queryset = StaffTag.objects.filter(deleted_at=None).order_by("name", "id")

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(Q(name__icontains=term) | Q(userid__icontains=term) | Q(pinyin__icontains=term))
        if department := values.get("department"):
            rows = rows.filter(departments__path__contains=[department.wecom_id]).distinct()
        if tag := values.get("tag"):
            rows = rows.filter(carrying(tag))
        state = values.get("state")
        if state == "follow":
            rows = rows.filter(can_follow=True, left_at=None)
        elif state == "hidden":
            rows = rows.filter(visible=False, left_at=None)
        elif state == "left":
            rows = rows.exclude(left_at=None)
        if sidebar := values.get("sidebar"):
            rows = seats.seated(rows) if sidebar == "seat" else rows.filter(sidebar=sidebar)
        return rows


STAFF = ListPage(
    title=_("员工"),
    unit=_("名员工"),
    help=_("员工和部门以企业微信通讯录为准。不在应用可见范围内的员工，企业微信不提供他们的资料和客户。"),
    columns=(
        Column(_("员工"), sort="pinyin"),
        Column(_("部门、通讯录标签"), kind="wide"),
        Column(_("客户数"), sort="customers", kind="number"),
        Column(_("客户联系"), kind="wide"),
        Column(_("状态")),
        Column(_("后台账号"), kind="wide"),
        Column(_("侧边栏"), kind="wide"),
        Column(_("操作"), kind="actions wide"),
    ),
    row="members/_staff.html",
    order="pinyin",
    filters=StaffFilters,
    empty=Empty(
        _("还没有员工"),
        _("接入企业微信后，应用可见范围内的员工会同步到这里。"),
        _("去接入企业微信"),
        "callbacks:connection",
        picture="people",
    ),
    page_size=50,
)


@require_GET
@operator_required
def staff(request: HttpRequest) -> HttpResponse:
    visible = visible_staff(request.user)
    rows = Staff.objects.all() if visible is None else visible
    if not request.GET.get("state"):
        rows = rows.filter(left_at=None)
    living = Prefetch("departments", Department.objects.filter(deleted_at=None))
    rows = rows.select_related("operator").prefetch_related(living)
    rows = rows.annotate(customers=Count("follows", filter=Q(follows__ended_at=None), distinct=True))
    synced = Job.objects.filter(tenant_id=connection.tenant.pk, kind="sync", state=Job.State.DONE).order_by("-id")
    fresh_at = synced.values_list("finished_at", flat=True).first()
    return STAFF.respond(request, rows, fresh_at=fresh_at, prepare=with_tags)


class LinkForm(KitForm):
    """Which account this person signs in with: it decides what 本人 and 本部门 mean."""

    operator = forms.ModelChoiceField(
        Operator.objects.none(),
        label=_("后台账号"),
        required=False,
        empty_label=_("不关联"),
        help_text=_("关联后，该账号的“本人”“本部门”数据范围以这位员工为准"),
    )

    def __init__(self, *args: Any, staff: Staff, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        free = Operator.objects.filter(Q(staff=None) | Q(staff=staff)).order_by("username")
        self.fields["operator"].queryset = free
        self.fields["operator"].initial = staff.operator_id


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def link(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(Staff, pk=pk)
    form = LinkForm(request.POST or None, staff=person)
    context = {"title": _now("关联后台账号"), "note": str(person), "form": form, "submit": _now("保存")}
    if request.method == "GET" or not form.is_valid():
        return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))
    person.operator = form.cleaned_data["operator"]
    try:
        with changing():  # without the account, the sidebar takes a seat of its own
            person.save(update_fields=["operator"])
    except NoSeat as full:
        form.add_error("operator", full.words)
        return drawer(request, "console/kit/form_drawer.html", context, wrong=True)
    record(request, "staff.link_operator", target=person.userid, detail={"operator": str(person.operator or "")})
    return done(request, _now("已保存"), back_to=reverse("members:staff"))


@require_POST
@role_required("owner", "admin")
def sidebar_off(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(Staff, pk=pk, left_at=None)
    seats.turn_off(request, person)
    undo = reverse("members:sidebar_on", args=[pk])
    words = _now("已停用 %(name)s 的侧边栏。") % {"name": person}
    return done(request, words, back_to=reverse("members:staff"), undo=undo)


@require_POST
@role_required("owner", "admin")
def sidebar_on(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(Staff, pk=pk, left_at=None)
    try:
        seats.turn_on(request, person)
    except NoSeat as full:
        return done(request, full.words, level="error", back_to=reverse("members:staff"))
    return done(request, _now("已启用 %(name)s 的侧边栏。") % {"name": person}, back_to=reverse("members:staff"))
