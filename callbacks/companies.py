"""A suite hears of all companies that installed it at one address. Whose an event is, its text says."""

from typing import NamedTuple

from tenants.events import PLATFORM_OWNERS
from tenants.models import CorpApp, Tenant
from tenants.recycling import PUBLIC
from wecom.vocabulary import SUITE_EVENTS


class Company(NamedTuple):
    """Whom an event is kept for and, while the company is served, whom it wakes."""

    tenant_id: int
    schema: str
    app_id: str


def companies_of(suite: CorpApp) -> dict[str, Company]:
    """By the id that the suite knows a company by."""
    rows = CorpApp.objects.filter(lane=CorpApp.Lane.PROVIDER, suite_id=suite.suite_id)
    rows = rows.exclude(tenant__schema_name=PUBLIC).select_related("tenant")
    return {
        app.corp_id: Company(
            app.tenant_id, app.tenant.schema_name if app.tenant.status == Tenant.Status.ACTIVE else "", str(app.pk)
        )
        for app in rows
    }


def is_platforms(name: str) -> bool:
    return name in SUITE_EVENTS or name in PLATFORM_OWNERS
