from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from tenants import rotation
from tenants.commands import SAID, one_line
from tenants.commands import Command as TenantsCommand
from tenants.models import Tenant
from tenants.provision import Refused, tenant_by_schema
from tenants.recycling import PUBLIC


class Command(TenantsCommand):
    help = (
        "Gives tenants a new data key and seals their secrets again, while everything runs. "
        "With --kek-only the data keys stay and are wrapped by the newest key of SCRM_KEK."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema", nargs="?")
        parser.add_argument("--all", action="store_true", help="every tenant, and the platform itself")
        parser.add_argument("--kek-only", action="store_true")

    def run(self, options: dict[str, Any]) -> Any:
        if bool(options["schema"]) == options["all"]:
            raise Refused("name a schema, or --all")
        if options["schema"] == PUBLIC:
            tenants = list(Tenant.objects.filter(schema_name=PUBLIC))
        elif options["schema"]:
            tenants = [tenant_by_schema(options["schema"])]
        else:
            tenants = list(Tenant.objects.order_by("pk"))
        done: dict[str, Any] = {"rotated": {}, "failed": {}}
        for tenant in tenants:
            try:
                done["rotated"][tenant.schema_name] = self._rotate(tenant, kek_only=options["kek_only"])
            except SAID as error:
                done["failed"][tenant.schema_name] = one_line(error)
        return done

    @staticmethod
    def _rotate(tenant: Tenant, *, kek_only: bool) -> dict[str, int]:
        if kek_only:
            return {"keys": rotation.rewrap_keys(tenant)}
        rotation.rewrap_keys(tenant)
        rotated = rotation.rotate(tenant)
        return {"version": rotated.version, "values": rotated.values, "dropped": rotated.dropped}

    def tell(self, result: Any) -> None:
        for schema, numbers in result["rotated"].items():
            self.stdout.write(f"{schema}: " + ", ".join(f"{name} {number}" for name, number in numbers.items()))

    def finish(self, result: Any) -> None:
        if result["failed"]:
            raise CommandError("; ".join(f"{schema}: {reason}" for schema, reason in result["failed"].items()))
