from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from scrm.opening import open_company
from tenants.commands import Command as TenantsCommand
from tenants.models import Tenant
from tenants.provision import Connection


class Command(TenantsCommand):
    help = "Opens a company's account and connects its self-built WeCom app. Prints what to tell the company, once."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("schema", help="2–31 lower-case letters, digits and _")
        parser.add_argument("--name", required=True, help="the company's name")
        parser.add_argument("--domain", default="", help="its host; <schema>.<base domain> when left out")
        parser.add_argument("--corp-id", required=True)
        parser.add_argument("--agent-id", required=True, type=int)
        parser.add_argument("--agent-secret", required=True)
        parser.add_argument("--contact-secret", default="")
        parser.add_argument("--token", required=True)
        parser.add_argument("--aes-key", required=True)
        parser.add_argument("--archive-secret", default="")
        parser.add_argument("--archive-key", action="append", default=[], metavar="FILE.pem")
        parser.add_argument("--plan", choices=Tenant.Plan.values, default=Tenant.Plan.TRIAL)
        parser.add_argument("--seats", type=int, default=50)

    def run(self, options: dict[str, Any]) -> Any:
        wecom = Connection(
            corp_id=options["corp_id"],
            agent_id=options["agent_id"],
            agent_secret=options["agent_secret"],
            contact_secret=options["contact_secret"],
            token=options["token"],
            aes_key=options["aes_key"],
            archive_secret=options["archive_secret"],
            archive_keys=tuple(Path(path).read_text(errors="replace") for path in options["archive_key"]),
        )
        return open_company(
            options["schema"],
            name=options["name"],
            domain=options["domain"],
            wecom=wecom,
            plan=options["plan"],
            seats=options["seats"],
            by="command line",
        )
