from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from callbacks import inbox
from tenants.commands import Command as TenantsCommand
from tenants.provision import tenant_by_schema


class Command(TenantsCommand):
    help = "Counts a tenant's events: waiting, retrying, parked, dead, done."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = tenant_by_schema(options["schema"])
        return {"schema": tenant.schema_name, **asdict(inbox.status(tenant.pk, settled=True))}
