"""群发: the list, the composer, and the preflight that is promised before it goes."""

from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from broadcasts import audience, limits, sending
from broadcasts.forms import BroadcastForm, RuleForm, conditions_of
from broadcasts.models import Broadcast, BroadcastSender, LeftOut
from broadcasts.origins import origin_of
from console.access import operator_required, role_required
from console.answers import done, drawer
from console.audit import record
from console.lists import Column, Empty, Filters, ListPage
from console.templatetags.kit import amount
from console.uses import Hold, Use
from content import messages
from content.material_uses import held_by, holding
from members.scope import visible_staff
from tagging.conditions import Vocabulary

State, Kind = Broadcast.State, Broadcast.Kind
SHOWN = 50  # senders listed before it is sent; all of them stand on the monitor
MOST_USES = 20
editors = role_required("owner", "admin")


def broadcasts_of(operator: Any) -> QuerySet[Broadcast]:
    """One's own, and those that one's staff are asked to send."""
    rows = Broadcast.objects.all()
    seen = visible_staff(operator)
    if seen is None:
        return rows
    asked = BroadcastSender.objects.filter(broadcast=OuterRef("pk"), staff__in=seen.values("pk"))
    return rows.filter(Q(Exists(asked)) | Q(created_by=operator.get_username()))


def senders_of(broadcast: Broadcast, operator: Any) -> QuerySet[BroadcastSender]:
    rows = BroadcastSender.objects.filter(broadcast=broadcast)
    seen = visible_staff(operator)
    return rows if seen is None else rows.filter(staff__in=seen.values("pk"))


def may_act_on_all(broadcast: Broadcast, operator: Any) -> bool:
    """Stopping and the like concerns every member who was asked: one's own broadcast, or all of them are one's own."""
    if broadcast.created_by == operator.get_username():
        return True
    return not broadcast.senders.exclude(pk__in=senders_of(broadcast, operator).values("pk")).exists()


def shown(request: HttpRequest, pk: int) -> Broadcast:
    return get_object_or_404(broadcasts_of(request.user).select_related("segment"), pk=pk)


class BroadcastFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索群发名称"), max_length=40)
    kind = forms.ChoiceField(label=_("类型"), choices=[("", _("全部类型")), *Kind.choices])
    state = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *State.choices])

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(title__icontains=term)
        return rows.filter(**{name: values[name] for name in ("kind", "state") if name in values})


BROADCASTS = ListPage(
    title=_("群发"),
    unit=_("条群发"),
    help=_("选好客户或客户群，由各自的员工确认后发出。发送前先看清谁会收到、谁收不到，发送后逐人跟踪结果。"),
    columns=(
        Column(_("群发")),
        Column(_("类型"), kind="wide"),
        Column(_("员工已发送"), kind="number wide"),
        Column(_("已送达"), kind="number"),
        Column(_("状态")),
        Column(_("时间"), kind="time wide"),
    ),
    row="broadcasts/_broadcast.html",
    row_url=lambda row: reverse("broadcasts:broadcast", args=[row.pk]),
    order="-id",
    filters=BroadcastFilters,
    template="broadcasts/broadcasts.html",
    empty=Empty(
        _("还没有群发"),
        _("向一群客户发送同一条消息：先预检人数，再由员工一键确认，结果逐人可查。"),
        _("新建客户群发"),
        "broadcasts:new_customers",
        picture="chat",
    ),
)


@require_GET
@operator_required
def index(request: HttpRequest) -> HttpResponse:
    def prepare(rows: list[Broadcast]) -> list[Broadcast]:
        return with_numbers(rows, request.user)

    context = {"may_edit": may_edit(request)}
    return BROADCASTS.respond(request, broadcasts_of(request.user), prepare=prepare, context=context)


def may_edit(request: HttpRequest) -> bool:
    return request.user.role in ("owner", "admin")


def with_numbers(rows: list[Broadcast], operator: Any) -> list[Broadcast]:
    """Sums over the senders that one may see, and the audience in words, for one page."""
    seen = visible_staff(operator)
    senders = BroadcastSender.objects.filter(broadcast__in=rows)
    senders = senders if seen is None else senders.filter(staff__in=seen.values("pk"))
    sums = {
        found["broadcast_id"]: found
        for found in senders.values("broadcast_id").annotate(
            asked=Count("pk"),
            done=Count("pk", filter=Q(state=BroadcastSender.State.CONFIRMED)),
            total=Sum("total"),
            got=Sum("sent"),
        )
    }
    vocabulary = Vocabulary([row.tree for row in rows if row.kind == Kind.CUSTOMERS])
    for row in rows:
        row.sums = sums.get(row.pk)  # type: ignore[attr-defined]
        row.words = words_of(row, vocabulary)  # type: ignore[attr-defined]
    return rows


