"""What became of a broadcast: by staff, by receiver with the reason for each not reached, and what can be done."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Count, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from broadcasts import reminders, results, sending
from broadcasts.left_out import left_out_numbers
from broadcasts.models import Broadcast, BroadcastSender, Delivery
from broadcasts.pages import editors, may_act_on_all, may_edit, senders_of, shown, words_of
from console.access import operator_required
from console.answers import done
from console.audit import record
from console.jobs import told
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Customer, GroupChat
from content import messages
from tenants.current import current_tenant
from tenants.models import Job, OutgoingCall

State, Kind = Broadcast.State, Broadcast.Kind
Step, Result = BroadcastSender.State, Delivery.State
NOT_ASKED = "not_asked"
NO_RESULT_YET = (Step.PLANNED, Step.ASKED, Step.UNKNOWN, Step.CREATED, Step.CONFIRMED)
RESULTS = [*Result.choices, (NOT_ASKED, _("没有通知到员工"))]
JOBS = (sending.JOB, reminders.JOB)


class SenderFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索员工"), max_length=40)
    state = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *Step.choices])

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(Q(staff__name__icontains=term) | Q(staff__pinyin__icontains=term))
        return rows.filter(state=values["state"]) if "state" in values else rows


class ReceiverFilters(Filters):
    state = forms.ChoiceField(label=_("结果"), choices=[("", _("全部结果")), *RESULTS])
    staff = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, senders: QuerySet[BroadcastSender], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.senders = senders

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        senders = self.senders
        if staff := values.get("staff"):
            senders = senders.filter(staff_id=staff)
            rows = rows.filter(among(senders, rows.model))
        state = values.get("state")
        known = Delivery.objects.filter(sender__in=senders.values("pk"))
        if state == Result.WAITING:
            waiting = senders.filter(state__in=NO_RESULT_YET)
            return rows.filter(among(waiting, rows.model)).exclude(pk__in=known.values("receiver"))
        if state == NOT_ASKED:
            closed = senders.filter(state__in=[Step.FAILED, Step.STOPPED])
            return rows.filter(among(closed, rows.model)).exclude(pk__in=known.values("receiver"))
        return rows.filter(pk__in=known.filter(state=state).values("receiver")) if state else rows


def among(senders: QuerySet[BroadcastSender], model: Any) -> RawSQL:
    """Whom these senders are asked to send to."""
    ids = list(senders.values_list("pk", flat=True))
    sql = (
        f'"{model._meta.db_table}"."id" IN (SELECT unnest(receivers) FROM broadcasts_broadcastsender'  # noqa: S608
        " WHERE id = ANY(%s))"
    )
    return RawSQL(sql, [ids], BooleanField())  # noqa: S611


BY_STAFF = ListPage(
    title=_("群发"),
    unit=_("名员工"),
    columns=(
        Column(_("员工")),
        Column(_("应送达"), sort="total", kind="number wide"),
        Column(_("已送达"), sort="sent", kind="number"),
        Column(_("未送达"), kind="wide"),
        Column(_("状态")),
        Column(_("确认时间"), kind="time wide"),
        Column(_("操作"), kind="actions"),
    ),
    row="broadcasts/_sender.html",
    order="-total",
    filters=SenderFilters,
    template="broadcasts/monitor.html",
    empty=Empty(_("还没有通知员工"), _("正在计算受众，稍后自动出现。"), picture="people"),
)
BY_RECEIVER = ListPage(
    title=_("群发"),
    unit=_("位客户"),
    columns=(
        Column(_("客户")),
        Column(_("发送员工"), kind="wide"),
        Column(_("结果")),
        Column(_("时间"), kind="time wide"),
    ),
    row="broadcasts/_receiver.html",
    order="-id",
    template="broadcasts/monitor.html",
    empty=Empty(_("没有客户"), picture="people"),
)
# -- pages -------------------------------------------------------------------------------------------------------------


@require_GET
@operator_required
def by_staff(request: HttpRequest, pk: int) -> HttpResponse:
    found = shown(request, pk)
    if found.state in (State.DRAFT, State.SCHEDULED):
        return redirect("broadcasts:check", pk) if may_edit(request) else redirect("broadcasts:broadcasts")
    page = replace(BY_STAFF, title=found.title)
    now = timezone.now()

    def prepare(rows: list[BroadcastSender]) -> list[BroadcastSender]:
        calls = calls_of([row.pk for row in rows if row.state == Step.ASKED])
        can = set(reminders.remindable(found, now).filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
        for row in rows:
            row.call = calls.get(row.pk)  # type: ignore[attr-defined]
            row.can_remind = row.pk in can and found.state == State.SENDING  # type: ignore[attr-defined]
            row.missed = [(label, getattr(row, name)) for name, label in RESULTS[2:5] if getattr(row, name)]  # type: ignore[attr-defined]
        return rows

    rows = senders_of(found, request.user).select_related("staff").defer("receivers")
    context = {**header(request, found), "tab": "staff"}
    return page.respond(request, rows, prepare=prepare, fresh_at=found.polled_at, context=context)


@require_GET
@operator_required
def by_receiver(request: HttpRequest, pk: int) -> HttpResponse:
    found = shown(request, pk)
    senders = senders_of(found, request.user)
    groups = found.kind == Kind.GROUPS
    model = GroupChat if groups else Customer
    page = replace(BY_RECEIVER, title=found.title, filters=partial(ReceiverFilters, senders=senders))
    if groups:
        page = replace(page, unit=_("个客户群"), columns=(Column(_("客户群")), *page.columns[1:]))
    rows = model.objects.filter(among(senders, model))
    context = {**header(request, found), "tab": "receivers"}
    prepare = partial(with_results, senders=senders)
    return page.respond(request, rows, prepare=prepare, fresh_at=found.polled_at, context=context)


# -- what stands above -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """Sums over the senders that one may see. Every receiver is in one of the last six."""

    asked: int
    confirmed: int
    failed: int
    total: int
    sent: int
    not_friend: int
    at_limit: int
    refused: int
    not_asked: int

    @property
    def open(self) -> int:
        return self.asked - self.confirmed - self.failed

    @property
    def waiting(self) -> int:
        return self.total - self.sent - self.not_friend - self.at_limit - self.refused - self.not_asked


def progress_of(senders: QuerySet[BroadcastSender]) -> Progress:
    closed = Q(state__in=[Step.FAILED, Step.STOPPED])
    names = ("total", "sent", "not_friend", "at_limit", "refused")
    sums = senders.aggregate(
        asked=Count("pk"),
        confirmed=Count("pk", filter=Q(state=Step.CONFIRMED)),
        failed=Count("pk", filter=closed),
        **{f"all_{name}": Sum(name) for name in names},
        **{f"closed_{name}": Sum(name, filter=closed) for name in names},
    )
    of_all = {name: sums[f"all_{name}"] or 0 for name in names}
    of_closed = {name: sums[f"closed_{name}"] or 0 for name in names}
    not_asked = of_closed.pop("total") - sum(of_closed.values())
    return Progress(
        asked=sums["asked"], confirmed=sums["confirmed"], failed=sums["failed"], not_asked=not_asked, **of_all
    )


def header(request: HttpRequest, found: Broadcast) -> dict[str, Any]:
    progress = progress_of(senders_of(found, request.user))
    groups = found.kind == Kind.GROUPS
    tiles = [
        (_now("已送达"), progress.sent, "sent", "circle-check", "green"),
        (_now("待员工发送"), progress.waiting, "waiting", "hourglass", "blue"),
        (_now("已不是好友"), progress.not_friend, "not_friend", "user-x", "rose"),
        (_now("已达接收上限"), progress.at_limit, "at_limit", "ban", "amber"),
        (_now("企业微信未受理"), progress.refused, "refused", "circle-x", "slate"),
        (_now("没有通知到员工"), progress.not_asked, NOT_ASKED, "user-minus", "slate"),
    ]
    job = Job.objects.filter(tenant=current_tenant(), kind__in=JOBS, subject=str(found.pk)).order_by("-pk").first()
    return {
        "broadcast": found,
        "groups": groups,
        "progress": progress,
        "tiles": [tile for tile in tiles if not (groups and tile[2] == "not_friend")],
        "left_out": left_out_numbers(found, request.user),
        "words": words_of(found),
        "bubbles": messages.preview(found.content),
        "may_edit": may_edit(request),
        "may_act": may_edit(request) and may_act_on_all(found, request.user),
        "remindable": reminders.remindable(found).count() if found.state == State.SENDING else 0,
        "can_retry": found.state in (State.SENDING, State.ENDED, State.FAILED)
        and found.senders.filter(state=Step.FAILED, msgid="").exists(),
        "told": told(job) if job is not None and job.state in ("queued", "running", "failed") else None,
    }


def calls_of(senders: list[int]) -> dict[int, OutgoingCall]:
    """What the outbox is doing about a sender's call: limits, a lost answer, a fault that waits for a person."""
    keys = [sending.key_of(pk) for pk in senders]
    calls = OutgoingCall.objects.filter(tenant=current_tenant(), idem_key__in=keys).exclude(
        state__in=[OutgoingCall.State.PENDING, OutgoingCall.State.LEASED]
    )
    return {call.context["sender"]: call for call in calls}


