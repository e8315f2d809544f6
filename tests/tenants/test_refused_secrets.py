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
STEP = 2  # minutes


@pytest.fixture(autouse=True)
def _entered_long_ago(db: None) -> None:
    Credential.objects.update(created_at=timezone.now() - timedelta(days=30))


def wrong_secrets(sandbox: Sandbox) -> int:
    return sum(call["errcode"] == 40001 for call in sandbox.calls("gettoken"))


def pass_a_step() -> None:
    step = timedelta(minutes=STEP)
    CorpApp.objects.update(checked_at=F("checked_at") - step, broken_since=F("broken_since") - step)
    checks.check_waiting_apps()


@pytest.mark.parametrize(("stopped", "found", "wrong"), [(2, 4, 1), (6, 4, 2), (120, 30, 6)])
def test_a_refused_secret_that_wecom_takes_again_resumes_by_itself(
    sandbox: Sandbox, in_acme: Tenant, stopped: int, found: int, wrong: int
) -> None:
    """F14: the app was stopped in WeCom for so many minutes, the secret here is as it was; when it is mended, that is
    found in so many minutes. Never five wrong ones an hour."""
    sandbox.make_corp(GLOBEX)
    sandbox.control("PATCH", f"corps/{ACME.wecom.corp_id}", limits={"wrong_secrets": 100})
    sandbox.app(secret="stopped-by-wecoms-admin")
    call = post_remark(sandbox, "以后")
    outbox.deliver_due(urgent=False)
    told = [wrong_secrets(sandbox)]
    for _ in range(stopped // STEP):
        pass_a_step()
        told.append(wrong_secrets(sandbox))
    assert (state_of(call), call.attempts) == (State.PARKED, 0)
    assert told[-1] == wrong
    assert all(later - before < 5 for before, later in zip([0, *told], told[60 // STEP :], strict=False))
    sandbox.app(secret=ACME.wecom.agent_secret)
    for _ in range(found // STEP):
        pass_a_step()
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.OK
    assert CorpApp.objects.get(tenant=in_acme).broken_since is None


def test_the_refused_secrets_of_all_companies_are_tried_one_at_a_time(
    sandbox: Sandbox, acme: Tenant, globex: Tenant
) -> None:
    """Each wrong one counts against the address that all share; a secret nobody mends is tried every six hours."""
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
        apps.update(checked_at=F("checked_at") - timedelta(minutes=31), broken_since=timezone.now() - age)
        for _ in range(3):
            checks.check_waiting_apps()
        tried.append(len(sandbox.calls("gettoken")) + len(sandbox.calls("gettoken", GLOBEX)) - before)
    assert tried == [1, 1, 0]
    assert {app.broken_since is not None for app in apps} == {True}
