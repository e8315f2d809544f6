"""企业微信接入 of a company with several callback addresses and several apps of one corp."""

import time

from django.utils import timezone

from callbacks import inbox, intake
from callbacks.models import InboxEvent
from callbacks.record import LANES
from console.models import AuditEntry
from tenants.current import main_app
from tenants.models import CorpApp, OutgoingCall, Receiver, Tenant
from tests.callbacks.door import event_xml, request
from tests.cast import ACME
from tests.pages import assert_strict
from tests.pages_of_apps.company import Browser, Company
from tests.pages_of_apps.test_connection_page import HTMX, URL, at, secret_of, the_receiver
from tests.pages_of_apps.test_trouble import call
from tests.sandbox_server import Sandbox
from wecom.crypto import CallbackCrypto


def add_receiver(client: Browser, purpose: str) -> tuple[Receiver, CallbackCrypto]:
    """The new address, and what WeCom is given of it."""
    given = client.post(f"{URL}receivers/new/", {"purpose": purpose}, headers=HTMX).context
    receiver = Receiver.objects.get(purpose=purpose)
    assert receiver.public_id in given["url"]
    return receiver, CallbackCrypto(given["token"], given["aes_key"], frozenset({ACME.wecom.corp_id}))


def deliver(receiver: Receiver, crypto: CallbackCrypto, text: str) -> int:
    event = event_xml("", event="kf_msg_or_event", Token=text)
    sent = crypto.deliver(event, ACME.wecom.corp_id, int(time.time()), "263014780")
    return request("POST", f"/wecom/callback/{receiver.public_id}/", sent.query, sent.body).status


def test_each_address_takes_events_and_a_deleted_one_none_but_what_it_brought_is_read(
    transactional_db: None, company: Company
) -> None:
    client, first = company.client(), the_receiver()
    archive, archive_keys = add_receiver(client, "archive")
    contact, contact_keys = add_receiver(client, "contact")
    wecom = ACME.wecom
    first_keys = CallbackCrypto(wecom.token, wecom.aes_key, frozenset({wecom.corp_id}))
    pairs = [(first, first_keys), (archive, archive_keys), (contact, contact_keys)]
    assert [deliver(receiver, keys, "1") for receiver, keys in pairs] == [200, 200, 200]
    assert deliver(archive, contact_keys, "1") == 400, "each has keys of its own"

    assert client.post(at(contact, "delete/"), headers=HTMX).status_code == 204

    intake.receivers.clear()  # as a minute later
    assert [deliver(receiver, keys, "2") for receiver, keys in pairs[1:]] == [200, 404]
    for lane in range(LANES):
        inbox.drain(company.tenant.pk, lane)
    of_the_deleted = InboxEvent.objects.get(receiver_id=contact.pk)
    assert (of_the_deleted.status, of_the_deleted.last_error) == ("done", "no handler")
    page = client.get(URL)
    assert_strict(page)
    assert [receiver.pk for receiver, _ in page.context["receivers"]] == [first.pk, archive.pk]
    assert client.post(at(contact, "token/"), headers=HTMX).status_code == 404
    acts = {"connection.add_receiver": 2, "connection.delete_receiver": 1}
    assert {act: AuditEntry.objects.filter(action=act).count() for act in acts} == acts
    for secret in (wecom.token, wecom.aes_key):
        assert secret not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_the_only_address_stays_and_says_why(company: Company) -> None:
    client = company.client()
    assert at(the_receiver(), "delete/") not in client.get(URL).content.decode()

    answer = client.post(at(the_receiver(), "delete/"), follow=True)

    assert "这是唯一的回调地址" in answer.content.decode()
    assert the_receiver().retired_at is None


def test_what_an_address_is_for_can_be_changed_and_another_companys_is_not_found(
    company: Company, globex: Tenant
) -> None:
    client, theirs = company.client(), Receiver.objects.get(tenant=globex)

    client.post(at(the_receiver()), {"purpose": "contact"})

    assert the_receiver().purpose == "contact"
    assert "客户联系" in client.get(at(the_receiver())).content.decode()
    answers = [client.post(at(theirs, act), {"purpose": "other"}) for act in ("", "token/", "token/renew/", "delete/")]
    assert {answer.status_code for answer in answers} == {404}


