"""Compare what we know with what WeCom lists, mend the difference and print it."""

from argparse import ArgumentParser
from typing import Any

from contacts.jobs import run_now
from contacts.reconcile import RECONCILE
from tenants.commands import Command as BaseCommand

DIFFERENCES = {
    "follows_missing": "friendships we did not know",
    "follows_extra": "friendships that had ended",
    "groups_new": "groups we did not know",
    "groups_changed": "groups that had changed",
    "groups_closed": "groups that were dissolved",
    "tags_changed": "tags that had changed",
    "tags_deleted": "tags that were deleted",
    "staff_changed": "staff that had changed",
    "departments_changed": "departments that had changed",
    "staff_tags_changed": "tags of staff that had changed",
}


class Command(BaseCommand):
    help = __doc__ or ""

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        done = run_now(options["schema"], RECONCILE, {})
        counts = done["counts"]
        found = {name: counts.get(name, 0) for name in DIFFERENCES}
        return {"differences": sum(found.values()), "mended": found, **done}

    def tell(self, result: dict[str, Any]) -> None:
        for name, number in result["mended"].items():
            if number:
                self.stdout.write(f"{number} {DIFFERENCES[name]}: mended")
        if not result["differences"]:
            self.stdout.write("no differences")
