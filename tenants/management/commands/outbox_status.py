from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Count, Min

from tenants.commands import Command as TenantsCommand
from tenants.faults import words_for
from tenants.models import ApiBreaker, OutgoingCall, Tenant

State = OutgoingCall.State


class Command(TenantsCommand):
    help = "Shows the outgoing calls of a tenant: how many wait, what failed and why."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = Tenant.objects.filter(schema_name=options["schema"]).first()
        if tenant is None:
            raise CommandError(f"no tenant {options['schema']}")
        calls = OutgoingCall.objects.filter(tenant=tenant)
        counts = dict.fromkeys(State.values, 0) | dict(calls.values_list("state").annotate(Count("pk")))
        waiting = calls.filter(state__in=[State.PENDING, State.LEASED])
        trouble = (
            calls.filter(state__in=[State.UNKNOWN, State.PARKED, State.DEAD, State.EXPIRED])
            .values("state", "api", "result_code")
            .annotate(calls=Count("pk"), since=Min("created_at"))
            .order_by("-calls")[:50]
        )
        breakers = ApiBreaker.objects.filter(app__tenant=tenant).values("api", "reason", "level", "open_until")
        return {
            "schema": tenant.schema_name,
            "counts": counts,
            "oldest_waiting_at": waiting.aggregate(at=Min("created_at"))["at"],
            "trouble": [row | {"cause": str(words_for(row["result_code"]).cause)} for row in trouble],
            "resting": list(breakers),
        }

    def tell(self, result: Any) -> None:
        for state, count in result["counts"].items():
            self.stdout.write(f"{state:10} {count}")
        for row in result["trouble"]:
            self.stdout.write(
                f"{row['state']} {row['api']} {row['result_code']}: {row['calls']} since {row['since']:%F %T}"
                f"  {row['cause']}"
            )
        for row in result["resting"]:
            self.stdout.write(f"resting: {row['api']} ({row['reason']}) until {row['open_until']:%F %T}")
