"""Companies that authorised a suite, on bad days: what WeCom says once is kept, and goes to nobody else."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from callbacks.authorise import to_offer
from tenants import authorising, checks, keys
from tenants.credentials import newest_credential, opened
from tenants.current import client_for
from tenants.migrate import ensure_public
from tenants.models import AccessToken, Authorisation, CorpApp, Credential, Tenant
from tenants.provision import connect, store_secret
from tenants.suite_events import OWNERS
from tenants.suites import add, keep_ticket
from tenants.tokens import forget_tokens
from tests.cast import ACME, GLOBEX
from tests.sandbox_server import Sandbox
from tests.sandbox_server import forget as as_another_process
from wecom.errors import CodeUsed, WeComMisconfigured
from wecom.events import Event, parse_event

TEMPLATE, SUITE, PROVIDER = "dk0a1b2c3d4e5f60a1", "ww9a8b7c6d5e4f30a1", "wwprovider000001"

Problem = Authorisation.Problem


class Provider:
    """A suite of ours with a ticket, and the admins of companies who say yes to it."""

    def __init__(self, sandbox: Sandbox, suite_id: str) -> None:
        self.sandbox = sandbox
        known = {"provider_corp_id": PROVIDER, "secret": "the-suite-secret", "provider_secret": "the-provider-secret"}
        self.suite = add(suite_id, name="小店助手", **known)
        self.at = f"suites/{suite_id}"
        sandbox.control("POST", "suites", suite_id=suite_id, replace=True, **known)
        self.hears_a_ticket()

    def hears_a_ticket(self) -> None:
        ticket = self.sandbox.control("POST", f"{self.at}/ticket")["suite_ticket"]
        keep_ticket(self.suite.suite_id, ticket, timezone.now())

    def agreed(self, state: str = "", *, corp: str = ACME.wecom.corp_id) -> str:
        """The code that an admin's yes brings."""
        told = self.sandbox.control("POST", f"{self.at}/install", corp_id=corp, state=state, tell=False)
        return str(told["auth_code"])

    def has(self, tenant: Tenant, *, corp: str = ACME.wecom.corp_id) -> CorpApp:
        app = authorising.accept(self.suite, self.agreed(asked(self.suite, tenant).state, corp=corp))
        assert app is not None and app.tenant == tenant
        return app


def asked(suite: CorpApp, tenant: Tenant, *, days_ago: float = 0) -> Authorisation:
    invitation = Authorisation.objects.create(tenant=tenant, suite=suite, by="owner")
    Authorisation.objects.filter(pk=invitation.pk).update(created_at=timezone.now() - timedelta(days=days_ago))
    return invitation


@pytest.fixture
def provider(sandbox: Sandbox, acme: Tenant, globex: Tenant) -> Callable[[str], Provider]:
    ensure_public()
    CorpApp.objects.filter(tenant__in=[acme, globex]).delete()
    return lambda suite_id: Provider(sandbox, suite_id)


def problem_of(invitation: Authorisation) -> tuple[str, bool]:
    invitation.refresh_from_db()
    return invitation.problem, invitation.done_at is not None


def create_auth(suite: CorpApp, code: str, state: str = "") -> Event:
    plain = f"<xml><SuiteId>{suite.suite_id}</SuiteId><InfoType>create_auth</InfoType><AuthCode>{code}</AuthCode>"
    plain += f"<State>{state}</State><TimeStamp>{int(timezone.now().timestamp())}</TimeStamp></xml>"
    return parse_event(plain.encode())


def test_a_wrong_secret_of_a_suite_is_no_companys_fault(
    provider: Callable[[str], Provider], acme: Tenant, globex: Tenant, sandbox: Sandbox
) -> None:
    """Its apps would be tried again one in half an hour, as those whose own secret was refused."""
    ours = provider(SUITE)
    sandbox.make_corp(GLOBEX)
    apps = [ours.has(acme), ours.has(globex, corp=GLOBEX.wecom.corp_id)]
    sandbox.control("PATCH", ours.at, secret="changed-in-the-providers-admin")
    forget_tokens(ours.suite)
    for app in apps * 2:
        as_another_process()
        with pytest.raises(WeComMisconfigured), app.tenant:
            client_for(app).departments()
        with app.tenant:
            assert not checks.check_app(app)[0].ok
    assert {app.state for app in CorpApp.objects.filter(lane="provider")} == {"unchecked"}
    assert CorpApp.objects.get(pk=ours.suite.pk).state == "broken"


