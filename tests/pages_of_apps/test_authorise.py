"""扫码授权, from the button to the customers: the imitation WeCom on one side, our door and our pages on the other."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import make_server

import pytest
import requests
from django.conf import settings
from django.test import Client

from callbacks import inbox, intake
from callbacks.record import LANES
from contacts.models import Customer
from scrm.up.folder import free_port
from sidebar.member import app_id, member_of
from tenants.checks import check_app
from tenants.credentials import newest_credential
from tenants.current import main_app, wecom_client
from tenants.keys import unseal
from tenants.migrate import ensure_public
from tenants.models import AccessToken, Authorisation, CorpApp, Credential, Receiver, ReceiverKey, Suite, Tenant
from tenants.rotation import place_of
from tenants.suites import add, offered
from tests.at_work import Quiet, Threads
from tests.callbacks.door import behind
from tests.cast import ACME
from tests.conftest import operator_of
from tests.sandbox_server import Sandbox
from wecom.errors import WeComMisconfigured

URL = "/console/settings/connection/"
HTMX = {"HX-Request": "true"}
PROVIDER = "wwprovider000001"


@dataclass
class Provider:
    """Our side as WeCom's provider admin knows it: an address for each suite, served on a port of its own."""

    sandbox: Sandbox
    port: int

    def offers(self, suite_id: str, **wish: object) -> Suite:
        secret, provider_secret = f"secret-of-{suite_id}", "secret-of-the-provider"
        known = {"provider_corp_id": PROVIDER, "secret": secret, "provider_secret": provider_secret}
        suite = add(suite_id, name="小店助手", **known)
        self.sandbox.control("POST", "suites", suite_id=suite_id, replace=True, **known, **wish)
        self.sandbox.control("POST", f"suites/{suite_id}/callback", **self.address(suite))
        self.hear()
        assert offered() == [suite]
        return suite

    def address(self, app: CorpApp) -> dict[str, str]:
        receiver = Receiver.objects.get(app=app)
        key = ReceiverKey.objects.get(receiver=receiver)
        shown = {
            name: unseal(app.tenant_id, place_of(key, name), bytes(getattr(key, name))).decode()
            for name in ("token", "aes_key")
        }
        return shown | {"url": f"http://127.0.0.1:{self.port}/wecom/callback/{receiver.public_id}/"}

    def hear(self) -> None:
        """WeCom tells what it has to tell, and the platform's poller acts on it."""
        self.sandbox.control("POST", "wait")
        for suite in Suite.objects.all():
            self.sandbox.control("POST", "wait", corp_id=suite.suite_id)
        for lane in range(LANES):
            inbox.drain(ensure_public().pk, lane)


@pytest.fixture
def provider(transactional_db: None, sandbox: Sandbox, acme: Tenant, clean_cache: None) -> Iterator[Provider]:
    intake.receivers.clear()
    settings.WECOM_API_BASE = settings.WECOM_INSTALL_BASE = sandbox.url
    CorpApp.objects.filter(tenant=acme).delete()
    ensure_public()
    port = free_port()
    server = make_server("127.0.0.1", port, intake.intake(behind), Threads, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Provider(sandbox, port)
    server.shutdown()
    server.server_close()
    for suite in sandbox.control("GET", "suites")["suites"]:
        sandbox.control("DELETE", f"suites/{suite['suite_id']}")


@pytest.fixture
def owner(acme: Tenant) -> Client:
    with acme:
        operator = operator_of(acme, "owner", role="owner", scope="all")
        client = Client(headers={"host": ACME.host})
        client.force_login(operator)
    return client


def meets(provider: Provider, name: str) -> None:
    """A member of the company gets a new customer."""
    follower, _customer = provider.sandbox.friendships()[0]
    provider.sandbox.act("customer_adds", userid=follower, name=name)


def code_for(provider: Provider, suite: Suite, userid: str) -> str:
    """As WeCom's sign-in page gives it to a member's browser."""
    query = {"appid": suite.suite_id, "redirect_uri": "http://acme.localhost/", "response_type": "code"}
    query |= {"scope": "snsapi_base", "state": "s", "sandbox_corp": ACME.wecom.corp_id, "sandbox_user": userid}
    page = f"{provider.sandbox.url}/connect/oauth2/authorize"
    back = requests.get(page, params=query, allow_redirects=False, timeout=20)
    return parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]


