"""Who mends a secret in WeCom's admin need not come here; and one company's wrong secret is not everybody's trouble."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from tenants import checks, outbox
from tenants.models import CorpApp, Credential, OutgoingCall, Tenant
from tests.cast import ACME, GLOBEX
from tests.sandbox_server import Sandbox
from tests.tenants.test_outbox import post_remark, state_of

State = OutgoingCall.State
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _entered_long_ago(db: None) -> None:
    Credential.objects.update(created_at=timezone.now() - timedelta(days=30))


def wrong_secrets(sandbox: Sandbox) -> int:
    return sum(call["errcode"] == 40001 for call in sandbox.calls("gettoken"))


def test_a_refused_secret_that_wecom_takes_again_resumes_within_five_minutes(sandbox: Sandbox, in_acme: Tenant) -> None:
    """F14: the app was stopped for two hours; the secret here is as it was."""
    minutes = 0

    def pass_a_minute() -> None:
        nonlocal minutes
        minutes += 1
        CorpApp.objects.update(checked_at=F("checked_at") - MINUTE, broken_since=F("broken_since") - MINUTE)
        checks.check_waiting_apps()

    sandbox.make_corp(GLOBEX)
    sandbox.control("PATCH", f"corps/{ACME.wecom.corp_id}", limits={"wrong_secrets": 100})
    sandbox.app(secret="stopped-by-wecoms-admin")
    call = post_remark(sandbox, "以后")
    outbox.deliver_due(urgent=False)
    while minutes < 120:
        pass_a_minute()
    assert (state_of(call), call.attempts) == (State.PARKED, 0)
    assert 24 <= wrong_secrets(sandbox) <= 36
    sandbox.app(secret=ACME.wecom.agent_secret)
    while CorpApp.objects.get(tenant=in_acme).state != CorpApp.State.OK:
        pass_a_minute()
    assert minutes <= 125
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.OK
    assert CorpApp.objects.get(tenant=in_acme).broken_since is None


def test_the_refused_secrets_of_all_companies_are_tried_one_at_a_time(
    sandbox: Sandbox, acme: Tenant, globex: Tenant
) -> None:
    """Each wrong one counts against the address that all share; a secret nobody mends is tried once an hour."""
    apps = CorpApp.objects.filter(tenant__in=[acme, globex])
    sandbox.make_corp(GLOBEX)
    for company in (ACME, GLOBEX):
        sandbox.app(company, secret="stopped")
    for tenant in (acme, globex):
        with tenant:
            checks.check_app(apps.get(tenant=tenant))
    tried: list[int] = []
    for age in (timedelta(minutes=20), timedelta(minutes=20), timedelta(hours=4)):
        before = len(sandbox.calls("gettoken")) + len(sandbox.calls("gettoken", GLOBEX))
        apps.update(checked_at=F("checked_at") - timedelta(minutes=10), broken_since=timezone.now() - age)
        for _ in range(3):
            checks.check_waiting_apps()
        tried.append(len(sandbox.calls("gettoken")) + len(sandbox.calls("gettoken", GLOBEX)) - before)
    assert tried == [1, 1, 0]
    assert {app.broken_since is not None for app in apps} == {True}