def test_a_ticket_that_is_late_stops_nobody_as_long_as_the_suites_token_lives(
    provider: Callable[[str], Provider], acme: Tenant
) -> None:
    """As after half an hour in which we were away."""
    ours = provider(SUITE)
    app = ours.has(acme)
    tickets = Credential.objects.filter(app=ours.suite, kind=Credential.Kind.SUITE_TICKET)
    tickets.update(created_at=timezone.now() - timedelta(minutes=31))
    with acme:
        assert client_for(app).departments()
        AccessToken.objects.all().delete()
        as_another_process()
        with pytest.raises(WeComMisconfigured, match="no suite ticket"):
            client_for(app).departments()


def test_an_answer_that_comes_twice_is_accepted_once_with_or_without_a_state(
    provider: Callable[[str], Provider], acme: Tenant
) -> None:
    """By the browser and by the event; or the worker was killed before it had noted the event as done."""
    ours = provider(SUITE)
    for state in (asked(ours.suite, acme).state, ""):
        code = ours.agreed(state)
        event = create_auth(ours.suite, code)
        read = OWNERS["create_auth"].read
        assert read is not None
        assert [read([event]).errors for _ in range(2)] == [{}, {}]
    assert CorpApp.objects.get(lane="provider").tenant == acme
    with pytest.raises(CodeUsed):
        authorising.accept(ours.suite, "no-code-of-wecom")


def test_a_company_is_not_put_beside_another_connection_nor_by_an_invitation_that_is_over(
    provider: Callable[[str], Provider], acme: Tenant, globex: Tenant, sandbox: Sandbox
) -> None:
    ours = provider(SUITE)
    sandbox.make_corp(GLOBEX)
    old, by_hand = asked(ours.suite, acme, days_ago=11), asked(ours.suite, globex)
    authorising.accept(ours.suite, ours.agreed(old.state))
    app = CorpApp.objects.get(lane="provider")
    assert (app.tenant.schema_name, problem_of(old)) == ("public", ("", False))
    connect(globex, GLOBEX.wecom)
    authorising.accept(ours.suite, ours.agreed(by_hand.state, corp=GLOBEX.wecom.corp_id))
    assert problem_of(by_hand) == (Problem.SELF_BUILT, False)
    assert CorpApp.objects.filter(lane="provider", tenant=globex).count() == 0


def test_an_invitation_is_good_for_one_company(
    provider: Callable[[str], Provider], acme: Tenant, sandbox: Sandbox
) -> None:
    """The code hangs on a wall, and somebody of another company scans it."""
    ours = provider(TEMPLATE)
    sandbox.make_corp(GLOBEX)
    invitation = asked(ours.suite, acme)
    for company in (ACME, GLOBEX):
        authorising.accept(ours.suite, ours.agreed(invitation.state, corp=company.wecom.corp_id))
    assert problem_of(invitation) == ("", True)
    assert CorpApp.objects.filter(lane="provider", tenant=acme).count() == 1


def test_the_permanent_code_is_kept_whatever_goes_wrong_with_the_tenant(
    provider: Callable[[str], Provider], acme: Tenant
) -> None:
    ours = provider(SUITE)
    invitation = asked(ours.suite, acme)
    code = ours.agreed(invitation.state)
    acme.keys.all().delete()
    keys.forget()
    with pytest.raises(keys.NoTenantKey):
        authorising.accept(ours.suite, code, invitation.state)
    app = CorpApp.objects.get(lane="provider")
    kept = newest_credential(app, Credential.Kind.PERMANENT_CODE)
    assert (app.tenant.schema_name, kept is not None and bool(opened(app, kept))) == ("public", True)
    keys.first_key(acme.pk)
    authorising.accept(ours.suite, code, invitation.state)
    assert problem_of(invitation) == ("", True)


def test_who_has_to_authorise_again_is_offered_the_same_suite(
    provider: Callable[[str], Provider], acme: Tenant
) -> None:
    """Any other would only stand beside it."""
    ours, other = provider(SUITE), provider(TEMPLATE)
    assert to_offer(None) == [ours.suite, other.suite]
    app = ours.has(acme)
    assert to_offer(app) == []
    authorising.withdrawn(app, timezone.now())
    app.refresh_from_db()
    assert to_offer(app) == [ours.suite]


def test_an_app_of_a_provider_speaks_with_its_permanent_code_alone(
    provider: Callable[[str], Provider], acme: Tenant
) -> None:
    app = provider(TEMPLATE).has(acme)
    store_secret(app, Credential.Kind.CONTACT_SECRET, "entered-in-the-vendor-console")
    with acme:
        for secret in ("app", "contact", "archive"):
            assert client_for(app, secret).departments()
