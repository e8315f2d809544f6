"""会话预警: what was found, at whom it ended, and what that person did about it."""

from dataclasses import replace
from functools import partial
from typing import Any

from django import forms
from django.db.models import Exists, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import operator_of
from archive import alerts as acts
from archive import showing
from archive.models import Alert
from archive.scope import alerts_of
from console.access import operator_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from console.lists import Column, Empty, Filters, ListPage
from members.models import Staff


def waiting_for(request: HttpRequest) -> list[QuerySet[Any]]:
    """The badge: alerts that are this person's to settle; for who sees all and is no member, all that are open."""
    operator = operator_of(request)
    theirs = Q(assigned_to__operator=operator)
    if operator.scope == operator.Scope.ALL:
        theirs |= ~Q(Exists(Staff.objects.filter(operator=operator)))
    return [Alert.objects.filter(theirs, state=Alert.State.OPEN)]


class AlertFilters(Filters):
    kind = forms.ChoiceField(label=_("类型"), choices=[("", _("全部类型")), *Alert.Kind.choices])
    state = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *Alert.State.choices])
    mine = forms.ChoiceField(label=_("负责人"), choices=[("", _("全部")), ("me", _("由我处理"))])

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator = operator

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if kind := values.get("kind"):
            rows = rows.filter(kind=kind)
        if state := values.get("state"):
            rows = rows.filter(state=state)
        if values.get("mine"):
            rows = rows.filter(assigned_to__operator=self.operator)
        return rows


ALERTS = ListPage(
    title=_("会话预警"),
    unit=_("条"),
    help=_("命中敏感词、或客户等待回复超时的会话。每条都有负责人，处理后留下记录。"),
    columns=(
        Column(_("原因")),
        Column(_("员工"), kind="wide"),
        Column(_("客户或群"), kind="wide"),
        Column(_("负责人"), kind="wide"),
        Column(_("状态")),
        Column(_("时间"), sort="at", kind="time wide"),
    ),
    row="archive/_alert_row.html",
    order="-at",
    filters=AlertFilters,
    row_url=lambda alert: reverse("archive:alert", args=[alert.pk]),
    empty=Empty(_("没有预警"), _("设置敏感词或超时质检后，命中的会话会出现在这里。"), picture="done"),
)


@require_GET
@operator_required
def alerts(request: HttpRequest) -> HttpResponse:
    rows = alerts_of(request.user).select_related("staff", "assigned_to", "conversation", "message")
    return replace(ALERTS, filters=partial(AlertFilters, operator=request.user)).respond(
        request, rows, prepare=with_talks
    )


def with_talks(rows: list[Alert]) -> list[Alert]:
    talks = {one.row.pk: one for one in showing.entries([row.conversation for row in rows])}
    for row in rows:
        row.talk = talks[row.conversation_id]  # type: ignore[attr-defined]
    return rows


class SettleForm(KitForm):
    state = forms.ChoiceField(
        label=_("处理结果"),
        choices=[(Alert.State.HANDLED, _("已处理")), (Alert.State.WAIVED, _("无需处理"))],
        initial=Alert.State.HANDLED,
    )
    note = forms.CharField(
        label=_("说明"), max_length=200, required=False, widget=forms.Textarea(attrs={"rows": 3, "maxlength": 200})
    )


@require_http_methods(["GET", "POST"])
@operator_required
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    rows = alerts_of(request.user).select_related("staff", "assigned_to", "conversation", "message")
    found = with_talks([get_object_or_404(rows, pk=pk)])[0]
    form = SettleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        if not acts.settle(found, state=values["state"], note=values["note"], by=operator_of(request)):
            return done(request, _now("这条预警已经由他人处理"), back_to="archive:alerts", level="warning")
        record(request, "alert.settle", target=str(found.pk), detail=values)
        return done(request, _now("已记录"), back_to="archive:alerts")
    record(request, "archive.read", target=found.talk.name, detail={"alert": found.pk})
    context = {
        "alert": found,
        "lines": showing.lines(acts.around(found), wanted=found.message_id),
        "form": form,
        "title": acts.TITLES[Alert.Kind(found.kind)],
        "submit": _now("确定"),
    }
    return drawer(request, "archive/_alert.html", context, wrong=bool(form.errors))
