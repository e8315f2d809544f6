"""待办与异常: what waits, what is stuck and why, and the buttons that set it going again."""

from datetime import datetime, time
from functools import partial
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callbacks import inbox
from callbacks.health import health_of
from callbacks.models import InboxEvent
from callbacks.reasons import with_reasons
from callbacks.words import EVENT_NAMES, PURPOSES
from console.access import operator_required, role_required
from console.answers import done, drawer
from console.audit import record
from console.figures import HEALTH_FIGURES, Figures
from console.forms import KitForm
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Follow
from tenants import outbox
from tenants.current import current_tenant
from tenants.models import OutgoingCall

TROUBLED_EVENTS = [InboxEvent.Status.DEAD, InboxEvent.Status.PARKED]
TROUBLED_CALLS = [OutgoingCall.State.DEAD, OutgoingCall.State.PARKED, OutgoingCall.State.UNKNOWN]
WAITING_CALLS = [OutgoingCall.State.PENDING, OutgoingCall.State.LEASED]
CALL_STATES = {
    "waiting": (_("等待发送"), WAITING_CALLS),
    "parked": (_("等待修复配置"), [OutgoingCall.State.PARKED]),
    "unknown": (_("结果未知"), [OutgoingCall.State.UNKNOWN]),
    "dead": (_("失败"), [OutgoingCall.State.DEAD]),
    "expired": (_("已过期"), [OutgoingCall.State.EXPIRED]),
    "ignored": (_("已忽略"), [OutgoingCall.State.IGNORED]),
    "missed": (_("没有成功"), [*TROUBLED_CALLS, OutgoingCall.State.EXPIRED, OutgoingCall.State.IGNORED]),
    "ok": (_("成功"), [OutgoingCall.State.OK]),
}
NOTHING_WRONG = Empty(_("一切正常"), _("没有需要您处理的内容。企业微信的事件和我们的调用都已完成。"), picture="done")


class EventFilters(Filters):
    name = forms.ChoiceField(label=_("事件"), choices=[("", _("全部事件")), *EVENT_NAMES.items()])
    status = forms.ChoiceField(
        label=_("状态"), choices=[("", _("需要处理")), ("all", _("全部")), *InboxEvent.Status.choices]
    )

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if name := values.get("name"):
            rows = rows.filter(name=name)
        status = values.get("status", "")
        return rows if status in ("", "all") else rows.filter(status=status)


class CallFilters(Filters):
    purpose = forms.ChoiceField(label=_("用途"), choices=[("", _("全部用途")), *PURPOSES.items()])
    state = forms.ChoiceField(
        label=_("状态"),
        choices=[
            ("", _("需要处理")),
            ("all", _("全部")),
            *((name, words) for name, (words, _states) in CALL_STATES.items()),
        ],
    )
    since = forms.DateField(label=_("创建日期从"), widget=forms.DateInput(attrs={"type": "date"}))

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if purpose := values.get("purpose"):
            rows = rows.filter(purpose=purpose)
        if since := values.get("since"):
            rows = rows.filter(created_at__gte=timezone.make_aware(datetime.combine(since, time.min)))
        state = values.get("state", "")
        return rows if state in ("", "all") else rows.filter(state__in=CALL_STATES[state][1])


EVENTS = ListPage(
    title=_("收到的事件"),
    unit=_("条"),
    help=_("企业微信推送的每个事件都先存下来再处理。处理失败的会自动重试，仍失败的停在这里。"),
    columns=(
        Column(_("事件")),
        Column(_("状态")),
        Column(_("原因和处理办法")),
        Column(_("尝试次数"), kind="number wide"),
        Column(_("发生时间"), kind="time wide"),
        Column(_("操作"), kind="actions"),
    ),
    row="callbacks/_event.html",
    order="-id",
    filters=EventFilters,
    template="callbacks/trouble.html",
    bulk="callbacks/_event_bulk.html",
    empty=NOTHING_WRONG,
)
CALLS = ListPage(
    title=_("发出的调用"),
    unit=_("条"),
    help=_("所有发往企业微信的修改都在这里留痕。结果未知的会先核对再决定是否重发，不会重复发送。"),
    columns=(
        Column(_("用途")),
        Column(_("状态")),
        Column(_("原因和处理办法")),
        Column(_("尝试次数"), kind="number wide"),
        Column(_("创建时间"), kind="time wide"),
        Column(_("操作"), kind="actions"),
    ),
    row="callbacks/_call.html",
    order="-id",
    filters=CallFilters,
    template="callbacks/trouble.html",
    bulk="callbacks/_call_bulk.html",
    empty=NOTHING_WRONG,
)


