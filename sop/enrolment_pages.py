"""Who is in a plan: how far, and why they left."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from django import forms
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from console.access import operator_required, role_required
from console.answers import done
from console.audit import record
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Customer
from contacts.views import staff_choices
from members.models import Staff
from members.scope import visible_staff
from sop import exits
from sop.models import Enrolment, Plan, StepRun
from sop.words import REASONS, reason_words

State = Enrolment.State


def living() -> QuerySet[Plan]:
    return Plan.objects.filter(archived_at=None)


def enrolments_of(operator: Any) -> QuerySet[Enrolment]:
    """By the member of staff whose friend the customer is."""
    seen = visible_staff(operator)
    return Enrolment.objects.all() if seen is None else Enrolment.objects.filter(follow__staff__in=seen.values("pk"))


def rights(request: HttpRequest) -> dict[str, bool]:
    return {"may_edit": request.user.role in ("owner", "admin")}  # type: ignore[union-attr]


class EnrolmentFilters(Filters):
    searched_by = "q"
    more = ("reason",)

    q = forms.CharField(label=_("搜索昵称、备注、企业"), max_length=64)
    state = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *State.choices])
    staff = forms.ModelChoiceField(Staff.objects.none(), label=_("员工"), empty_label=_("全部员工"))
    reason = forms.ChoiceField(label=_("退出原因"), choices=[("", _("全部原因")), *REASONS.items()])

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["staff"].queryset = staff_choices(operator)  # type: ignore[attr-defined]

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(follow__customer__in=Customer.objects.search(term))
        if staff := values.get("staff"):
            rows = rows.filter(follow__staff=staff)
        names = {"state": "state", "reason": "exit_reason"}
        return rows.filter(**{field: values[name] for name, field in names.items() if name in values})


ENROLMENTS = ListPage(
    title=_("客户名单"),
    unit=_("位客户"),
    columns=(
        Column(_("客户")),
        Column(_("员工"), kind="wide"),
        Column(_("进度"), kind="wide"),
        Column(_("状态")),
        Column(_("下一步"), kind="wide"),
        Column(_("开始时间"), sort="anchor_at", kind="time wide"),
        Column(_("操作"), kind="actions"),
    ),
    row="sop/_enrolment.html",
    row_url=lambda one: reverse("contacts:customer", args=[one.follow.customer_id]),
    order="-anchor_at",
    template="sop/enrolments.html",
    empty=Empty(_("还没有客户进入"), _("启用后，符合开始条件的客户会自动出现在这里。"), picture="people"),
)


@require_GET
@operator_required
def enrolments(request: HttpRequest, pk: int) -> HttpResponse:
    plan = get_object_or_404(living(), pk=pk)
    page = replace(ENROLMENTS, help=plan.name, filters=partial(EnrolmentFilters, operator=request.user))
    rows = enrolments_of(request.user).filter(plan=plan)
    rows = rows.select_related("follow__customer", "follow__staff", "version")
    return page.respond(request, rows, prepare=with_progress, context={"plan": plan, **rights(request)})


def with_progress(rows: list[Enrolment]) -> list[Enrolment]:
    counts = StepRun.objects.filter(enrolment__in=rows).values_list("enrolment_id").order_by()
    told = {
        pk: (total, settled)
        for pk, total, settled in counts.annotate(
            total=Count("pk"), settled=Count("pk", filter=~Q(state__in=[StepRun.State.WAITING, StepRun.State.TASKED]))
        )
    }
    notable = Q(state=StepRun.State.WAITING) | Q(reason="no_room")
    runs = list(StepRun.objects.filter(notable, enrolment__in=rows).select_related("step").order_by("-due_at"))
    upcoming = {one.enrolment_id: one for one in runs if one.state == StepRun.State.WAITING}
    passed: dict[int, list[StepRun]] = {}
    for run in reversed(runs):
        if run.state != StepRun.State.WAITING:
            passed.setdefault(run.enrolment_id, []).append(run)
    for row in rows:
        row.total, row.settled = told.get(row.pk, (0, 0))  # type: ignore[attr-defined]
        row.following = upcoming.get(row.pk)  # type: ignore[attr-defined]
        row.passed = passed.get(row.pk, [])  # type: ignore[attr-defined]
        row.no_room = reason_words("no_room") if row.pk in passed else ""  # type: ignore[attr-defined]
        row.reason = reason_words(row.exit_reason)  # type: ignore[attr-defined]
        if row.following and row.following.reason:  # type: ignore[attr-defined]
            row.following.why = reason_words(row.following.reason)  # type: ignore[attr-defined]
    return rows


@require_POST
@role_required("owner", "admin")
def leave(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a customer out of the plan."""
    found = get_object_or_404(enrolments_of(request.user).select_related("follow__customer", "plan"), pk=pk)
    exits.leave({found.pk: "manual"}, by=request.user.get_username())
    record(request, "sop.leave", found.plan.name, {"customer": str(found.follow.customer)})
    text = _now("“%(name)s”已移出") % {"name": found.follow.customer}
    return done(request, text, back_to=reverse("sop:enrolments", args=[found.plan_id]))
