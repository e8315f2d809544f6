"""`manage.py messages`: the English catalogue, against what the code and the templates say."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from scrm import catalogue


class Command(BaseCommand):
    help = "Check, update or compile the English texts (locale/en)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        act = parser.add_mutually_exclusive_group(required=True)
        act.add_argument("--check", action="store_true", help="fail with each text that has no good English")
        act.add_argument("--update", action="store_true", help="bring new texts in, drop unused ones")
        act.add_argument("--compile", action="store_true", help="write the .mo files that Django reads")

    def handle(self, *args: Any, check: bool, update: bool, **options: Any) -> None:
        if check:
            if faults := catalogue.check():
                raise CommandError("\n".join([*faults, f"{len(faults)} to mend; `make messages` brings new texts in"]))
        elif update:
            texts = [message for message in catalogue.update() if message.id]
            empty = sum(not all(catalogue.strings(message)) for message in texts)
            self.stdout.write(f"{len(texts)} texts in {catalogue.ENGLISH}, {empty} without English")
        else:
            for path in catalogue.compile_all():
                self.stdout.write(f"compiled {path.relative_to(catalogue.ROOT)}")
