from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from callbacks import inbox
from tenants.commands import Command as TenantsCommand
from tenants.provision import tenant_by_schema


class Command(TenantsCommand):
    help = "Gives failed events of a tenant another full set of attempts: the dead, the parked, or one by its id."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--dead", action="store_true", help="only the dead; the parked stay parked")
        which.add_argument("--id", type=int, help="one event, even one that was handled before")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = tenant_by_schema(options["schema"])
        if options["id"] is None:
            replayed = inbox.replay(tenant.pk, dead=True, parked=not options["dead"])
        else:
            replayed = inbox.replay(tenant.pk, ids=[options["id"]], again=True)
            if not replayed:
                raise CommandError(f"{tenant.schema_name} has no event {options['id']} that is not waiting already")
        return {"schema": tenant.schema_name, "replayed": replayed}