def test_the_checks_name_the_address_that_is_not_verified(company: Company, sandbox: Sandbox) -> None:
    client = company.client()
    add_receiver(client, "archive")
    Receiver.objects.filter(purpose="app").update(verified_at=timezone.now())

    text = client.get(f"{URL}checks/").content.decode()

    assert "还没有验证：会话存档" in text
    assert "7 项中 6 项正常" in text
    assert "2 个中 1 个已验证" in client.get(URL).content.decode()


# -- several apps ---------------------------------------------------------------------------------------------

SECOND = {"name": "售后助手", "agent_id": "1000050", "app_secret": "second-app-of-acme-000000000000000000000000"}


def second_app(client: Browser) -> CorpApp:
    assert client.post(f"{URL}apps/new/", SECOND).status_code == 302
    return CorpApp.objects.get(agent_id=1000050)


def test_a_second_app_is_of_the_same_corp_and_connected_once(company: Company) -> None:
    client, main = company.client(), main_app()
    app = second_app(client)

    assert (app.corp_id, app.is_main, app.tenant_id) == (main.corp_id, False, main.tenant_id)
    page = client.get(URL)
    assert_strict(page)
    assert "售后助手" in page.content.decode() and SECOND["app_secret"] not in page.content.decode()
    again = client.post(f"{URL}apps/new/", SECOND | {"agent_id": str(main.agent_id)}, headers=HTMX)
    assert (again.status_code, "已经在本账号中" in again.content.decode()) == (422, True)
    client.post(f"{URL}apps/{app.pk}/", {"name": "售后", "agent_id": "1000051", "app_secret": ""})
    app.refresh_from_db()
    assert (app.name, app.agent_id, app.credentials.count()) == ("售后", 1000051, 1)
    kept = {"corp_id": "wwAnother0000001", "agent_id": str(main.agent_id), "app_secret": "", "contact_secret": ""}
    assert "请先移除其他应用" in client.post(f"{URL}app/", kept).content.decode()


def test_another_app_becomes_the_main_one_and_takes_along_what_is_the_companys(
    company: Company, sandbox: Sandbox
) -> None:
    sandbox.control("POST", f"corps/{ACME.wecom.corp_id}/apps", agent_id=1000050, secret=SECOND["app_secret"])
    client, before = company.client(), main_app()
    app = second_app(client)
    tag, message = (
        call(company.tenant, "pending", app=before),
        call(company.tenant, "pending", app=before, api="message/send"),
    )
    early = client.post(f"{URL}apps/{app.pk}/main/", follow=True).content.decode()
    assert "还没有通过检查" in early and main_app() == before

    checked = client.get(f"{URL}apps/{app.pk}/checks/", headers=HTMX)
    assert [(row.name, row.ok) for row in checked.context["checks"]] == [
        ("token", True),
        ("agent", True),
        ("trusted_ip", True),
    ]
    told = client.get(f"{URL}apps/{app.pk}/main/", headers=HTMX).content.decode()
    assert "http://acme.localhost" in told and "客户联系 Secret 继续使用" in told
    client.post(f"{URL}apps/{app.pk}/main/", headers=HTMX)

    assert main_app() == app
    assert secret_of("contact_secret") == ACME.wecom.contact_secret
    assert [OutgoingCall.objects.get(pk=one.pk).app_id for one in (tag, message)] == [app.pk, before.pk]
    assert "7 项中 5 项正常" in client.get(f"{URL}checks/").content.decode()
    assert AuditEntry.objects.get(action="connection.change_main_app").detail["main"] == [str(before), str(app)]


def test_an_app_is_removed_with_its_address_and_never_the_main_one(company: Company) -> None:
    client, main = company.client(), main_app()
    app = second_app(client)
    waiting = call(company.tenant, "pending", app=app)
    client.post(f"{URL}receivers/new/", {"purpose": "app", "app": str(app.pk)})
    its = Receiver.objects.get(app=app)
    remove = f"{URL}apps/{app.pk}/remove/"
    assert "还有 1 个调用" in client.post(remove, follow=True).content.decode()
    OutgoingCall.objects.filter(pk=waiting.pk).update(state="ok")

    client.post(remove)

    assert list(CorpApp.objects.filter(tenant=company.tenant)) == [main]
    its.refresh_from_db()
    assert its.retired_at is not None and its.keys.count() == 1
    assert OutgoingCall.objects.get(pk=waiting.pk).app == main
    assert client.post(f"{URL}apps/{main.pk}/remove/").status_code == 404
