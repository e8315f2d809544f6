"""At one address a provider's suite hears of all companies that installed it: each event is its own company's."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone

from callbacks import gaps, inbox, intake
from callbacks.drain import drain
from callbacks.flush import Outcome
from callbacks.models import Gap
from scrm.ops import overview
from tenants.credentials import newest_credential, opened
from tenants.keys import unseal
from tenants.migrate import ensure_public
from tenants.models import CorpApp, Credential, Receiver, ReceiverKey, Tenant
from tenants.provision import store_secret
from tenants.rotation import place_of
from tenants.suites import add, ticket_of
from tests.callbacks.door import Answer, request
from tests.cast import ACME
from wecom.crypto import CallbackCrypto

SUITE = "ww9a8b7c6d5e4f3021"
PROVIDER = "wwprovider000001"
CORP = "wpKq3CEAAA2m0v7Z"
ADDED = (
    "<ChangeType>add_external_contact</ChangeType><UserID>chenmei</UserID><ExternalUserID>wm1</ExternalUserID>"
    "<WelcomeCode>k7Zt0Qm2Vx9c</WelcomeCode>"
)


class SuiteDoor:
    """WeCom at the door of a suite."""

    def __init__(self, suite: CorpApp) -> None:
        self.suite = suite
        self.receiver = Receiver.objects.get(app=suite)
        key = ReceiverKey.objects.get(receiver=self.receiver)
        token, aes_key = (
            unseal(suite.tenant_id, place_of(key, name), bytes(getattr(key, name))).decode()
            for name in ("token", "aes_key")
        )
        self.crypto = CallbackCrypto(token, aes_key, frozenset({SUITE, PROVIDER, CORP}))
        self.path = f"/wecom/callback/{self.receiver.public_id}/"

    def told(self, name: str, inner: str = "", *, corp: str = "", at: float = 0.0, suite: str = SUITE) -> Answer:
        about = f"<AuthCorpId>{corp}</AuthCorpId>" if corp else ""
        stamp = int(at or time.time())
        plain = f"<xml><SuiteId>{suite}</SuiteId><InfoType><![CDATA[{name}]]></InfoType>"
        plain += f"<TimeStamp>{stamp}</TimeStamp>{about}{inner}</xml>"
        return self.post(plain, SUITE)

    def post(self, plain: str, receive_id: str) -> Answer:
        found = self.crypto.deliver(plain.encode(), receive_id, int(time.time()), "n")
        return request("POST", self.path, found.query, found.body)


@pytest.fixture
def suite(committed: None) -> Iterator[SuiteDoor]:
    ensure_public()
    yield SuiteDoor(add(SUITE, name="小店助手", provider_corp_id=PROVIDER, secret="suite-secret"))
    connection.set_schema_to_public()
    CorpApp.objects.exclude(lane=CorpApp.Lane.SELF_BUILT).delete()


def installed(suite: SuiteDoor, tenant: Tenant | None, corp: str = CORP) -> CorpApp:
    """As an exchanged authorisation leaves it."""
    app = CorpApp.objects.create(
        tenant=tenant or suite.suite.tenant, lane=CorpApp.Lane.PROVIDER, corp_id=corp, suite_id=SUITE, is_main=False
    )
    app.authorised_at = timezone.now().replace(microsecond=0)
    app.save()
    store_secret(app, Credential.Kind.PERMANENT_CODE, "the-permanent-code")
    return app


def rows() -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, name, urgent, status, last_error FROM public.callbacks_inbox ORDER BY id")
        return list(cursor.fetchall())


def drain_platform(suite: SuiteDoor) -> None:
    for lane in range(4):
        drain(suite.suite.tenant_id, lane)


def acme() -> Tenant:
    return Tenant.objects.get(schema_name=ACME.schema)


def test_an_event_is_stored_for_the_company_it_names(suite: SuiteDoor) -> None:
    app = installed(suite, acme())
    answer = suite.told("change_external_contact", ADDED, corp=CORP)
    assert (answer.status, answer.body) == (200, b"success")
    assert rows() == [(acme().pk, "change_external_contact.add_external_contact", True, "new", "")]
    until = time.monotonic() + 10
    while CorpApp.objects.get(pk=app.pk).last_event_at is None:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_a_member_does_in_the_suites_app_is_addressed_to_the_company(suite: SuiteDoor) -> None:
    installed(suite, acme())
    plain = f"<xml><ToUserName>{CORP}</ToUserName><FromUserName>chenmei</FromUserName>"
    plain += f"<CreateTime>{int(time.time())}</CreateTime><MsgType>event</MsgType><Event>enter_agent</Event></xml>"
    assert suite.post(plain, CORP).status == 200
    assert [(row[0], row[1]) for row in rows()] == [(acme().pk, "enter_agent")]


def test_an_event_of_a_company_that_is_not_known_yet_follows_it_to_its_tenant(suite: SuiteDoor) -> None:
    """The authorisation is exchanged after the answer, so the first events may be faster."""
    assert suite.told("change_external_contact", ADDED, corp=CORP).status == 200
    drain_platform(suite)
    assert [(row[0], row[3]) for row in rows()] == [(suite.suite.tenant_id, "new")]
    installed(suite, acme())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.callbacks_inbox SET due_at = now()")
    drain_platform(suite)
    assert rows() == [(acme().pk, "change_external_contact.add_external_contact", True, "new", "")]


def test_what_members_do_before_their_company_has_a_tenant_follows_it_there(suite: SuiteDoor) -> None:
    """In the form that names no suite."""
    app = installed(suite, None)
    plain = f"<xml><ToUserName>{CORP}</ToUserName><FromUserName>chenmei</FromUserName>"
    plain += f"<CreateTime>{int(time.time())}</CreateTime><MsgType>event</MsgType><Event>enter_agent</Event></xml>"
    assert suite.post(plain, CORP).status == 200
    CorpApp.objects.filter(pk=app.pk).update(tenant=acme())
    drain_platform(suite)
    assert [(row[0], row[1]) for row in rows()] == [(acme().pk, "enter_agent")]


def test_what_a_suite_could_not_take_is_looked_for_in_all_its_companies(
    suite: SuiteDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have no address of their own."""
    Receiver.objects.filter(tenant=acme()).update(tenant=suite.suite.tenant)
    installed(suite, acme())
    watch = gaps.Watch()
    watch.beat()
    monkeypatch.setattr(intake, "watch", watch)
    monkeypatch.setattr(intake.flusher, "store", lambda arrival: Outcome.FULL)
    try:
        assert suite.told("change_external_contact", ADDED, corp=CORP).status == 503
        watch.beat()
        assert set(Gap.objects.values_list("tenant__schema_name", flat=True)) == {"acme", "public"}
        Gap.objects.all().delete()
        watch.refused()
        watch.beat()
        assert Gap.objects.filter(tenant=acme()).exists()
    finally:
        Receiver.objects.filter(app__tenant=acme()).update(tenant=acme())


