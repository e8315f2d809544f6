from argparse import ArgumentParser
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import second_factor
from accounts.models import Operator
from scrm.opening import create_operator
from tenants import keys
from tenants.closing import audit
from tenants.commands import Command as TenantsCommand
from tenants.isolation import current_owner
from tenants.migrate import ensure_public
from tenants.provision import Refused


class Command(TenantsCommand):
    help = "Makes an account of the vendor console. Prints its password, once."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="")
        parser.add_argument("--role", choices=[Operator.Role.OWNER.value, Operator.Role.ADMIN.value], default="admin")
        parser.add_argument("--totp", action="store_true", help="with a second factor: prints its otpauth:// address")

    def run(self, options: dict[str, Any]) -> Any:
        username = options["username"].strip()
        with ensure_public(), transaction.atomic():
            if not username or Operator.objects.filter(username__iexact=username).exists():
                raise Refused(f"account {username!r}: empty, or there is one of this name")
            operator, password = create_operator(username, name=options["name"] or username, role=options["role"])
            result = {"operator": username, "password": password}
            if options["totp"]:
                result["totp"] = add_second_factor(operator)
            audit(None, "ops_user_created", by="command line", username=username, role=options["role"])
        return result


def add_second_factor(operator: Operator) -> str:
    """Sealed under the platform's own key; returns the address that an authenticator app reads."""
    secret = second_factor.new_secret()
    operator.totp_sealed = keys.seal(current_owner().pk, second_factor.place(operator), secret)
    operator.totp_confirmed_at = timezone.now()
    operator.save(update_fields=["totp_sealed", "totp_confirmed_at"])
    return second_factor.uri(operator, secret)