def scan(provider: Provider, owner: Client, suite: Suite) -> tuple[Authorisation, str]:
    """The drawer with the code, and the admin who scans it and agrees."""
    page = owner.get(URL).content.decode()
    assert "扫码授权（推荐）" in page
    drawer = owner.post(f"{URL}authorise/", {"suite": str(suite.pk)}, headers=HTMX).content.decode()
    asked = Authorisation.objects.get()
    link = re.search(r"https?://[^\"<\s]+/3rdapp/customized[^\"<\s]*", drawer)
    assert link is not None
    assert "等待扫码" in drawer
    agreed = requests.post(link[0].replace("&amp;", "&"), data={"sandbox_corp": ACME.wecom.corp_id}, timeout=20)
    assert "授权成功" in agreed.text
    return asked, f"{URL}authorise/{asked.pk}/"


def test_a_scan_connects_a_company_that_has_no_secret(provider: Provider, owner: Client, acme: Tenant) -> None:
    suite = provider.offers("dk0a1b2c3d4e5f6071")
    _asked, waiting = scan(provider, owner, suite)
    assert "等待扫码" in owner.get(waiting, headers=HTMX).content.decode()

    provider.hear()

    assert owner.get(waiting, headers=HTMX)["HX-Redirect"] == URL
    company = provider.sandbox.control("GET", f"corps/{ACME.wecom.corp_id}")["name"]
    assert f"授权成功：{company}" in owner.get(URL).content.decode()  # whoever scanned decided which one it is
    with acme:
        app = main_app()
        assert (app.lane, app.suite_id, app.agent_id is not None) == (CorpApp.Lane.PROVIDER, suite.suite_id, True)
        assert app.corp_id != ACME.wecom.corp_id  # a provider knows companies by ids of its own (wecom-api.md 11.1)
        provider.sandbox.control(
            "POST", f"suites/{suite.suite_id}/apps/{ACME.wecom.corp_id}/callback", **provider.address(app)
        )
        assert {row.name: row.ok for row in check_app(app)}["customers"]
        assert app.state == CorpApp.State.OK
    assert AccessToken.objects.get(app=app).kind == Credential.Kind.PERMANENT_CODE
    meets(provider, "扫码来的韩梅梅")
    provider.sandbox.control("POST", "wait")
    for lane in range(LANES):
        inbox.drain(acme.pk, lane)
    with acme:
        assert Customer.objects.filter(name="扫码来的韩梅梅").exists()


def test_a_suite_is_installed_on_wecoms_page_and_hears_at_one_address(
    provider: Provider, owner: Client, acme: Tenant
) -> None:
    suite = provider.offers("ww9a8b7c6d5e4f3021")
    answer = owner.post(f"{URL}authorise/", {"suite": str(suite.pk)}, headers=HTMX)
    link = answer["HX-Redirect"]
    assert parse_qs(urlsplit(link).query)["redirect_uri"] == [f"http://{ACME.host}{URL}authorised/"]

    back = requests.post(link, data={"sandbox_corp": ACME.wecom.corp_id}, allow_redirects=False, timeout=20)
    path = back.headers["Location"].removeprefix(f"http://{ACME.host}")
    assert owner.get(path)["Location"] == URL

    assert "授权成功" in owner.get(URL).content.decode()
    again = owner.get(path, follow=True).content.decode()  # the browser's "back" exchanges nothing twice
    assert "已失效" not in again
    assert owner.get(f"{URL}authorised/", {"state": "\0", "auth_code": "x"}).status_code == 404
    with acme:
        assert wecom_client("app").departments()
        check_app(main_app())
        assert main_app().state == CorpApp.State.OK
        someone, other = main_app(), CorpApp(lane="provider", suite_id=suite.suite_id, corp_id="wpOfAnotherCompany")
    assert app_id(someone) == suite.suite_id
    member, _customer = provider.sandbox.friendships()[0]
    assert [member_of(app, code_for(provider, suite, member)) for app in (someone, other)] == [member, ""]
    intake.receivers.clear()  # within a minute each process knows the new company by itself
    meets(provider, "应用市场来的李雷")
    provider.hear()
    for lane in range(LANES):
        inbox.drain(acme.pk, lane)
    with acme:
        assert Customer.objects.filter(name="应用市场来的李雷").exists()