def test_an_event_of_nobodys_company_is_given_up_after_a_day(suite: SuiteDoor) -> None:
    assert suite.told("change_external_contact", ADDED, corp="wpStranger", at=time.time() - 86_500).status == 200
    drain_platform(suite)
    assert [row[3:] for row in rows()] == [("done", "no company of ours")]


def test_an_authorisation_that_came_to_nothing_is_shown_to_the_vendor(suite: SuiteDoor) -> None:
    """No ticket came as long as the code was good."""
    assert overview.of_all_tenants()[0].tenant != suite.suite.tenant
    suite.told("create_auth", "<AuthCode>Ac_77</AuthCode>", at=time.time() - 660)
    drain_platform(suite)
    line = overview.of_all_tenants()[0]
    assert (line.tenant, line.inbox) == (suite.suite.tenant, {"parked": 1})


def test_an_event_that_names_another_suite_is_refused(suite: SuiteDoor) -> None:
    assert suite.told("suite_ticket", "<SuiteTicket>t</SuiteTicket>", suite="wwanother0000001").status == 400
    assert rows() == []


def test_the_address_is_verified_as_the_providers_own(suite: SuiteDoor) -> None:
    """wecom-api.md 1.1: with the provider's corp id, not the suite's."""
    found = suite.crypto.challenge("echo of wecom", PROVIDER, int(time.time()), "n")
    assert request("GET", suite.path, found).body == b"echo of wecom"


def test_the_newest_ticket_is_kept_whatever_order_they_come_in(suite: SuiteDoor) -> None:
    now = int(time.time())
    for ticket, at in (("second", now), ("first", now - 600)):
        assert suite.told("suite_ticket", f"<SuiteTicket>{ticket}</SuiteTicket>", at=at).body == b"success"
        inbox.poll()
        drain_platform(suite)
    kept = ticket_of(suite.suite)
    assert kept is not None
    assert opened(suite.suite, kept) == "second"
    assert kept.created_at == datetime.fromtimestamp(now, UTC)
    assert [row[3] for row in rows()] == ["done", "done"]


def test_a_company_that_removes_the_app_is_spoken_for_no_more(suite: SuiteDoor) -> None:
    app = installed(suite, acme())
    suite.told("cancel_auth", corp=CORP)
    drain_platform(suite)
    app.refresh_from_db()
    assert (app.state, app.state_code) == (CorpApp.State.BROKEN, 48004)
    assert newest_credential(app, Credential.Kind.PERMANENT_CODE) is None


def test_a_removal_from_before_a_new_authorisation_changes_nothing(suite: SuiteDoor) -> None:
    app = installed(suite, acme())
    suite.told("cancel_auth", corp=CORP, at=time.time() - 300)
    drain_platform(suite)
    assert newest_credential(CorpApp.objects.get(pk=app.pk), Credential.Kind.PERMANENT_CODE) is not None
