"""Who may change a plan: it acts on the customers of all its staff, whoever looks at its page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from console.answers import done
from members.scope import visible_staff
from sop.enrol import newest
from sop.models import Enrolment, Plan, Step
from sop.plans import stored_draft

View = Callable[..., HttpResponse]


def may_act_on(plan: Plan, operator: Any) -> bool:
    """All whose customers it takes in, or has on the way, are in the operator's range."""
    seen = visible_staff(operator)
    if seen is None:
        return True
    meant = [set(one.trigger.get("staff") or ()) for one in (newest(plan), stored_draft(plan)) if one is not None]
    if not all(meant):
        return False  # of all staff
    wanted = set().union(*meant)
    if wanted - set(seen.filter(pk__in=wanted).values_list("pk", flat=True)):
        return False
    going = Enrolment.objects.filter(plan=plan, state=Enrolment.State.ACTIVE)
    return not going.exclude(follow__staff__in=seen.values("pk")).exists()


def plan_of(pk: int) -> Plan:
    return get_object_or_404(Plan.objects.filter(archived_at=None), pk=pk)


def plan_of_step(pk: int) -> Plan:
    found = get_object_or_404(Step.objects.select_related("version__plan"), pk=pk, version__plan__archived_at=None)
    return found.version.plan


def in_range(plan_by: Callable[[int], Plan] = plan_of) -> Callable[[View], View]:
    """Below the role: the others are told why, on the page of the plan."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, pk: int) -> HttpResponse:
            plan = plan_by(pk)
            if may_act_on(plan, request.user):
                return view(request, pk)
            text = _("这个 SOP 还涉及您管理范围以外的员工，由能看到这些员工的管理员修改")
            return done(request, text, back_to=reverse("sop:plan", args=[plan.pk]), level="error", leave=True)

        return guarded

    return decorate
