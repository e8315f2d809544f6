"""操作员: who may enter the console, as what, and what they see."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts import operators, seats
from accounts.access import operator_of, role_required
from accounts.forms import OperatorForm
from accounts.models import Operator
from console import answers
from console.lists import Column, Empty, Filters, ListPage

manager = role_required("owner", "admin")
CHANGEABLE = ("name", "role", "scope")


class OperatorFilters(Filters):
    q = forms.CharField(label=gettext_lazy("姓名或账号"), max_length=64)
    role = forms.ChoiceField(label=gettext_lazy("角色"), choices=[("", gettext_lazy("全部")), *Operator.Role.choices])
    active = forms.ChoiceField(
        label=gettext_lazy("状态"),
        choices=[("", gettext_lazy("全部")), ("1", gettext_lazy("使用中")), ("0", gettext_lazy("已停用"))],
    )
    searched_by = "q"

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if text := values.get("q"):
            rows = rows.filter(Q(name__icontains=text) | Q(username__icontains=text))
        if role := values.get("role"):
            rows = rows.filter(role=role)
        if active := values.get("active"):
            rows = rows.filter(is_active=active == "1")
        return rows


OPERATORS = ListPage(
    title=gettext_lazy("操作员"),
    help=gettext_lazy("可以登录本后台的人。角色决定能做什么，数据范围决定能看到哪些员工的客户。"),
    unit=gettext_lazy("位"),
    columns=(
        Column(gettext_lazy("操作员"), sort="name"),
        Column(gettext_lazy("角色")),
        Column(gettext_lazy("数据范围"), kind="wide"),
        Column(gettext_lazy("两步验证"), kind="wide"),
        Column(gettext_lazy("状态")),
        Column(gettext_lazy("最近登录"), sort="last_login", kind="time wide"),
        Column(gettext_lazy("创建时间"), sort="created_at", kind="time wide"),
    ),
    row="accounts/_operator_row.html",
    row_url=lambda operator: reverse("accounts:operator", args=[operator.pk]),
    drawer=True,
    order="-created_at",
    filters=OperatorFilters,
    empty=Empty(gettext_lazy("还没有操作员"), picture="people"),
    template="accounts/operators.html",
)


@manager
@require_http_methods(["GET", "HEAD"])
def index(request: HttpRequest) -> HttpResponse:
    return OPERATORS.respond(request, Operator.objects.all(), context={"seats": seats.of_company()})


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    form = OperatorForm(operator_of(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        operator = form.save(commit=False)
        try:
            return show_password(request, operator, operators.create(request, operator))
        except seats.NoSeat as full:
            form.add_error(None, full.words)
    values = {
        "form": form,
        "title": _("新建操作员"),
        "submit": _("创建"),
        "note": _("创建后显示一次性初始密码，首次登录必须修改。"),
    }
    return answers.drawer(request, "console/kit/form_drawer.html", values, wrong=bool(form.errors))


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def operator(request: HttpRequest, key: UUID) -> HttpResponse:
    """What the operator is, and the form for who may change it."""
    found = get_object_or_404(Operator, pk=key)
    if not request.user.may_manage(found):
        if request.method == "POST":
            raise PermissionDenied
        return answers.drawer(
            request, "accounts/_operator.html", {"operator": found, "title": found.name, "form": None}
        )
    before = {name: getattr(found, name) for name in CHANGEABLE}
    form = OperatorForm(operator_of(request), request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        try:
            operators.change(request, form.save(commit=False), before)
        except operators.NotAllowed as refused:
            form.add_error("role", refused.words)
        else:
            return answers.done(request, _("已保存。"), back_to="accounts:operators")
    values = {"operator": found, "form": form, "title": before["name"]}
    return answers.drawer(request, "accounts/_operator.html", values, wrong=bool(form.errors))


@manager
@require_POST
def deactivate(request: HttpRequest, key: UUID) -> HttpResponse:
    found = manageable(request, key)
    try:
        freed = operators.deactivate(request, found)
    except operators.NotAllowed as refused:
        return answers.done(request, refused.words, level="error", back_to="accounts:operators")
    words = _("已停用 %(name)s，其登录已失效。") % {"name": found.name}
    return answers.done(
        request,
        words if freed else words + _("这位员工还在使用侧边栏，席位没有释放；可在“员工”中停用其侧边栏。"),
        back_to="accounts:operators",
        undo=reverse("accounts:activate", args=[found.pk]),
    )


@manager
@require_POST
def activate(request: HttpRequest, key: UUID) -> HttpResponse:
    found = manageable(request, key)
    try:
        operators.activate(request, found)
    except seats.NoSeat as full:
        return answers.done(request, full.words, level="error", back_to="accounts:operators")
    return answers.done(request, _("已启用 %(name)s。") % {"name": found.name}, back_to="accounts:operators")


@manager
@require_POST
def reset_password(request: HttpRequest, key: UUID) -> HttpResponse:
    found = manageable(request, key)
    return show_password(request, found, operators.reset_password(request, found))


@manager
@require_POST
def reset_second_factor(request: HttpRequest, key: UUID) -> HttpResponse:
    found = manageable(request, key)
    operators.reset_second_factor(request, found)
    return answers.done(request, _("已关闭 %(name)s 的两步验证。") % {"name": found.name}, back_to="accounts:operators")


def manageable(request: HttpRequest, key: UUID) -> Operator:
    found = get_object_or_404(Operator, pk=key)
    if not request.user.may_manage(found):
        raise PermissionDenied
    return found


def show_password(request: HttpRequest, operator: Operator, password: str) -> HttpResponse:
    """The only time that it is seen: it is stored as a hash."""
    values: dict[str, Any] = {"operator": operator, "password": password, "title": _("初始密码")}
    values["sign_in_url"] = request.build_absolute_uri(reverse("accounts:sign_in"))
    response = answers.drawer(request, "accounts/_one_time_password.html", values)
    response["HX-Trigger"] = "list:refresh"
    return response
