"""How every company is doing, on one page: two counts over the tables that all share."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max, Min

from callbacks.models import InboxEvent
from tenants.models import CorpApp, OutgoingCall, Tenant
from tenants.recycling import PUBLIC


@dataclass(slots=True)
class Line:
    """One company."""

    tenant: Tenant
    inbox: dict[str, int] = field(default_factory=dict)
    outbox: dict[str, int] = field(default_factory=dict)
    oldest_at: datetime | None = None
    last_event_at: datetime | None = None
    app_state: str = ""

    @property
    def waiting_events(self) -> int:
        return self.inbox.get("new", 0)

    @property
    def failed_events(self) -> int:
        return sum(self.inbox.get(state, 0) for state in ("parked", "dead"))

    @property
    def waiting_calls(self) -> int:
        return sum(self.outbox.get(state, 0) for state in ("pending", "leased"))

    @property
    def failed_calls(self) -> int:
        return sum(self.outbox.get(state, 0) for state in ("parked", "dead", "unknown", "expired"))

    @property
    def trouble(self) -> int:
        return self.failed_events + self.failed_calls


def of_all_tenants() -> list[Line]:
    """Those in trouble first. The platform itself where it is: what WeCom told of our suites and was not done."""
    tenants = Tenant.objects.annotate(heard=Max("receivers__last_event_at"))
    lines = {tenant.pk: Line(tenant, last_event_at=tenant.heard) for tenant in tenants}
    platform = next((line for line in lines.values() if line.tenant.schema_name == PUBLIC), None)
    open_events = InboxEvent.objects.filter(status__in=["new", "parked", "dead"])
    counted = open_events.values("tenant_id", "status").annotate(count=Count("id"), oldest=Min("received_at"))
    for row in counted.order_by():
        if line := lines.get(row["tenant_id"]):
            line.inbox[row["status"]] = row["count"]
            line.oldest_at = min(filter(None, [line.oldest_at, row["oldest"]]))
    calls = OutgoingCall.objects.filter(state__in=["pending", "leased", "unknown", "parked", "dead", "expired"])
    for tenant_id, state, count in calls.values_list("tenant_id", "state").annotate(count=Count("pk")).order_by():
        if line := lines.get(tenant_id):
            line.outbox[state] = count
    for app in CorpApp.objects.filter(is_main=True):
        if line := lines.get(app.tenant_id):
            line.app_state = app.get_state_display()
            line.last_event_at = max(filter(None, [line.last_event_at, app.last_event_at]), default=None)
    if platform is not None and not platform.trouble:
        del lines[platform.tenant.pk]
    return sorted(lines.values(), key=lambda line: (-line.trouble, line.tenant.schema_name))
