"""Read a company's staff, tags, customers and groups from WeCom, to the end."""

from argparse import ArgumentParser
from typing import Any

from contacts.jobs import run_now
from contacts.sync import STAGES, SYNC
from tenants.commands import Command as BaseCommand


class Command(BaseCommand):
    help = __doc__ or ""

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")
        parser.add_argument("--only", choices=STAGES)

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        params = {"only": options["only"]} if options["only"] else {}
        return run_now(options["schema"], SYNC, params)