def test_a_reset_secret_is_replaced_and_a_removed_app_says_so(provider: Provider, owner: Client, acme: Tenant) -> None:
    suite = provider.offers("dk0a1b2c3d4e5f6072")
    scan(provider, owner, suite)
    provider.hear()
    corp = ACME.wecom.corp_id
    with acme:
        before = newest_credential(main_app(), Credential.Kind.PERMANENT_CODE)

    provider.sandbox.control("POST", f"suites/{suite.suite_id}/reset", corp_id=corp)
    provider.hear()
    with acme:
        after = newest_credential(main_app(), Credential.Kind.PERMANENT_CODE)
        assert before and after and after.version > before.version
        assert wecom_client("app").departments()

    provider.sandbox.control("POST", f"suites/{suite.suite_id}/cancel", corp_id=corp)
    provider.hear()
    with acme:
        assert main_app().state == CorpApp.State.BROKEN
        with pytest.raises(WeComMisconfigured):
            wecom_client("app")
    page = owner.get(URL).content.decode()
    assert "重新授权" in page
    assert "企业对应用的授权已失效" in owner.get(f"{URL}checks/").content.decode()


def test_a_company_that_has_an_account_is_not_given_to_another_one(
    provider: Provider, owner: Client, acme: Tenant, globex: Tenant
) -> None:
    suite = provider.offers("dk0a1b2c3d4e5f6073", both_ways=True)
    with globex:
        CorpApp.objects.filter(tenant=globex).delete()
    asked = Authorisation.objects.create(tenant=globex, suite=suite, by="globex")
    provider.sandbox.control("POST", f"suites/{suite.suite_id}/install", corp_id=ACME.wecom.corp_id, state=asked.state)
    provider.hear()
    provider.sandbox.control("POST", f"suites/{suite.suite_id}/cancel", corp_id=ACME.wecom.corp_id)
    provider.hear()

    mine, waiting = scan_again(provider, owner, suite)
    provider.hear()

    assert "已经接入了另一个账号" in owner.get(waiting, headers=HTMX).content.decode()
    assert not CorpApp.objects.filter(tenant=acme).exists()
    assert mine.problem == ""
    assert CorpApp.objects.get(tenant=globex).is_main


def scan_again(provider: Provider, owner: Client, suite: Suite) -> tuple[Authorisation, str]:
    owner.post(f"{URL}authorise/", {"suite": str(suite.pk)}, headers=HTMX)
    asked = Authorisation.objects.order_by("-created_at").first()
    assert asked is not None
    provider.sandbox.control("POST", f"suites/{suite.suite_id}/install", corp_id=ACME.wecom.corp_id, state=asked.state)
    return asked, f"{URL}authorise/{asked.pk}/"


def test_a_company_that_came_by_itself_waits_for_the_vendor_to_assign_it(
    provider: Provider, ops_client: Client, acme: Tenant
) -> None:
    suite = provider.offers("ww9a8b7c6d5e4f3022")
    provider.sandbox.control("POST", f"suites/{suite.suite_id}/install", corp_id=ACME.wecom.corp_id, tell=True)
    provider.hear()
    app = CorpApp.objects.get(lane=CorpApp.Lane.PROVIDER)
    assert app.tenant == ensure_public()
    with ensure_public():
        ops_client.force_login(operator_of(ensure_public(), "root", role="owner"))
    assert f"未分配：{app.corp_name}" in ops_client.get("/tenants/corpapp/").content.decode()
    form = {"name": app.name, "company": str(acme.pk), "new_app_secret": "", "new_contact_secret": ""}
    assert ops_client.post(f"/tenants/corpapp/{app.pk}/change/", form).status_code == 302
    with acme:
        assert wecom_client("app").departments()
