"""What our commands share: `--json`, and a failure that is one line on stderr."""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError

from tenants.isolation import NoTenant
from tenants.keys import KeyFault
from tenants.provision import Refused
from tenants.template import DumpFailed

SAID = (Refused, KeyFault, DumpFailed, NoTenant, OSError)  # their texts are written for who reads them


class Command(BaseCommand):
    """`run` does the work and returns what `--json` prints; `tell` says the same to a person."""

    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)

        def refuse(message: str) -> NoReturn:
            parser.exit(2, f"{parser.prog}: {message}; --help shows how\n")

        if parser.called_from_command_line:
            parser.error = refuse  # type: ignore[method-assign]  # argparse says it with a page of usage
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        self.arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = self.run(options)
        except SAID as error:
            raise CommandError(one_line(error)) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(f"database: {one_line(error)}") from error
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False, default=plain))
        else:
            self.tell(result)
        self.finish(result)

    def arguments(self, parser: ArgumentParser) -> None:
        """Arguments besides --json."""

    def run(self, options: dict[str, Any]) -> Any:
        raise NotImplementedError

    def tell(self, result: Any) -> None:
        for name, value in result.items():
            self.stdout.write(f"{name}: {value}")

    def finish(self, result: Any) -> None:
        """After the result is printed: raise CommandError when it is a failure."""


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
