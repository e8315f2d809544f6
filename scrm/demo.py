"""The demo company: made from the sandbox's corp over HTTP as a real one would be, to try everything on."""

import json
import secrets
import time
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import Operator
from acquisition import demo as codes_demo
from acquisition.models import Welcome
from archive import access as archive_access
from archive import consents as archive_consents
from archive import demo as archive_demo
from archive import library as archive_library
from archive import tasks as archive_tasks
from contacts import demo as contacts_demo
from contacts.friendship import News
from content import demo as content_demo
from members.models import Staff
from scrm.opening import OPENED, create_operator, open_company
from tenants import jobs
from tenants.credentials import keys_to_copy
from tenants.current import current_tenant
from tenants.models import Credential, Job, Receiver, Suite, Tenant
from tenants.provision import Connection, Refused, callback_url, store_secret
from tenants.suites import add as add_suite

SCHEMA = "demo"
NAME = "青禾生活（演示企业）"
WELCOME = "您好，我是青禾生活的顾问，很高兴认识您！想看新品、查订单、约到店，直接发消息给我就行～"
PEOPLE = {
    "boss": ("许国栋", Operator.Role.OWNER, Operator.Scope.ALL),
    "leader": ("", Operator.Role.ADMIN, Operator.Scope.SUBTREE),
    "sales": ("", Operator.Role.STAFF, Operator.Scope.SELF),
}
LOSS_ACTS = {
    News.DELETED_BY_CUSTOMER: "customer_deletes_staff",
    News.DELETED_BY_STAFF: "staff_deletes_customer",
}
PROVIDER, TEMPLATE, NAME_OF_TEMPLATE = "ww7d6c5b4a39281706", "dk7d6c5b4a39281706", "青禾客户助手"
VISITORS = (("林晓雯", "周子轩", "何佳怡"), ("郭俊杰", "罗思琪"), ("宋雨桐",))
WAIT_SECONDS = 20.0
SYNC_SECONDS = 120.0


def people_below(leader: Staff) -> int:
    """How many stand in the departments of this one and in those below."""
    roots = list(leader.departments.values_list("wecom_id", flat=True))
    return Staff.objects.filter(departments__path__overlap=roots, left_at=None).distinct().count()


