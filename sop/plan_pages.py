"""客户SOP pages: the list, one plan as a line of time, its steps, what it would do, and who is in it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access import operator_required, role_required
from console.answers import done
from console.audit import record
from console.lists import Column, Empty, Filters, ListPage
from console.uses import Hold, Use
from content import messages
from sop import plans, rules, upgrade
from sop.enrol import newest
from sop.enrolment_pages import enrolments_of, living, rights
from sop.forms import PlanForm, SimulateForm, StepForm
from sop.models import Enrolment, Plan, PlanVersion, Step
from sop.rights import in_range, may_act_on, plan_of_step
from sop.words import Vocabulary, pace_words, reason_words, when_words

editors = role_required("owner", "admin")
State = Enrolment.State


def plan_url(plan: Plan) -> str:
    return reverse("sop:plan", args=[plan.pk])


# -- the list ----------------------------------------------------------------------------------------------------------


class PlanFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索 SOP 名称"), max_length=30)
    enabled = forms.ChoiceField(
        label=_("状态"), choices=[("", _("全部状态")), ("on", _("已启用")), ("off", _("已停用"))]
    )

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(name__icontains=term)
        return rows.filter(enabled=values["enabled"] == "on") if "enabled" in values else rows


PLANS = ListPage(
    title=_("客户SOP"),
    unit=_("个 SOP"),
    help=_("从一件事开始，按天按点提醒员工给客户发什么；员工在侧边栏一键发送，系统自动记为完成。"),
    columns=(
        Column(_("SOP")),
        Column(_("步骤"), kind="number wide"),
        Column(_("进行中"), kind="number"),
        Column(_("已完成"), kind="number wide"),
        Column(_("已退出"), kind="number wide"),
        Column(_("状态")),
        Column(_("修改时间"), sort="updated_at", kind="time wide"),
    ),
    row="sop/_plan.html",
    row_url=plan_url,
    order="-updated_at",
    filters=PlanFilters,
    template="sop/plans.html",
    empty=Empty(
        _("还没有 SOP"),
        _("例如“新客 7 天培育”：客户添加员工后，第 1 天介绍产品，第 3 天发案例，第 7 天邀约到店。"),
        _("新建 SOP"),
        "sop:new_plan",
    ),
)


@require_GET
@operator_required
def index(request: HttpRequest) -> HttpResponse:
    return PLANS.respond(
        request, living(), prepare=partial(with_numbers, operator=request.user), context=rights(request)
    )


def with_numbers(rows: list[Plan], operator: Any) -> list[Plan]:
    versions = latest_of(rows)
    vocabulary = Vocabulary(list(versions.values()))
    counts = numbers(enrolments_of(operator).filter(plan__in=rows))
    steps = dict(
        Step.objects.filter(version__in=versions.values()).values_list("version_id").annotate(number=Count("pk"))
    )
    for row in rows:
        version = versions.get(row.pk)
        row.words = vocabulary.trigger(version.trigger) if version else ""  # type: ignore[attr-defined]
        row.step_count = steps.get(version.pk, 0) if version else 0  # type: ignore[attr-defined]
        row.counts = counts.get(row.pk, {})  # type: ignore[attr-defined]
        row.is_draft = version is None or version.published_at is None  # type: ignore[attr-defined]
    return rows


def uses_of_segment(segment: int, operator: Any = None) -> list[Use]:
    """Plans that begin by who enters it, now or once their draft is published."""
    versions = PlanVersion.objects.filter(plan__archived_at=None, trigger__segment=segment).select_related("plan")
    found = {version.plan_id: version.plan for version in versions.order_by("plan")}
    current = latest_of(list(found.values()))
    uses = []
    for pk, plan in found.items():
        here = current[pk].published_at is not None and current[pk].trigger.get("segment") == segment
        drafted = any(one.published_at is None and one.plan_id == pk for one in versions)
        if here or drafted:
            hold = Hold.NEEDED if here and plan.enabled else Hold.DRAFT
            state = _("已启用") if plan.enabled else _("已停用")
            uses.append(Use(_("客户SOP"), plan.name, state, plan_url(plan), hold, watches=here))
    return uses


def latest_of(rows: list[Plan]) -> dict[int, PlanVersion]:
    """What counts of each plan: the newest published version, or the draft of one that never was."""
    found: dict[int, PlanVersion] = {}
    for one in PlanVersion.objects.filter(plan__in=rows).order_by("number"):
        if one.published_at is not None or one.plan_id not in found:
            found[one.plan_id] = one
    return found


def numbers(rows: QuerySet[Enrolment]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for plan, state, number in rows.order_by().values_list("plan_id", "state").annotate(number=Count("pk")):
        found.setdefault(plan, {})[state] = number
    return found


# -- one plan ----------------------------------------------------------------------------------------------------------


@require_GET
@operator_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The published version, or the draft with `?draft=1` and where there is nothing else."""
    plan = get_object_or_404(living(), pk=pk)
    draft, published = plans.stored_draft(plan), newest(plan)
    version = draft if draft and (published is None or request.GET.get("draft")) else published
    if version is None:
        version = plans.draft_of(plan, by=plan.created_by)
    vocabulary = Vocabulary([version])
    counts = numbers(enrolments_of(request.user).filter(plan=plan)).get(plan.pk, {})
    context = {
        "plan": plan,
        "version": version,
        "draft": draft,
        "published": published,
        "is_draft": version.published_at is None,
        "trigger": vocabulary.trigger(version.trigger),
        "exits": vocabulary.exits(version.exits),
        "steps": shown_steps(version),
        "close": plans.close_steps(version),
        "counts": counts,
        "pace": pace_words(rules.pace()),
        "older": enrolments_of(request.user).filter(plan=plan, state=State.ACTIVE).exclude(version=published).count(),
        "simulate": SimulateForm(initial={"at": timezone.localtime()}),
        **rights(request),
    }
    if context["may_edit"] and not may_act_on(plan, request.user):
        context |= {"may_edit": False, "out_of_range": True}
    return render(request, "sop/plan.html", context)


