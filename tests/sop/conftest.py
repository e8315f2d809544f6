"""A company with customers, and a plan in use."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from sop import plans
from sop.models import Plan, Step
from tenants import due
from tenants.models import DueRow, Tenant
from tests.pages_of_apps.company import Company
from tests.sandbox_server import sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


@pytest.fixture
def company(in_acme: Tenant, clean_cache: None) -> Company:
    return Company(in_acme).found()


@pytest.fixture
def make_plan(company: Company) -> Callable[..., Plan]:
    def make(*steps: dict[str, Any], trigger: dict[str, Any] | None = None, **more: Any) -> Plan:
        plan = plans.create(
            name=more.get("name", "新客培育"),
            trigger=trigger or {"on": "added"},
            exits=more.get("exits", {}),
            by="wang",
        )
        for values in steps or ({"after_minutes": 0},):
            plans.save_step(plan, step_of(**values), by="wang")
        plans.publish(plan, by="wang")
        plans.switch(plan, on=True)
        return plan

    return make


def step_of(**values: Any) -> Step:
    return Step(**({"title": "问候", "content": {"text": "您好", "materials": []}} | values))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Of December 2026, in the tenant's zone."""
    return datetime(2026, 12, day, hour, minute, tzinfo=timezone.get_current_timezone())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the time that the product reads."""

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    return set_to


def let_fall_due(tenant: Tenant, until: datetime, kind: str = "sop.step") -> int:
    """What is due by then, run as the workers do. Days of tests lie ahead of the database's clock."""
    rows = DueRow.objects.filter(tenant=tenant, kind=kind, due_at__lte=until)
    rows.update(due_at=datetime(2020, 1, 1, tzinfo=timezone.get_current_timezone()))
    return due.run_due(tenant)
