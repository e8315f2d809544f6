from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from scrm.opening import open_company
from tenants.commands import Command as TenantsCommand
from tenants.models import Tenant
from tenants.provision import Connection, Refused

NEEDED = ("corp_id", "agent_id", "agent_secret", "token", "aes_key")


class Command(TenantsCommand):
    help = (
        "Opens a company's account and prints what to tell the company, once. With --corp-id and the other values of "
        "its self-built app it is connected at once; without them it connects by itself, by a scan."
    )

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema", help="2–31 lower-case letters, digits and _")
        parser.add_argument("--name", required=True, help="the company's name")
        parser.add_argument("--domain", default="", help="its host; <schema>.<base domain> when left out")
        parser.add_argument("--corp-id", default="")
        parser.add_argument("--agent-id", type=int, default=None)
        parser.add_argument("--agent-secret", default="")
        parser.add_argument("--contact-secret", default="")
        parser.add_argument("--token", default="")
        parser.add_argument("--aes-key", default="")
        parser.add_argument("--archive-secret", default="")
        parser.add_argument("--archive-key", action="append", default=[], metavar="FILE.pem")
        parser.add_argument("--plan", choices=Tenant.Plan.values, default=Tenant.Plan.TRIAL)
        parser.add_argument("--seats", type=int, default=50)

    def run(self, options: dict[str, Any]) -> Any:
        return open_company(
            options["schema"],
            name=options["name"],
            domain=options["domain"],
            wecom=connection_of(options),
            plan=options["plan"],
            seats=options["seats"],
            by="command line",
        )


def connection_of(options: dict[str, Any]) -> Connection | None:
    """The self-built app, whole or not at all."""
    secrets = [options[name] for name in ("contact_secret", "archive_secret", "archive_key")]
    missing = [name for name in NEEDED if options[name] in (None, "")]
    if len(missing) == len(NEEDED) and not any(secrets):
        return None
    if missing:
        raise Refused(f"a self-built app needs {', '.join('--' + name.replace('_', '-') for name in missing)} as well")
    return Connection(
        corp_id=options["corp_id"],
        agent_id=options["agent_id"],
        agent_secret=options["agent_secret"],
        contact_secret=options["contact_secret"],
        token=options["token"],
        aes_key=options["aes_key"],
        archive_secret=options["archive_secret"],
        archive_keys=tuple(Path(path).read_text(errors="replace") for path in options["archive_key"]),
    )
