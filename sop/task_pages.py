"""任务看板: how far everybody is, the lists behind the numbers, and 催办."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from console.access import operator_required
from console.answers import done, drawer
from console.audit import record
from console.lists import Column, Empty, Filters, ListPage
from contacts.daily import start_of
from contacts.models import Customer
from contacts.views import staff_choices
from content import messages
from members.models import Department, Staff
from members.scope import visible_staff
from sop import board, remind
from sop.enrolment_pages import rights
from sop.models import Assignment, Plan, StaffTask

DAYS = 30
State = StaffTask.State
STATES = [(one.value, one.label) for one in board.COUNTED]


class TaskFilters(Filters):
    searched_by = "q"
    more = ("department", "assignment", "plan", "from_day", "to_day", "done_from", "done_to")

    q = forms.CharField(label=_("搜索任务名称、客户"), max_length=64)
    state = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *STATES])
    staff = forms.ModelChoiceField(Staff.objects.none(), label=_("员工"), empty_label=_("全部员工"))
    department = forms.ModelChoiceField(Department.objects.none(), label=_("部门"), empty_label=_("全部部门"))
    assignment = forms.ModelChoiceField(Assignment.objects.none(), label=_("总部任务"), empty_label=_("全部"))
    plan = forms.ModelChoiceField(Plan.objects.none(), label=_("客户SOP"), empty_label=_("全部"))
    from_day = forms.DateField(label=_("开始日期从"), widget=forms.DateInput(attrs={"type": "date"}))
    to_day = forms.DateField(label=_("开始日期到"), widget=forms.DateInput(attrs={"type": "date"}))
    done_from = forms.DateField(label=_("完成日期从"), widget=forms.DateInput(attrs={"type": "date"}))
    done_to = forms.DateField(label=_("完成日期到"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = {
            "staff": staff_choices(operator),
            "department": Department.objects.filter(deleted_at=None).order_by("path"),
            "assignment": assignments_of(operator).order_by("-pk"),
            "plan": Plan.objects.order_by("name"),
        }
        for name, rows in choices.items():
            self.fields[name].queryset = rows  # type: ignore[attr-defined]

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(title__icontains=term) | rows.filter(customer__in=Customer.objects.search(term))
        if department := values.get("department"):
            rows = rows.filter(staff__in=board.staff_in(department))
        names = {"state": "state", "staff": "staff", "assignment": "assignment", "plan": "step_run__enrolment__plan"}
        rows = rows.filter(**{field: values[name] for name, field in names.items() if name in values})
        for name, moment in (("from_day", "starts_at"), ("done_from", "settled_at")):
            if day := values.get(name):
                rows = rows.filter(**{f"{moment}__gte": start_of(day)})
        for name, moment in (("to_day", "starts_at"), ("done_to", "settled_at")):
            if day := values.get(name):
                rows = rows.filter(**{f"{moment}__lt": start_of(day + timedelta(days=1))})
        return rows


def assignments_of(operator: Any) -> QuerySet[Assignment]:
    """Those that concern staff in the range; who made one with the whole company in range shows it to all managers."""
    seen = visible_staff(operator)
    if seen is None:
        return Assignment.objects.all()
    own = Assignment.objects.filter(tasks__staff__in=seen.values("pk"))
    made = Assignment.objects.filter(created_by=operator.get_username())
    return Assignment.objects.filter(pk__in=own.values("pk").union(made.values("pk")))


TASKS = ListPage(
    title=_("任务列表"),
    unit=_("项任务"),
    columns=(
        Column(_("任务")),
        Column(_("客户")),
        Column(_("员工"), kind="wide"),
        Column(_("状态")),
        Column(_("怎样完成"), kind="wide"),
        Column(_("截止时间"), sort="ends_at", kind="time wide"),
    ),
    row="sop/_task.html",
    row_url=lambda task: reverse("sop:task", args=[task.pk]),
    drawer=True,
    order="-ends_at",
    template="sop/tasks.html",
    empty=Empty(_("还没有任务"), _("SOP 的步骤到时间后，或总部派发任务后，会出现在这里。"), picture="done"),
)


@require_GET
@operator_required
def tasks(request: HttpRequest) -> HttpResponse:
    page = replace(TASKS, filters=partial(TaskFilters, operator=request.user))
    rows = board.tasks_of(request.user).select_related("staff", "customer", "assignment", "chat")
    return page.respond(request, rows)


@require_GET
@operator_required
def task(request: HttpRequest, pk: int) -> HttpResponse:
    rows = StaffTask.objects.all()
    if (seen := visible_staff(request.user)) is not None:
        rows = rows.filter(staff__in=seen.values("pk"))
    found = get_object_or_404(
        rows.select_related("staff", "customer", "assignment", "step_run__enrolment__plan", "step_run__step"), pk=pk
    )
    bubbles = messages.preview(found.content, messages.names_of(found.staff, found.customer))
    context = {"task": found, "bubbles": bubbles, "title": found.title}
    return drawer(request, "sop/task.html", context)


class BoardFilters(Filters):
    """What the board counts."""

    assignment = forms.ModelChoiceField(Assignment.objects.none(), label=_("总部任务"), empty_label=_("全部任务"))
    plan = forms.ModelChoiceField(Plan.objects.none(), label=_("客户SOP"), empty_label=_("全部 SOP"))
    from_day = forms.DateField(label=_("开始日期从"), widget=forms.DateInput(attrs={"type": "date"}))
    to_day = forms.DateField(label=_("开始日期到"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["assignment"].queryset = assignments_of(operator).order_by("-pk")  # type: ignore[attr-defined]
        self.fields["plan"].queryset = Plan.objects.filter(archived_at=None).order_by("name")  # type: ignore[attr-defined]


@require_GET
@operator_required
def index(request: HttpRequest) -> HttpResponse:
    """Of the last thirty days, unless something else is asked."""
    data = request.GET.copy()
    if not any(data.get(name) for name in ("from_day", "to_day", "assignment", "plan")):
        data["from_day"] = (timezone.localdate() - timedelta(days=DAYS - 1)).isoformat()
    form = BoardFilters(data, operator=request.user)
    query = {name: data[name] for name in form.given}
    whole = TaskFilters(query, operator=request.user)
    rows = whole.apply(board.tasks_of(request.user), whole.given)
    departments = request.GET.get("by") == "department"
    context = {
        "form": form,
        "sum": board.sum_of(rows),
        "rows": board.by_department(rows) if departments else board.by_staff(rows),
        "by": "department" if departments else "staff",
        "query": "&".join(f"{name}={value}" for name, value in query.items()),
        "target": target_of(form.given.get("assignment")),
        "at": timezone.now(),
        **rights(request),
    }
    return render(request, "sop/board.html", context)


def target_of(assignment: Assignment | None) -> int | None:
    return assignment.target if assignment else None


@require_POST
@operator_required
def urge(request: HttpRequest, pk: int) -> HttpResponse:
    """催办: one press tells the member of all open tasks; whoever may see their tasks may press it."""
    seen = visible_staff(request.user)
    people = Staff.objects.all() if seen is None else seen
    staff = get_object_or_404(people.exclude(operator=request.user.pk), pk=pk)
    back = reverse("sop:board")
    try:
        number = remind.urge(staff, by=request.user.get_username())
    except ValidationError as refused:
        return done(request, " ".join(refused.messages), back_to=back, level="error", leave=True)
    record(request, "task.urge", str(staff), {"tasks": number})
    text = _now("已提醒 %(name)s：%(n)d 项任务待完成") % {"name": staff, "n": number}
    return done(request, text, back_to=back, leave=True)
