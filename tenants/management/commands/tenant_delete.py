from argparse import ArgumentParser
from typing import Any

from tenants import closing
from tenants.commands import Command as TenantsCommand
from tenants.provision import Refused, tenant_by_schema


class Command(TenantsCommand):
    help = (
        "Deletes a tenant for good: schema, shared rows, keys, files. Its secrets cannot be read from a backup either."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")
        parser.add_argument("--yes", metavar="NAME", default="", help="the tenant's name, to show that it is the one")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = tenant_by_schema(options["schema"])
        if options["yes"] != tenant.name:
            raise Refused(f"this cannot be undone: repeat with --yes {tenant.name!r}")
        return closing.delete(tenant, by="command line")

    def tell(self, result: Any) -> None:
        self.stdout.write(
            f"{result['schema']} ({result['name']}) is deleted: {sum(result['rows'].values())} shared rows"
        )