def waiting_for_a_person(request: HttpRequest) -> list[QuerySet[Any]]:
    """The badge of the rail, for those who can do something about it."""
    if getattr(request.user, "role", "") == "staff":
        return []
    tenant = current_tenant()
    return [
        InboxEvent.objects.filter(tenant_id=tenant.pk, status__in=TROUBLED_EVENTS),
        OutgoingCall.objects.filter(tenant=tenant, state__in=TROUBLED_CALLS),
    ]


def told() -> list[Figures]:
    return [figures() for figures in HEALTH_FIGURES]


@require_GET
@operator_required
def events(request: HttpRequest) -> HttpResponse:
    tenant = current_tenant()
    rows = InboxEvent.objects.filter(tenant_id=tenant.pk).defer("body")
    if not request.GET.get("status"):
        rows = rows.filter(status__in=TROUBLED_EVENTS)
    context = {"health": health_of(tenant.pk), "tab": "events", "told": told()}
    return EVENTS.respond(request, rows, prepare=with_event_buttons, context=context)


def with_event_buttons(rows: list[InboxEvent]) -> list[InboxEvent]:
    for row in with_reasons(rows):
        row.may_retry = row.may_ignore = row.status in TROUBLED_EVENTS
    return rows


@require_GET
@operator_required
def calls(request: HttpRequest) -> HttpResponse:
    tenant = current_tenant()
    rows = OutgoingCall.objects.filter(tenant=tenant).defer("body")
    if not request.GET.get("state"):
        rows = rows.filter(state__in=TROUBLED_CALLS)
    context = {"health": health_of(tenant.pk), "tab": "calls", "told": told()}
    return CALLS.respond(request, rows, prepare=partial(with_call_buttons, operator=request.user), context=context)


def with_call_buttons(rows: list[OutgoingCall], operator: Any) -> list[OutgoingCall]:
    """Whom a call is about is named to those who may see that customer."""
    about = {row.context.get("follow") for row in rows} - {None}
    mine = Follow.objects.visible_to(operator).filter(pk__in=about).select_related("staff", "customer")
    follows = {follow.pk: follow for follow in mine}
    now = timezone.now()
    for row in with_reasons(rows):
        in_time = row.deadline is None or row.deadline > now
        row.may_retry = in_time and row.state in outbox.RETRIABLE
        row.may_ignore = row.state in outbox.RETRIABLE - {OutgoingCall.State.IGNORED}
        row.follow = follows.get(row.context.get("follow"))
        row.seconds = seconds_of(row)
    return rows


def seconds_of(call: OutgoingCall) -> float | None:
    """How long what succeeded took: a welcome from the customer's adding on, which the call says as `at`."""
    if call.state != OutgoingCall.State.OK or call.finished_at is None:
        return None
    added = parse_datetime(call.context.get("at", "")) if call.purpose == "welcome" else None
    return round((call.finished_at - (added or call.created_at)).total_seconds(), 1)


@require_GET
@operator_required
def trouble(request: HttpRequest) -> HttpResponse:
    """Opens the side where something waits."""
    health = health_of(current_tenant().pk)
    return redirect("callbacks:calls" if health.calls_in_trouble > health.events_in_trouble else "callbacks:events")


class ReasonForm(KitForm):
    reason = forms.CharField(
        label=_("原因"), max_length=100, help_text=_("会记入审计日志，方便日后查证"), widget=forms.TextInput
    )


