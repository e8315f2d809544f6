"""A company in the imitation WeCom, and members of it who open the sidebar from its client."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
import requests
from django.conf import settings
from django.test import Client

from contacts.models import Customer, Follow
from members.models import Staff
from tenants.jobs import run_to_end, start
from tenants.models import Tenant
from tests.cast import ACME
from tests.contacts.conftest import Events, events
from tests.people import StayingClient
from tests.sandbox_server import Sandbox, sandbox, sandbox_process

__all__ = ["events", "sandbox", "sandbox_process"]

AGENT = "Mozilla/5.0 wxwork/4.1.36 MicroMessenger/7.0.1 Language/zh_CN"


@dataclass
class Seller:
    """A member with the sidebar open, and one of their customers."""

    staff: Staff
    client: Client
    follow: Follow

    @property
    def customer(self) -> Customer:
        return self.follow.customer

    def url(self, rest: str = "") -> str:
        return f"/sidebar/customer/{self.customer.external_userid}/{rest}"


def browser(tenant: Tenant) -> Client:
    return StayingClient(tenant, headers={"host": f"{tenant.schema_name}.localhost", "user-agent": AGENT})


def at_wecom(sandbox: Sandbox, location: str, userid: str) -> str:
    """WeCom's sign-in page, as the client of that member follows it; the address it leads back to."""
    corp = {"corp_id": ACME.wecom.corp_id, "person": userid}
    query = urlencode(parse_qsl(urlsplit(location).query))
    answer = requests.get(
        f"{sandbox.url}/connect/oauth2/authorize?{query}",
        cookies={"sandbox_visitor": quote(urlencode(corp))},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def sign_in(sandbox: Sandbox, client: Client, userid: str) -> Any:
    leave = client.get("/sidebar/sign-in/")
    return client.get(at_wecom(sandbox, leave["Location"], userid))


@pytest.fixture(autouse=True)
def _sign_in_at_the_imitation(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "WECOM_OAUTH_BASE", sandbox.url)


@pytest.fixture
def seller(in_acme: Tenant, sandbox: Sandbox, events: Events) -> Seller:
    run_to_end(start("sync"))
    events.new()
    follow = Follow.objects.filter(ended_at=None).select_related("staff", "customer").order_by("pk").first()
    assert follow is not None
    client = browser(in_acme)
    assert sign_in(sandbox, client, follow.staff.userid).status_code == 302
    return Seller(follow.staff, client, follow)