def with_results(rows: list[Any], senders: QuerySet[BroadcastSender]) -> list[Any]:
    """What became of each of one page, in words."""
    ids = [row.pk for row in rows]
    mine = {who: one for one in senders.filter(receivers__overlap=ids).select_related("staff") for who in one.receivers}
    known = Delivery.objects.filter(sender__in=senders.values("pk"), receiver__in=ids)
    results_ = {one.receiver: one for one in known}
    for row in rows:
        sender, result = mine.get(row.pk), results_.get(row.pk)
        row.sender, row.result = sender, result
        row.tone, row.said, row.why = in_words(sender, result)
    return rows


def in_words(sender: BroadcastSender | None, result: Delivery | None) -> tuple[str, str, str]:
    """Tone, state, and why it did not arrive."""
    if result is not None and result.state == Result.SENT:
        return "sent", _now("已送达"), ""
    if result is not None:
        why = {
            Result.NOT_FRIEND: _now("发送时客户与员工已不是好友"),
            Result.AT_LIMIT: _now("客户已收到足够多的群发，企业微信没有再送达"),
            Result.REFUSED: _now("企业微信没有受理：可能已达接收上限，或已不是好友"),
        }
        return "refused", str(result.get_state_display()), why.get(Result(result.state), "")
    if sender is None or sender.state == Step.FAILED:
        return "failed", _now("没有通知到员工"), sender.reason if sender else ""
    if sender.state == Step.STOPPED:
        return "cancelled", _now("已停止"), _now("停止前员工还没有发送")
    if sender.state in (Step.PLANNED, Step.ASKED, Step.UNKNOWN):
        return "pending", _now("正在通知员工"), ""
    if sender.state == Step.CONFIRMED:
        return "pending", _now("等待结果"), _now("员工已确认，企业微信还没有给出结果")
    return "waiting", _now("待员工发送"), _now("等待%(staff)s 在企业微信中确认") % {"staff": sender.staff}