def chosen(data: QueryDict) -> list[int]:
    return [int(text) for text in data.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 19][:1000]


def asked_why(request: HttpRequest, *, title: str, note: str, back_to: str) -> str | HttpResponse:
    """The reason that was given, or the form that asks for it."""
    ids = chosen(request.POST if request.method == "POST" else request.GET)
    if not ids:
        return done(request, _now("请先选择要忽略的内容"), back_to=back_to, level="warning")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return str(form.cleaned_data["reason"])
    count = ngettext("共 %(n)d 条。", "共 %(n)d 条。", len(ids)) % {"n": len(ids)}
    context = {"title": title, "note": f"{count}{note}", "form": form, "ids": ids, "submit": _now("忽略")}
    return drawer(request, "callbacks/_ignore.html", context, wrong=bool(form.errors))


@require_POST
@role_required("owner", "admin")
def retry_events(request: HttpRequest) -> HttpResponse:
    tenant, ids = current_tenant(), chosen(request.POST)
    everything = request.POST.get("all") == "1"
    count = inbox.replay(tenant.pk, ids=None if everything else ids, dead=True, parked=True)
    record(
        request, "inbox.replay", target="all" if everything else ",".join(map(str, ids))[:160], detail={"count": count}
    )
    text = ngettext("%(n)d 个事件已重新排队", "%(n)d 个事件已重新排队", count) % {"n": count}
    return done(request, text, back_to="callbacks:events")


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def ignore_events(request: HttpRequest) -> HttpResponse:
    note = _now("忽略后不再处理这些事件，客户数据以同步和核对为准。")
    reason = asked_why(request, title=_now("忽略事件"), note=note, back_to="callbacks:events")
    if isinstance(reason, HttpResponse):
        return reason
    ids = chosen(request.POST)
    count = inbox.ignore(current_tenant().pk, ids, reason=reason)
    record(request, "inbox.ignore", target=",".join(map(str, ids))[:160], detail={"count": count, "reason": reason})
    text = ngettext("%(n)d 个事件已忽略", "%(n)d 个事件已忽略", count) % {"n": count}
    return done(request, text, back_to="callbacks:events", level="info")


@require_POST
@role_required("owner", "admin")
def retry_calls(request: HttpRequest) -> HttpResponse:
    tenant, ids = current_tenant(), chosen(request.POST)
    everything = request.POST.get("all") == "1"
    rows = OutgoingCall.objects.filter(tenant=tenant, state__in=TROUBLED_CALLS).order_by("id")
    count = outbox.retry_many(rows if everything else rows.filter(pk__in=ids), by=request.user.get_username())
    record(
        request, "outbox.retry", target="all" if everything else ",".join(map(str, ids))[:160], detail={"count": count}
    )
    if not count:
        return done(
            request,
            _now("没有可以重发的调用：已经成功或超过有效时间的不能再发"),
            back_to="callbacks:calls",
            level="warning",
        )
    text = ngettext("%(n)d 个调用已重新排队", "%(n)d 个调用已重新排队", count) % {"n": count}
    return done(request, text, back_to="callbacks:calls")


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def ignore_calls(request: HttpRequest) -> HttpResponse:
    note = _now("忽略后不再发送，也不会再提醒。")
    reason = asked_why(request, title=_now("忽略调用"), note=note, back_to="callbacks:calls")
    if isinstance(reason, HttpResponse):
        return reason
    ids = chosen(request.POST)
    count = 0
    for call in OutgoingCall.objects.filter(tenant=current_tenant(), pk__in=ids):
        try:
            outbox.ignore(call, request.user.get_username(), reason)
        except outbox.NotAllowed:
            continue
        count += 1
    record(request, "outbox.ignore", target=",".join(map(str, ids))[:160], detail={"count": count, "reason": reason})
    text = ngettext("%(n)d 个调用已忽略", "%(n)d 个调用已忽略", count) % {"n": count}
    return done(request, text, back_to="callbacks:calls", level="info")
