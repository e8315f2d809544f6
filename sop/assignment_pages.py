"""总部任务: send this to these customers, split to the staff who are their friends."""

from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access import operator_required, role_required
from console.answers import done
from console.audit import record
from console.jobs import told
from console.lists import Column, Empty, ListPage
from console.uses import Hold, Use
from content import messages
from members.scope import visible_staff
from sop import assignments, board, mass
from sop.enrolment_pages import rights
from sop.forms import AssignmentForm
from sop.models import Assignment, StaffTask
from sop.task_pages import assignments_of
from tagging import segments
from tagging.conditions import in_words
from tenants.current import current_tenant
from tenants.jobs import OPEN
from tenants.models import Job

MOST_USES = 20
editors = role_required("owner", "admin")

ASSIGNMENTS = ListPage(
    title=_("总部任务"),
    unit=_("个任务"),
    help=_("把同一件事派给一群客户各自的员工：员工在侧边栏发送，发完自动记为完成。"),
    columns=(
        Column(_("任务")),
        Column(_("完成"), kind="number"),
        Column(_("完成率"), kind="number"),
        Column(_("状态")),
        Column(_("截止时间"), sort="ends_at", kind="time wide"),
    ),
    row="sop/_assignment.html",
    row_url=lambda one: reverse("sop:assignment", args=[one.pk]),
    order="-ends_at",
    template="sop/assignments.html",
    empty=Empty(
        _("还没有总部任务"),
        _("选一群客户和要发的内容，系统按好友关系拆给员工，谁完成了、谁没完成一目了然。"),
        _("派发任务"),
        "sop:new_assignment",
    ),
)


@require_GET
@operator_required
def index(request: HttpRequest) -> HttpResponse:
    prepare = partial(with_numbers, operator=request.user)
    return ASSIGNMENTS.respond(request, assignments_of(request.user), prepare=prepare, context=rights(request))


def uses_of_segment(segment: int, operator: Any = None) -> list[Use]:
    """Drafts and those whose tasks are still being made first."""
    rows = Assignment.objects.filter(segment=segment)
    draft = Q(state=Assignment.State.DRAFT)
    splitting = Q(state=Assignment.State.RUNNING, split_at=None)
    found = list(rows.alias(waits=draft | splitting).order_by("-waits", "-pk")[:MOST_USES])
    seen = assignments_of(operator) if operator is not None else rows
    mine = set(seen.filter(pk__in=[row.pk for row in found]).values_list("pk", flat=True))

    def hold(row: Assignment) -> Hold:
        if row.state == Assignment.State.DRAFT:
            return Hold.DRAFT
        return Hold.NEEDED if row.state == Assignment.State.RUNNING and row.split_at is None else Hold.PAST

    return [
        Use(_("总部任务"), row.title, row.get_state_display(), url_of(row) if row.pk in mine else "", hold(row))
        for row in found
    ]


def with_numbers(rows: list[Assignment], operator: Any) -> list[Assignment]:
    found: dict[int, board.Numbers] = {row.pk: board.Numbers() for row in rows}
    tasks = board.tasks_of(operator).filter(assignment__in=rows).order_by()
    for pk, state, number in tasks.values_list("assignment_id", "state").annotate(number=Count("pk")):
        setattr(found[pk or 0], state, number)
    for row in rows:
        row.numbers = found[row.pk]  # type: ignore[attr-defined]
    return rows


@require_http_methods(["GET", "POST"])
@editors
def new(request: HttpRequest) -> HttpResponse:
    return edit(request, Assignment(created_by=request.user.get_username(), scope_staff_ids=range_of(request.user)))


def range_of(operator: Any) -> list[int] | None:
    seen = visible_staff(operator)
    return None if seen is None else list(seen.values_list("pk", flat=True))


@require_http_methods(["GET", "POST"])
@editors
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft alone: what was sent out to staff is what they do."""
    return edit(request, get_object_or_404(assignments_of(request.user), pk=pk, state=Assignment.State.DRAFT))


def edit(request: HttpRequest, found: Assignment) -> HttpResponse:
    initial = AssignmentForm.initial_of(found if found.pk else None)
    form = AssignmentForm(request.POST or None, operator=request.user, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                form.fill(found)
                assignments.check(found)
                found.save()
                record(request, "assignment.save", found.title)
        except ValidationError as refused:
            form.add_error(None, refused)
        else:
            return done(request, _now("已保存，确认人数后派发"), back_to=url_of(found), leave=True)
    context = {"form": form, "assignment": found if found.pk else None}
    return render(request, "sop/assignment_form.html", context, status=422 if form.errors else 200)


def url_of(found: Assignment) -> str:
    return reverse("sop:assignment", args=[found.pk])


@require_GET
@operator_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(assignments_of(request.user).select_related("segment"), pk=pk)
    rows = board.tasks_of(request.user).filter(assignment=found)
    job = Job.objects.filter(tenant=current_tenant(), kind=assignments.JOB, subject=f"assignment:{pk}").last()
    tree = assignments.tree_of(found)
    context = {
        "assignment": found,
        "sum": board.sum_of(rows),
        "query": f"assignment={pk}",
        "rows": board.by_staff(rows),
        "job": told(job) if job is not None and job.state in OPEN else None,
        "counts": job.counts if job is not None else {},
        "bubbles": messages.preview(found.content),
        "audience": found.segment.name if found.segment else in_words(tree),
        "customers": preview_of(found),
        "made": mass.made(found),
        **rights(request),
    }
    return render(request, "sop/assignment.html", context)


def preview_of(found: Assignment) -> segments.Counted | None:
    """How many customers a draft means."""
    if found.state != Assignment.State.DRAFT:
        return None
    return segments.count(assignments.tree_of(found), staff_ids=found.scope_staff_ids, patience=segments.PATIENCE)


@require_POST
@editors
def publish(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(assignments_of(request.user), pk=pk)
    try:
        assignments.publish(found, by=request.user.get_username())
    except ValidationError as refused:
        return done(request, " ".join(refused.messages), back_to=url_of(found), level="error", leave=True)
    record(request, "assignment.publish", found.title)
    return done(request, _now("正在派发，可以离开本页"), back_to=url_of(found), leave=True)


@require_POST
@editors
def by_mass(request: HttpRequest, pk: int) -> HttpResponse:
    """A mass message to all who still wait; its numbers are read before anybody is asked."""
    found = get_object_or_404(assignments_of(request.user), pk=pk)
    try:
        url = mass.make(found, request.user)
    except ValidationError as refused:
        return done(request, " ".join(refused.messages), back_to=url_of(found), level="error", leave=True)
    record(request, "assignment.mass", found.title)
    return redirect(url)


def goes_beyond(found: Assignment, operator: Any) -> bool:
    """Whether stopping it would take tasks from staff whom the operator does not see."""
    seen = visible_staff(operator)
    if seen is None or found.created_by == operator.get_username():
        return False
    return found.tasks.filter(state=StaffTask.State.OPEN).exclude(staff__in=seen.values("pk")).exists()


@require_POST
@editors
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(assignments_of(request.user), pk=pk)
    if goes_beyond(found, request.user):
        words = _now("这个任务也派给了您数据范围以外的员工，请由派发人或看全部数据的管理员停止")
        return done(request, words, back_to=url_of(found), level="error", leave=True)
    number = assignments.stop(found)
    record(request, "assignment.stop", found.title, {"tasks": number})
    text = _now("已停止，%(n)d 项未完成的任务已取消") % {"n": number}
    return done(request, text, back_to=url_of(found), leave=True)
