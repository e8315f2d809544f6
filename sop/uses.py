"""Which plans and tasks of headquarters hold a material."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.uses import Hold, Use
from content.material_uses import held_by, holding
from sop.models import Assignment, PlanVersion, Step, StepRun
from sop.task_pages import assignments_of


def uses_of_materials(materials: Collection[int], operator: Any) -> Iterable[tuple[int, Use]]:
    yield from uses_in_plans(materials)
    yield from uses_in_assignments(materials, operator)


def uses_in_plans(materials: Collection[int]) -> Iterable[tuple[int, Use]]:
    """Needed by those who will still get the step: who enters from now on, and who is on the way."""
    on_the_way = StepRun.objects.filter(step=OuterRef("pk"), state__in=[StepRun.State.WAITING, StepRun.State.TASKED])
    published = PlanVersion.objects.filter(plan=OuterRef("version__plan")).exclude(published_at=None)
    steps = Step.objects.filter(holding(materials), version__plan__archived_at=None).annotate(
        runs=Exists(on_the_way), current=Subquery(published.order_by("-number").values("pk")[:1])
    )
    for step in steps.select_related("version__plan").order_by("version__plan", "-version__number", "no"):
        plan, here = step.version.plan, step.version_id == step.current
        if here and plan.enabled:
            hold, state = Hold.NEEDED, _("已启用")
        elif step.runs:
            hold, state = Hold.NEEDED, _("仍有客户在执行")
        elif here or step.version.published_at is None:
            hold, state = Hold.DRAFT, _("已停用") if here else _("草稿")
        else:
            continue  # nobody is on this version any more
        use = Use(_("客户SOP"), f"{plan.name} · {step.title}", state, reverse("sop:plan", args=[plan.pk]), hold)
        yield from ((pk, use) for pk in held_by(step.content, materials))


def uses_in_assignments(materials: Collection[int], operator: Any) -> Iterable[tuple[int, Use]]:
    states = {Assignment.State.DRAFT: Hold.DRAFT, Assignment.State.RUNNING: Hold.NEEDED}
    rows = list(Assignment.objects.filter(holding(materials), state__in=states).order_by("-pk"))
    mine = set(assignments_of(operator).filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    for row in rows:
        url = reverse("sop:assignment", args=[row.pk]) if row.pk in mine else ""
        use = Use(_("总部任务"), row.title, row.get_state_display(), url, states[Assignment.State(row.state)])
        yield from ((pk, use) for pk in held_by(row.content, materials))
