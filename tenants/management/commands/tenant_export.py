from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from tenants import closing
from tenants.commands import Command as TenantsCommand
from tenants.provision import tenant_by_schema


class Command(TenantsCommand):
    help = "Writes all that is kept of a tenant: a dump of its schema, its shared rows as JSON lines, its files."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")
        parser.add_argument("--to", type=Path, help="a new folder, or a new file that ends with .zip")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = tenant_by_schema(options["schema"])
        name = f"{tenant.schema_name}-{timezone.now():%Y%m%d-%H%M%S}.zip"
        return closing.export(tenant, options["to"] or Path(settings.DATA_DIR) / "exports" / name, by="command line")

    def tell(self, result: Any) -> None:
        self.stdout.write(f"{result['path']}: {sum(result['rows'].values())} shared rows and the schema")
