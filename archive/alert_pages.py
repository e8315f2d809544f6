"""会话预警: what was found, at whom it ended, and what that person did about it. And 敏感词, 超时质检, 同意情况."""

from dataclasses import replace
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import operator_of
from archive import alerts as acts
from archive import consents as consent_job
from archive import overdue, showing
from archive.models import Alert, ArchivedMessage, Consent, ReplyRule, SensitiveWord
from archive.scope import alerts_of, consents_of
from console.access import operator_required, role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm, KitModelForm, PickMany
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Customer
from members.models import Staff

MOST_WORDS = 500
WEEK = [(1, _("周一")), (2, _("周二")), (3, _("周三")), (4, _("周四")), (5, _("周五")), (6, _("周六")), (7, _("周日"))]


def waiting_for(request: HttpRequest) -> int:
    """The badge: alerts that are this person's to settle; for who is no member, all that are open."""
    rows = Alert.objects.filter(state=Alert.State.OPEN)
    mine = Staff.objects.filter(operator=operator_of(request)).first()
    if mine is not None:
        return rows.filter(assigned_to=mine).count()
    return alerts_of(request.user).filter(state=Alert.State.OPEN).count()


# -- alerts ------------------------------------------------------------------------------------------------------------


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
    around = around_of(found)
    record(request, "archive.read", target=found.talk.name, detail={"alert": found.pk})
    context = {
        "alert": found,
        "lines": around,
        "form": form,
        "title": acts.TITLES[Alert.Kind(found.kind)],
        "submit": _now("确定"),
    }
    return drawer(request, "archive/_alert.html", context, wrong=bool(form.errors))


def around_of(found: Alert) -> list[showing.Line]:
    """The message with two before and three after it."""
    rows = ArchivedMessage.objects.filter(conversation=found.conversation_id)
    before = rows.filter(at__lt=found.message.at).order_by("-at", "-id")[:2]
    after = rows.filter(at__gt=found.message.at).order_by("at", "id")[:3]
    return showing.lines([*list(before)[::-1], found.message, *after], wanted=found.message_id)


# -- 敏感词 ------------------------------------------------------------------------------------------------------------


class WordsForm(KitForm):
    words = forms.CharField(
        label=_("敏感词"), help_text=_("每行一个，2–32 个字"), widget=forms.Textarea(attrs={"rows": 6}), max_length=4000
    )
    by = forms.ChoiceField(label=_("谁说的"), choices=SensitiveWord.By.choices, initial=SensitiveWord.By.ANYONE)

    def clean_words(self) -> list[str]:
        words = list(
            dict.fromkeys(line.strip() for line in str(self.cleaned_data["words"]).splitlines() if line.strip())
        )
        if wrong := next((word for word in words if not 2 <= len(word) <= 32), None):
            raise ValidationError(_("「%(word)s」不是 2–32 个字"), params={"word": wrong[:40]})
        if SensitiveWord.objects.filter(archived_at=None).count() + len(words) > MOST_WORDS:
            raise ValidationError(_("敏感词最多 %(n)s 个"), params={"n": MOST_WORDS})
        return words


WORDS = ListPage(
    title=_("敏感词"),
    unit=_("个"),
    help=_("新消息命中任一敏感词时，会话预警会指派给员工的部门负责人，并发送应用消息。"),
    columns=(
        Column(_("敏感词")),
        Column(_("谁说的")),
        Column(_("添加人"), kind="wide"),
        Column(_("添加时间"), sort="created_at", kind="time wide"),
        Column("", kind="actions"),
    ),
    row="archive/_word_row.html",
    order="-created_at",
    empty=Empty(_("还没有敏感词"), _("添加后，从下一条消息开始检查。"), picture="list"),
    template="archive/words.html",
)


