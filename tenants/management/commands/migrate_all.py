from typing import Any

from django.core.management.base import CommandError

from tenants import migrate
from tenants.commands import Command as TenantsCommand


class Command(TenantsCommand):
    help = "Migrates the shared schema, the template and every tenant that is behind. May be killed and run again."
    requires_system_checks = ["__all__"]  # a release does not start on settings that would leak

    def run(self, options: dict[str, Any]) -> Any:
        progress = None if options["json"] or options["verbosity"] == 0 else self.stdout.write
        report = migrate.migrate_all(progress)
        return {"migrated": report.migrated, "current": report.current, "failed": report.failed}

    def tell(self, result: Any) -> None:
        migrated, failed = len(result["migrated"]), len(result["failed"])
        self.stdout.write(f"{migrated} tenants migrated, {result['current']} were current, {failed} failed")

    def finish(self, result: Any) -> None:
        if result["failed"]:
            reasons = "; ".join(f"{schema}: {reason}" for schema, reason in result["failed"].items())
            raise CommandError(f"{len(result['failed'])} tenants are in maintenance: {reasons}")
