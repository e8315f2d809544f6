from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from archive import tasks
from archive.pull import Refused as PullRefused
from archive.words import english_of
from tenants.commands import Command as TenantsCommand
from tenants.provision import Refused, tenant_by_schema


class Command(TenantsCommand):
    help = "Pulls a tenant's session archive to the end, opens what it can, and fetches the files."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = tenant_by_schema(options["schema"])
        try:
            with tenant:
                told = tasks.pull_now()
        except PullRefused as error:
            raise Refused(english_of(error.code)) from error
        return {"schema": tenant.schema_name, **told}

    def finish(self, result: Any) -> None:
        if result["code"]:
            raise CommandError(english_of(result["code"]))