def uses_of_segment(segment: int, operator: Any = None) -> list[Use]:
    """Drafts and scheduled ones first, then what was sent."""
    rows = Broadcast.objects.filter(segment=segment)
    waiting = Q(state__in=[State.DRAFT, State.SCHEDULED])
    found = list(rows.alias(waits=waiting).order_by("-waits", "-pk")[:MOST_USES])
    seen = broadcasts_of(operator) if operator is not None else rows
    mine = set(seen.filter(pk__in=[row.pk for row in found]).values_list("pk", flat=True))
    holds = {State.DRAFT: Hold.DRAFT, State.SCHEDULED: Hold.NEEDED}
    return [
        Use(
            _("群发"),
            row.title,
            row.get_state_display(),
            reverse("broadcasts:broadcast", args=[row.pk]) if row.pk in mine else "",
            holds.get(State(row.state), Hold.PAST),
        )
        for row in found
    ]


def uses_of_materials(materials: Collection[int], operator: Any) -> Iterable[tuple[int, Use]]:
    """Those whose content was not handed to WeCom for every sender yet."""
    unasked = BroadcastSender.objects.filter(broadcast=OuterRef("pk"), state=BroadcastSender.State.PLANNED)
    ahead = Q(state__in=[State.DRAFT, State.SCHEDULED, State.PLANNING]) | Q(Exists(unasked), state=State.SENDING)
    found = list(Broadcast.objects.filter(ahead, holding(materials)).order_by("-pk"))
    mine = set(broadcasts_of(operator).filter(pk__in=[row.pk for row in found]).values_list("pk", flat=True))
    for row in found:
        hold = Hold.DRAFT if row.state == State.DRAFT else Hold.NEEDED
        url = reverse("broadcasts:broadcast", args=[row.pk]) if row.pk in mine else ""
        use = Use(_("群发"), row.title, row.get_state_display(), url, hold)
        yield from ((pk, use) for pk in held_by(row.content, materials))


def words_of(row: Broadcast, vocabulary: Vocabulary | None = None) -> str:
    """To whom, as a sentence."""
    if origin := origin_of(row):
        return str(origin[0].words)
    if row.kind == Kind.GROUPS:
        return _now("%(n)d 位群主的客户群") % {"n": len(row.staff_ids)} if row.staff_ids else _now("全部客户群")
    if row.segment is not None:
        return _now("人群包：%(name)s") % {"name": row.segment}
    return (vocabulary or Vocabulary([row.tree])).say(row.tree)


