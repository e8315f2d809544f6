"""A suite hears of all companies that installed it at one address. Whose an event is, its text says."""

from typing import NamedTuple

from django.db.models import QuerySet

from tenants.models import CorpApp, Tenant
from tenants.recycling import PUBLIC


class Company(NamedTuple):
    """Whom an event is kept for and, while the company is served, whom it wakes."""

    tenant_id: int
    schema: str
    app_id: str


def companies_of(suite: CorpApp) -> dict[str, Company]:
    """By the id that the suite knows a company by."""
    rows = _apps_of(suite).exclude(tenant__schema_name=PUBLIC)  # thousands, each minute in each process: bare values
    values = rows.values_list("corp_id", "tenant_id", "tenant__schema_name", "tenant__status", "pk")
    return {
        corp_id: Company(tenant_id, schema if status == Tenant.Status.ACTIVE else "", str(pk))
        for corp_id, tenant_id, schema, status, pk in values.order_by()
    }


def ids_of_companies(suite: CorpApp) -> frozenset[str]:
    """Of all that said yes, those too that wait with the platform for their tenant."""
    return frozenset(_apps_of(suite).values_list("corp_id", flat=True).order_by())


def _apps_of(suite: CorpApp) -> QuerySet[CorpApp]:
    return CorpApp.objects.filter(lane=CorpApp.Lane.PROVIDER, suite_id=suite.suite_id)
