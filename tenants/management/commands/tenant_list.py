from typing import Any

from tenants.commands import Command as TenantsCommand
from tenants.models import Tenant
from tenants.recycling import PUBLIC


class Command(TenantsCommand):
    help = "Lists the tenants with their hosts, plan and state."

    def run(self, options: dict[str, Any]) -> Any:
        tenants = Tenant.objects.exclude(schema_name=PUBLIC).prefetch_related("domains", "apps").order_by("pk")
        return [
            {
                "schema": tenant.schema_name,
                "name": tenant.name,
                "status": tenant.status,
                "plan": tenant.plan,
                "seats": tenant.seats,
                "seats_used": tenant.seats_used,
                "domains": [domain.domain for domain in tenant.domains.all()],
                "corp_ids": sorted({app.corp_id for app in tenant.apps.all()}),
                "migration_state": tenant.migration_state,
                "created_at": tenant.created_at.isoformat(),
            }
            for tenant in tenants
        ]

    def tell(self, result: Any) -> None:
        for tenant in result:
            domains = ", ".join(tenant["domains"])
            self.stdout.write(f"{tenant['schema']:<24} {tenant['status']:<12} {tenant['name']}  {domains}")
        self.stdout.write(f"{len(result)} tenants")
