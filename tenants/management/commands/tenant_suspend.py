from argparse import ArgumentParser
from typing import Any

from tenants import closing
from tenants.commands import Command as TenantsCommand
from tenants.provision import tenant_by_schema


class Command(TenantsCommand):
    help = "Closes a tenant: its people see a page that says so, nothing is sent for it, its data stay."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = tenant_by_schema(options["schema"])
        closing.suspend(tenant, by="command line")
        return {"schema": tenant.schema_name, "status": tenant.status}