# -- acts --------------------------------------------------------------------------------------------------------------


@require_POST
@operator_required
def refresh(request: HttpRequest, pk: int) -> HttpResponse:
    found = shown(request, pk)
    if found.ended_at is None:
        results.look_now(found, by=request.user.get_username())
    text = _now("正在向企业微信查询，几秒后刷新页面查看") if found.ended_at is None else _now("结果已停止更新")
    return back(request, pk, text)


def on_all(act: Callable[[HttpRequest, Broadcast], HttpResponse]) -> Callable[..., HttpResponse]:
    """An act that concerns everybody who was asked."""

    @require_POST
    @editors
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        found = shown(request, pk)
        if not may_act_on_all(found, request.user):
            text = _now("这条群发还通知了您管理范围以外的员工，由创建人或能看到全部员工的管理员操作")
            return back(request, pk, text, "error")
        return act(request, found)

    return view


@on_all
def remind(request: HttpRequest, found: Broadcast) -> HttpResponse:
    count = reminders.remind_all(found, by=request.user.get_username()) if found.state == State.SENDING else 0
    if not count:
        return back(request, found.pk, _now("没有需要提醒的员工，或 24 小时内已提醒 3 次"), "warning")
    record(request, "broadcast.remind", found.title, {"staff": count})
    return back(request, found.pk, _now("正在提醒 %(n)d 名员工") % {"n": count})


@require_POST
@editors
def remind_one(request: HttpRequest, pk: int, sender: int) -> HttpResponse:
    found = shown(request, pk)
    one = get_object_or_404(senders_of(found, request.user).select_related("staff"), pk=sender)
    rows = reminders.remindable(found).filter(pk=one.pk)
    if not reminders.remind(found, rows, by=request.user.get_username()):
        return back(request, pk, _now("刚刚提醒过，或 24 小时内已提醒 3 次"), "warning")
    record(request, "broadcast.remind", found.title, {"staff": str(one.staff)})
    return back(request, pk, _now("已提醒 %(staff)s") % {"staff": one.staff})


@on_all
def stop(request: HttpRequest, found: Broadcast) -> HttpResponse:
    try:
        sending.stop(found, by=request.user.get_username())
    except ValidationError as error:
        return back(request, found.pk, " ".join(error.messages), "error")
    record(request, "broadcast.stop", found.title)
    return back(request, found.pk, _now("已停止：还没有发送的员工将不能再发送"))


@on_all
def retry(request: HttpRequest, found: Broadcast) -> HttpResponse:
    try:
        count = sending.retry(found, by=request.user.get_username())
    except ValidationError as error:
        return back(request, found.pk, " ".join(error.messages), "error")
    record(request, "broadcast.retry", found.title, {"staff": count})
    return back(request, found.pk, _now("正在重新通知 %(n)d 名员工") % {"n": count})


def back(request: HttpRequest, pk: int, text: str, level: str = "success") -> HttpResponse:
    return done(request, text, back_to=reverse("broadcasts:broadcast", args=[pk]), level=level, leave=True)
