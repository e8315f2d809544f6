import json
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from django.conf import settings

from accounts.models import Operator
from broadcasts.demo import seed_broadcasts
from scrm.demo import SCHEMA, Demo
from scrm.demo_profile import seed_profile
from scrm.opening import create_operator
from sop.demo import seed_sop
from tagging.demo import seed_segments, seed_tagging
from tenants.commands import Command as TenantsCommand
from tenants.migrate import ensure_public
from tenants.provision import Refused


class Command(TenantsCommand):
    help = "Makes the demo company from the sandbox and prints, a JSON line each, what a newcomer should open."

    def run(self, options: dict[str, Any]) -> list[dict[str, str]]:
        if not settings.SANDBOX_URL:
            raise Refused("there is no sandbox: set SANDBOX_URL, or start it with `make up`")
        demo = Demo(settings.SANDBOX_URL, settings.DATA_DIR / "demo.json")
        try:
            corp = demo.corp()
            with demo.tenant(corp):
                demo.greet()
                demo.sync()
                demo.people()
                demo.losses(corp["corp_id"])
                seed_profile()
                demo.library()
                seed_sop()
                seed_segments()
                seed_broadcasts()
                demo.connect_callbacks(corp["corp_id"])
                demo.archive(corp["corp_id"])
                demo.toolbar(corp)
                demo.codes(corp)
                seed_tagging()
            demo.provider()
            address = demo.address()
        except URLError as error:
            raise Refused(f"the sandbox at {settings.SANDBOX_URL} does not answer as expected: {error}") from error
        vendor(demo)
        return shown(demo.remembered(), address)

    def handle(self, *args: Any, **options: Any) -> None:
        """A line of JSON for each thing to show, with or without --json."""
        options["json"] = False
        super().handle(*args, **options)

    def tell(self, result: list[dict[str, str]]) -> None:
        for row in result:
            self.stdout.write(json.dumps(row, ensure_ascii=False))


def vendor(demo: Demo) -> None:
    with ensure_public():
        if not Operator.objects.filter(username="ops").exists():
            operator, password = create_operator("ops", name="平台管理员", role=Operator.Role.OWNER)
            operator.must_change_password = False
            operator.save()
            demo.remember(ops=password)


def shown(secrets: dict[str, str], sandbox: str) -> list[dict[str, str]]:
    base = f"{settings.BASE_DOMAIN}{settings.PUBLIC_URL_SUFFIX}"
    console = f"http://{SCHEMA}.{base}/console/"
    titles = {"boss": "超级管理员", "leader": "部门主管", "sales": "一线员工"}
    chat = f"http://{SCHEMA}.{settings.BASE_DOMAIN}:{urlsplit(sandbox).port}/chat/"
    rows = [{"show": "try it: WeCom", "url": chat}]
    rows += [
        {"show": f"console {titles[name]}", "url": console, "account": name, "password": secrets[name]}
        for name in titles
        if name in secrets
    ]
    if "ops" in secrets:
        rows.append(
            {"show": "vendor console", "url": f"http://ops.{base}/", "account": "ops", "password": secrets["ops"]}
        )
    if "api_key" in secrets:
        rows.append({"show": "Open API", "url": f"http://{SCHEMA}.{base}/api/v1/schema/", "key": secrets["api_key"]})
    return rows