# -- composing ---------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@editors
def new(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in Kind.values:
        raise Http404
    return compose(request, Broadcast(kind=kind))


@require_http_methods(["GET", "POST"])
@editors
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(broadcasts_of(request.user), pk=pk)
    if found.state != State.DRAFT:
        return redirect("broadcasts:broadcast", pk)
    return compose(request, found)


def compose(request: HttpRequest, broadcast: Broadcast) -> HttpResponse:
    form = BroadcastForm(request.POST or None, broadcast=broadcast, operator=request.user)
    if request.method == "POST" and form.is_valid():
        row = form.filled()
        row.created_by = row.created_by or request.user.get_username()
        row.scope_staff_ids = audience.reach_of(request.user)
        if not sending.keep_draft(row):
            text = _now("这条群发已经提交，不能再修改")
            return done(
                request, text, back_to=reverse("broadcasts:broadcast", args=[row.pk]), level="error", leave=True
            )
        record(request, "broadcast.save", row.title)
        if "draft" in request.POST:
            return done(request, _now("草稿已保存"), back_to="broadcasts:broadcasts", leave=True)
        return redirect("broadcasts:check", row.pk)
    context = {"form": form, "broadcast": broadcast, "groups": broadcast.kind == Kind.GROUPS}
    context |= {"words": words_of(broadcast) if broadcast.origin else ""}
    return render(request, "broadcasts/compose.html", context, status=422 if form.errors else 200)


@require_GET
@editors
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """The preflight: who would get it now, through whom, and who would not."""
    row = get_object_or_404(broadcasts_of(request.user).select_related("segment"), pk=pk)
    if row.state not in (State.DRAFT, State.SCHEDULED):
        return redirect("broadcasts:broadcast", pk)
    if row.state == State.DRAFT:
        row.scope_staff_ids = audience.reach_of(request.user)
    found = audience.preflight(row)
    names = dict(LeftOut.Reason.choices)
    reasons = [reason for reason in names if not (row.kind == Kind.GROUPS and reason == LeftOut.Reason.DELETED)]
    context = {
        "broadcast": row,
        "found": found,
        "left_out": [(reason, names[reason], found.left_out.get(reason, 0)) for reason in reasons],
        "senders": found.senders[:SHOWN],
        "more": max(0, len(found.senders) - SHOWN),
        "words": words_of(row),
        "bubbles": messages.preview(row.content),
        "groups": row.kind == Kind.GROUPS,
        "question": question(row, found),
        "limit": limits.rule().get_span_display(),
    }
    return render(request, "broadcasts/check.html", context)


def question(row: Broadcast, found: audience.Preflight) -> str:
    """The confirm sheet repeats the counts."""
    values = {"staff": amount(len(found.senders)), "n": amount(found.receivers)}
    if row.kind == Kind.GROUPS:
        said = _now("将通知 %(staff)s 位群主，由他们确认后发到 %(n)s 个客户群。") % values
    else:
        said = _now("将通知 %(staff)s 名员工，由他们确认后发给 %(n)s 位客户。") % values
    if found.crowded:
        said += _now("其中 %(n)s 可能收不到：还有其他群发等待员工确认。") % {"n": amount(found.crowded)}
    if left := sum(found.left_out.values()):
        said += _now("另有 %(left)s 不会收到。") % {"left": amount(left)}
    return said + _now("员工确认后无法撤回。")


@require_POST
@editors
def send(request: HttpRequest, pk: int) -> HttpResponse:
    """Only what was read is sent: numbers that changed since are shown again first."""
    row = get_object_or_404(broadcasts_of(request.user).select_related("segment"), pk=pk)
    scope = audience.reach_of(request.user)
    row.scope_staff_ids = scope
    found = audience.preflight(row) if row.state == State.DRAFT else None
    back = reverse("broadcasts:check", args=[pk])
    if found is not None and not found.receivers:
        return done(request, _now("没有可以发送的对象，请修改受众"), back_to=back, level="error", leave=True)
    if found is not None and row.send_at is not None and row.send_at <= timezone.now():
        text = _now("定时发送的时间已过，请修改时间后再次确认")
        return done(request, text, back_to=back, level="error", leave=True)
    read = (request.POST.get("receivers", ""), request.POST.get("senders", ""))
    if found is not None and read != (str(found.receivers), str(len(found.senders))):
        text = _now("人数刚刚有变化，请核对后再次确认")
        return done(request, text, back_to=back, level="warning", leave=True)
    try:
        sending.send(
            row, by=request.user.get_username(), scope=scope, promised=found.kept if found is not None else None
        )
    except ValidationError as error:
        return done(request, " ".join(error.messages), back_to=back, level="error", leave=True)
    record(request, "broadcast.send", row.title, row.preflight)
    text = _now("已定时，到点后通知员工") if row.state == State.SCHEDULED else _now("正在通知员工")
    return done(request, text, back_to=reverse("broadcasts:broadcast", args=[pk]), leave=True)


@require_POST
@editors
def unschedule(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(broadcasts_of(request.user), pk=pk)
    if not sending.unschedule(row):
        text, level = _now("已经开始通知员工，不能取消定时"), "error"
    else:
        record(request, "broadcast.unschedule", row.title)
        text, level = _now("已取消定时，可以修改后重新发送"), "success"
    return done(request, text, back_to=reverse("broadcasts:broadcast", args=[pk]), level=level, leave=True)


@require_POST
@editors
def copy(request: HttpRequest, pk: int) -> HttpResponse:
    """A new draft with the same audience and content."""
    row = get_object_or_404(broadcasts_of(request.user), pk=pk)
    segment = row.segment if row.segment is not None and row.segment.archived_at is None else None
    made = Broadcast.objects.create(
        kind=row.kind,
        title=_now("%(title)s 副本") % {"title": row.title[:36]},
        segment=segment,
        tree={} if segment else conditions_of(row),
        staff_ids=row.staff_ids,
        content=row.content,
        origin=row.origin,
        remind_after=row.remind_after,
        created_by=request.user.get_username(),
        scope_staff_ids=audience.reach_of(request.user),
    )
    record(request, "broadcast.save", made.title)
    return redirect("broadcasts:edit", made.pk)


@require_POST
@editors
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(broadcasts_of(request.user), pk=pk, state=State.DRAFT)
    if not sending.drop_draft(row):
        text = _now("这条群发已经提交，不能再修改")
        return done(request, text, back_to=reverse("broadcasts:broadcast", args=[pk]), level="error", leave=True)
    record(request, "broadcast.delete", row.title)
    return done(request, _now("草稿已删除"), back_to="broadcasts:broadcasts", leave=True)


@require_http_methods(["GET", "POST"])
@editors
def rule(request: HttpRequest) -> HttpResponse:
    """What the company's admin chose in WeCom, which no API tells."""
    form = RuleForm(request.POST or None, instance=limits.rule())
    if request.method == "POST" and form.is_valid():
        form.save()
        record(request, "broadcast.rule", detail={"span": form.cleaned_data["span"]})
        return done(request, _now("已保存"), back_to="broadcasts:broadcasts", leave=True)
    context = {"title": _now("接收上限"), "form": form, "submit": _now("保存")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))