def shown_steps(version: PlanVersion) -> list[Step]:
    steps = list(version.steps.order_by("no"))
    for step in steps:
        step.when = when_words(step)  # type: ignore[attr-defined]
        step.bubbles = messages.preview(step.content)  # type: ignore[attr-defined]
    return steps


@require_http_methods(["GET", "POST"])
@editors
def new(request: HttpRequest) -> HttpResponse:
    form = PlanForm(request.POST or None, operator=request.user, initial={"on": "added"})
    if request.method == "POST" and form.is_valid():
        made = kept(form, lambda: plans.create(**form.facts, by=request.user.get_username()))
        if made is not None:
            record(request, "sop.create", made.name)
            return done(request, _now("已新建，请添加步骤后发布"), back_to=plan_url(made), leave=True)
    context = {"form": form, "title": _now("新建 SOP"), "submit": _now("下一步：添加步骤")}
    return render(request, "sop/plan_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@editors
@in_range()
def settings(request: HttpRequest, pk: int) -> HttpResponse:
    """Name, beginning and end; what holds for customers is changed in the draft."""
    plan = get_object_or_404(living(), pk=pk)
    version = plans.stored_draft(plan) or newest(plan) or plans.draft_of(plan, by="")
    form = PlanForm(request.POST or None, operator=request.user, initial=PlanForm.initial_of(plan, version))
    if request.method == "POST" and form.is_valid():

        def change() -> bool:
            plans.change(plan, **form.facts, by=request.user.get_username())
            return True

        if kept(form, change):
            record(request, "sop.change", plan.name)
            return done(request, _now("已保存到草稿，发布后生效"), back_to=draft_url(plan), leave=True)
    context = {"form": form, "plan": plan, "title": _now("开始与结束"), "submit": _now("保存")}
    return render(request, "sop/plan_form.html", context, status=422 if form.errors else 200)


def draft_url(plan: Plan) -> str:
    return f"{plan_url(plan)}?draft=1"


def kept(form: forms.Form, act: Callable[[], Any]) -> Any:
    """What the act gives; None when it refused, which then stands beside the fields."""
    try:
        with transaction.atomic():
            return act()
    except ValidationError as refused:
        form.add_error(None, refused)
        return None


@require_http_methods(["GET", "POST"])
@editors
@in_range()
def new_step(request: HttpRequest, pk: int) -> HttpResponse:
    plan = get_object_or_404(living(), pk=pk)
    return edit_step(request, plan, Step(), initial={"kind": "day", "day": 1, "at": "10:00", "valid_hours": 24})


@require_http_methods(["GET", "POST"])
@editors
@in_range(plan_of_step)
def step(request: HttpRequest, pk: int) -> HttpResponse:
    found = step_or_404(pk)
    return edit_step(request, found.version.plan, found, initial=StepForm.initial_of(found))


def step_or_404(pk: int) -> Step:
    """Of the newest version or of the draft: older ones belong to those who are on the way. A page that is older than
    the draft means the draft's copy of its step, and no step that has taken its number since."""
    found = get_object_or_404(Step.objects.select_related("version__plan"), pk=pk, version__plan__archived_at=None)
    plan = found.version.plan
    current = plans.stored_draft(plan) or newest(plan)
    if current == found.version:
        return found
    same = {name: getattr(found, name) for name in plans.COPIED if name != "no"}
    return get_object_or_404(Step.objects.filter(version=current, **same).order_by("no")[:1])


def edit_step(request: HttpRequest, plan: Plan, found: Step, initial: dict[str, Any]) -> HttpResponse:
    form = StepForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        saved = kept(form, lambda: plans.save_step(plan, form.fill(found), by=request.user.get_username()))
        if saved is not None:
            record(request, "sop.change", plan.name, {"step": saved.title})
            return done(request, _now("步骤已保存到草稿，发布后生效"), back_to=draft_url(plan), leave=True)
    context = {"form": form, "plan": plan, "step": found if found.pk else None}
    return render(request, "sop/step_form.html", context, status=422 if form.errors else 200)


@require_POST
@editors
@in_range(plan_of_step)
def drop_step(request: HttpRequest, pk: int) -> HttpResponse:
    found = step_or_404(pk)
    plan = found.version.plan
    plans.drop_step(plan, found, by=request.user.get_username())
    record(request, "sop.change", plan.name, {"step": found.title})
    return done(request, _now("步骤已从草稿移除，发布后生效"), back_to=draft_url(plan), leave=True)


@require_POST
@editors
@in_range()
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    plan = get_object_or_404(living(), pk=pk)
    try:
        version = plans.publish(plan, by=request.user.get_username())
    except ValidationError as refused:
        return done(request, " ".join(refused.messages), back_to=draft_url(plan), level="error", leave=True)
    record(request, "sop.publish", plan.name, {"version": version.number})
    text = _now("第 %(n)d 版已发布，之后开始的客户按新版执行") % {"n": version.number}
    return done(request, text, back_to=plan_url(plan), leave=True)


@require_POST
@editors
@in_range()
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """The draft is thrown away; what is published stays."""
    plan = get_object_or_404(living(), pk=pk)
    if newest(plan) is not None:
        PlanVersion.objects.filter(plan=plan, published_at=None).delete()
        record(request, "sop.discard", plan.name)
    return done(request, _now("草稿已放弃"), back_to=plan_url(plan), leave=True)


@require_POST
@editors
@in_range()
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    plan = get_object_or_404(living(), pk=pk)
    try:
        plans.switch(plan, on=not plan.enabled)
    except ValidationError as refused:
        return done(request, " ".join(refused.messages), back_to=plan_url(plan), level="error", leave=True)
    record(request, "sop.switch", plan.name, {"enabled": plan.enabled})
    text = _now("已启用，从现在起符合条件的客户会进入") if plan.enabled else _now("已停用，进行中的客户会继续完成")
    return done(request, text, back_to=plan_url(plan), leave=True)


@require_POST
@editors
@in_range()
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    plan = get_object_or_404(living(), pk=pk)
    left = plans.archive(plan, by=request.user.get_username())
    record(request, "sop.archive", plan.name)
    text = _now("已删除，%(n)d 位进行中的客户已退出") % {"n": left}
    return done(request, text, back_to="sop:plans", leave=True)


@require_http_methods(["GET", "POST"])
@editors
@in_range()
def upgrade_running(request: HttpRequest, pk: int) -> HttpResponse:
    """What the newest version would change for those on the way; the POST does it."""
    plan = get_object_or_404(living(), pk=pk)
    version = get_object_or_404(plan.versions.exclude(published_at=None).order_by("-number")[:1])
    if request.method == "POST":
        job = upgrade.start(plan, by=request.user.get_username())
        if job is None:
            return done(request, _now("没有客户在执行较早的版本"), back_to=plan_url(plan), level="warning", leave=True)
        record(request, "sop.upgrade", plan.name, {"version": version.number})
        return done(request, _now("正在应用，可以离开本页"), back_to=plan_url(plan), leave=True)
    found = upgrade.preview(version)
    for line in found.lines:
        line.when = when_words(line.step)
    return render(request, "sop/upgrade.html", {"plan": plan, "version": version, "found": found})


# -- tried before ------------------------------------------------------------------------------------------------------


@require_GET
@operator_required
def simulate(request: HttpRequest, pk: int) -> HttpResponse:
    plan, version = asked_version(request, pk)
    form = SimulateForm(request.GET if "at" in request.GET else None, initial={"at": timezone.localtime()})
    falls = plans.simulate(version, form.cleaned_data["at"]) if form.is_valid() else []
    context = {
        "plan": plan,
        "version": version,
        "form": form,
        "falls": [(one, when_words(one), fall, reason_words(fall.reason)) for one, fall in falls],
    }
    return render(request, "sop/simulate.html", context, status=422 if form.errors else 200)


@require_GET
@operator_required
def dry_run(request: HttpRequest, pk: int) -> HttpResponse:
    plan, version = asked_version(request, pk)
    found = plans.dry_run(version, request.user)
    words = Vocabulary([version]).trigger(version.trigger)
    context = {"plan": plan, "version": version, "run": found, "days": plans.HISTORY, "trigger": words}
    return render(request, "sop/dry_run.html", context)


def asked_version(request: HttpRequest, pk: int) -> tuple[Plan, PlanVersion]:
    """The draft with `?draft=1`, else what is published."""
    plan = get_object_or_404(living(), pk=pk)
    draft, published = plans.stored_draft(plan), newest(plan)
    version = (draft if request.GET.get("draft") else None) or published or draft
    return plan, version or plans.draft_of(plan, by=plan.created_by)