@require_GET
@role_required("owner", "admin")
def words(request: HttpRequest) -> HttpResponse:
    return WORDS.respond(request, SensitiveWord.objects.filter(archived_at=None))


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def new_words(request: HttpRequest) -> HttpResponse:
    form = WordsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        SensitiveWord.objects.bulk_create(
            [SensitiveWord(word=word, by=values["by"], created_by=str(request.user)[:80]) for word in values["words"]],
            ignore_conflicts=True,
        )
        record(request, "word.create", detail={"words": values["words"][:50], "by": values["by"]})
        return done(request, _now("已添加，从下一条消息开始检查"), back_to="archive:words")
    context = {"form": form, "title": _now("添加敏感词"), "submit": _now("添加")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


@require_POST
@role_required("owner", "admin")
def delete_word(request: HttpRequest, pk: int) -> HttpResponse:
    word = get_object_or_404(SensitiveWord, pk=pk, archived_at=None)
    SensitiveWord.objects.filter(pk=word.pk).update(archived_at=timezone.now())
    record(request, "word.delete", target=word.word)
    return done(request, _now("已删除"), back_to="archive:words")


# -- 超时质检 ----------------------------------------------------------------------------------------------------------


class Weekdays(PickMany):
    folded = False


class RuleForm(KitModelForm):
    weekdays = forms.TypedMultipleChoiceField(label=_("工作日"), choices=WEEK, coerce=int, widget=Weekdays)

    class Meta:
        model = ReplyRule
        fields = ("enabled", "minutes", "weekdays", "from_time", "to_time")
        widgets = {name: forms.TimeInput(attrs={"type": "time"}, format="%H:%M") for name in ("from_time", "to_time")}
        help_texts = {
            "minutes": _("只计算工作时间；客户说“谢谢”“好的”等结束语不算等待"),
            "enabled": _("超时后指派给员工的部门负责人，并发送应用消息"),
        }

    def clean_minutes(self) -> int:
        minutes = int(self.cleaned_data["minutes"])
        if not 1 <= minutes <= 1440:
            raise ValidationError(_("请填写 1–1440 分钟"))
        return minutes

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        start, end = values.get("from_time"), values.get("to_time")
        if start and end and start >= end:
            self.add_error("to_time", _("下班时间要晚于上班时间"))
        return values


def the_rule() -> ReplyRule:
    return ReplyRule.objects.filter(only=True).first() or ReplyRule(weekdays=[1, 2, 3, 4, 5])


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def rule(request: HttpRequest) -> HttpResponse:
    form = RuleForm(request.POST or None, instance=the_rule())
    if request.method == "POST" and form.is_valid():
        form.save()
        overdue.rule_changed()
        record(request, "reply_rule.save", detail={name: str(form.cleaned_data[name]) for name in form.changed_data})
        return done(request, _now("已保存"), back_to="archive:rule", leave=True)
    waiting = Alert.objects.filter(kind=Alert.Kind.OVERDUE, state=Alert.State.OPEN).count()
    context = {"form": form, "waiting": waiting}
    return render(request, "archive/rule.html", context, status=422 if form.errors else 200)


# -- 同意情况 ----------------------------------------------------------------------------------------------------------


class ConsentFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索客户昵称、备注"), max_length=64)
    status = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *Consent.Status.choices])

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            named = Customer.objects.search(term).filter(external_userid=OuterRef("external_userid"))
            rows = rows.filter(Exists(named))
        if status := values.get("status"):
            rows = rows.filter(status=status)
        return rows


CONSENTS = ListPage(
    title=_("同意情况"),
    unit=_("条"),
    help=_("客户是否同意会话存档，按客户与员工分别记录。每天与企业微信核对一次，客户在会话中表态时立即更新。"),
    columns=(
        Column(_("客户")),
        Column(_("员工或群"), kind="wide"),
        Column(_("状态")),
        Column(_("表态时间"), kind="time wide"),
        Column(_("核对时间"), sort="checked_at", kind="time wide"),
    ),
    row="archive/_consent_row.html",
    order="-checked_at",
    filters=ConsentFilters,
    empty=Empty(_("还没有记录"), _("接入会话存档后，每天夜里核对一次；也可以立即核对。"), picture="people"),
    template="archive/consents.html",
)


@require_GET
@operator_required
def consents(request: HttpRequest) -> HttpResponse:
    return CONSENTS.respond(request, consents_of(request.user), prepare=with_names)


def with_names(rows: list[Consent]) -> list[Consent]:
    people = showing.people_named(one for row in rows for one in (row.external_userid, row.userid))
    customers = Customer.objects.filter(external_userid__in=[row.external_userid for row in rows])
    pages = dict(customers.values_list("external_userid", "pk"))
    for row in rows:
        row.customer = people[row.external_userid]  # type: ignore[attr-defined]
        row.customer_pk = pages.get(row.external_userid)  # type: ignore[attr-defined]
        row.with_whom = people[row.userid].name if row.userid else row.chat_id  # type: ignore[attr-defined]
    return rows


@require_POST
@role_required("owner", "admin")
def check_consents(request: HttpRequest) -> HttpResponse:
    job = consent_job.check_later(by=request.user.get_username())
    if job is None:
        return done(request, _now("请先接入会话存档"), back_to="archive:consents", level="warning", leave=True)
    record(request, "archive.consents")
    return done(request, _now("正在核对，完成后刷新列表"), back_to="archive:consents", leave=True)