class Demo:
    """Repeatable: what is there stays as it is, what is missing is made."""

    def __init__(self, sandbox_url: str, notes: Path) -> None:
        self.url = sandbox_url.rstrip("/")
        self.notes = notes

    def address(self) -> str:
        """The sandbox as browsers reach it."""
        return str(self._ask("GET", "/_sandbox/health")["home"])

    def corp(self) -> dict[str, Any]:
        corps = self._ask("GET", "/_sandbox/corps")["corps"]
        found: dict[str, Any] = self._ask("GET", f"/_sandbox/corps/{corps[0]['corp_id']}")
        return found

    def tenant(self, corp: dict[str, Any]) -> Tenant:
        found = Tenant.objects.filter(schema_name=SCHEMA).first()
        if found is not None:
            return found
        wecom = Connection(
            corp_id=corp["corp_id"],
            agent_id=corp["agent_id"],
            agent_secret=corp["secret"],
            contact_secret=corp["contact_secret"],
            token=secrets.token_hex(12),
            aes_key=secrets.token_hex(22)[:43],
        )
        told = open_company(
            SCHEMA, name=NAME, domain="", wecom=wecom, plan=Tenant.Plan.STANDARD, seats=50, by="seed_demo"
        )
        self.remember(api_key=told["api_key"])
        return Tenant.objects.get(schema_name=SCHEMA)

    def greet(self) -> None:
        Welcome.objects.filter(updated_by=OPENED).update(text=WELCOME, updated_by="演示")

    def library(self) -> None:
        """素材 and 话术, and what came of them in a month."""
        content_demo.fill()
        content_demo.history()

    def sync(self) -> Job:
        """Waits for the first sync, which a worker does; later starts leave it to the scheduler."""
        done = Job.objects.filter(tenant=current_tenant(), kind="sync", state=Job.State.DONE).first()
        if done is not None:
            return done
        job = jobs.start("sync", by="seed_demo")
        until = time.monotonic() + SYNC_SECONDS
        while job.state in jobs.OPEN and time.monotonic() < until:
            time.sleep(0.5)
            job.refresh_from_db()
        return job

    def losses(self, corp_id: str) -> None:
        """A month of them. WeCom hears of each too, while it has no callback of ours to tell it back to."""
        for loss in contacts_demo.lose():
            wish = {"act": LOSS_ACTS[loss.news], "userid": loss.userid, "external_userid": loss.external_userid}
            self._ask("POST", "/_sandbox/acts", {"corp_id": corp_id, **wish})

    def people(self) -> None:
        """Three sign-ins with three scopes: all, a department with those below, one's own customers."""
        leader, sales = self._staff_for_demo()
        for username, (name, role, scope) in PEOPLE.items():
            operator = Operator.objects.filter(username=username).first()
            if operator is None:
                person = {"leader": leader, "sales": sales}.get(username)
                operator, password = create_operator(username, name=name or str(person or username), role=role)
                operator.scope, operator.must_change_password = scope, False
                operator.save()
                self.remember(**{username: password})
                if person is not None:
                    Staff.objects.filter(pk=person.pk, operator=None).update(operator=operator)

    @staticmethod
    def _staff_for_demo() -> tuple[Staff | None, Staff | None]:
        """The leader of the largest department that is not everyone, and the one with the most customers."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT staff_id FROM contacts_follow WHERE ended_at IS NULL "
                "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
            )
            busiest = cursor.fetchone()
        sales = Staff.objects.filter(pk=busiest[0]).first() if busiest else None
        everyone = Staff.objects.filter(left_at=None)
        leaders = everyone.filter(placements__is_leader=True).distinct()
        led = {leader: people_below(leader) for leader in leaders.order_by("id")}
        led = {leader: count for leader, count in led.items() if count < everyone.count() and leader != sales}
        return max(led, key=lambda leader: led[leader], default=None), sales

    def archive(self, corp_id: str) -> None:
        """The session archive, connected as a company does it: a key made here, its public half saved at WeCom."""
        app = archive_access.main_app()
        if app is None or archive_access.access() is not None or archive_library.find() is None:
            return
        pem = archive_access.new_pem()
        public = archive_access.public_pem(archive_access.private_key(pem))
        told = self._ask("POST", f"/_sandbox/corps/{corp_id}/archive", {"public_key": public})
        archive_access.add_key(app, pem, version=max(told["versions"]))
        store_secret(app, Credential.Kind.ARCHIVE_SECRET, told["secret"])
        archive_demo.watch()
        for messages in archive_demo.talks():
            self._ask("POST", f"/_sandbox/corps/{corp_id}/archive/messages", {"messages": messages})
        for wish in archive_demo.examples():
            self._ask("POST", f"/_sandbox/corps/{corp_id}/archive/examples", wish)
        messages = list(archive_demo.group_talk())
        self._ask("POST", f"/_sandbox/corps/{corp_id}/archive/messages", {"messages": messages})
        for wish in archive_demo.answers():
            self._ask("POST", "/_sandbox/acts", {"act": "archive_answers", "corp_id": corp_id, **wish})
        archive_tasks.soon()
        archive_consents.check_later(by="seed_demo")

    def connect_callbacks(self, corp_id: str) -> str:
        """Tells the sandbox our callback URL; it verifies it as WeCom does. Returns what it said."""
        receiver = Receiver.objects.filter(tenant=current_tenant(), retired_at=None).earliest("created_at")
        self._ask("POST", f"/_sandbox/corps/{corp_id}/callback", self._entered(receiver))
        return callback_url(receiver)

    def provider(self) -> None:
        """A template of 代开发, so that a company without an app can be tried as well: it connects by a scan."""
        known = {"provider_corp_id": PROVIDER, "secret": f"demo-{TEMPLATE}", "provider_secret": f"demo-{PROVIDER}"}
        suite = Suite.objects.filter(suite_id=TEMPLATE).first() or add_suite(TEMPLATE, name=NAME_OF_TEMPLATE, **known)
        there = self._ask("GET", "/_sandbox/suites")["suites"]
        if TEMPLATE not in {one["suite_id"] for one in there}:
            self._ask("POST", "/_sandbox/suites", {"suite_id": TEMPLATE, "name": NAME_OF_TEMPLATE, **known})
        self._ask("POST", f"/_sandbox/suites/{TEMPLATE}/callback", self._entered(suite.receivers.get()))

    @staticmethod
    def _entered(receiver: Receiver) -> dict[str, str]:
        """What an admin of WeCom copies from us."""
        shown = keys_to_copy(receiver)
        if shown is None:
            raise Refused(f"the callback address {receiver} has no key")
        return {"url": f"{settings.INTERNAL_URL}/wecom/callback/{receiver.public_id}/", **shown}

    def toolbar(self, corp: dict[str, Any]) -> None:
        """What an admin enters in WeCom: the page beside chats, the one of the workbench, and the trusted domain."""
        host = f"{SCHEMA}.{settings.BASE_DOMAIN}{settings.PUBLIC_URL_SUFFIX}"
        page = f"http://{host}/sidebar/"
        pages = {"sidebar_url": page, "home_url": page, "trusted_domains": [host]}
        self._ask("POST", f"/_sandbox/corps/{corp['corp_id']}/apps", {"agent_id": corp["agent_id"], **pages})

    def codes(self, corp: dict[str, Any]) -> None:
        """渠道活码, made in WeCom by a worker; a few customers scan the first ones at once."""
        made = codes_demo.fill()
        until = time.monotonic() + WAIT_SECONDS
        for code, names in zip(made, VISITORS, strict=False):
            while code.status == code.Status.CREATING and time.monotonic() < until:
                time.sleep(0.2)
                code.refresh_from_db()
            for name in names if code.status == code.Status.ACTIVE else ():
                wish = {"act": "customer_scans", "config_id": code.config_id, "name": name}
                self._ask("POST", "/_sandbox/acts", {"corp_id": corp["corp_id"], **wish})

    # -- what is shown at each start ------------------------------------------------------------

    def remember(self, **facts: str) -> None:
        """Demo passwords stand in a file of the data folder, so that each start can show them again."""
        self.notes.parent.mkdir(parents=True, exist_ok=True)
        self.notes.touch(mode=0o600)
        self.notes.write_text(json.dumps({**self.remembered(), **facts}))

    def remembered(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self.notes.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  ours, from settings
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
        return answer
