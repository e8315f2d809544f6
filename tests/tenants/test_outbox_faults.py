"""Bad days of WeCom: nothing is lost, nothing is done twice, and what waits goes on by itself."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tenants import breaker, checks, outbox, sending
from tenants.models import ApiBreaker, CorpApp, OutgoingCall, Tenant
from tenants.outcomes import OUTCOMES, RECONCILERS
from tests import cast
from tests.sandbox_server import Sandbox
from tests.sizes import in_two_sizes
from tests.tenants.test_outbox import MARK_TAG, REMARK, make_due, post_remark, sandbox_welcome_code, state_of
from wecom.client import WeComClient

State = OutgoingCall.State
ADD_TAG = "externalcontact/add_corp_tag"
WELCOME = "externalcontact/send_welcome_msg"


def find_tags(call: OutgoingCall, body: dict[str, Any], client: WeComClient) -> dict[str, Any] | None:
    """Are the tags of a lost add_corp_tag there?"""
    wanted = {tag["name"] for tag in body["tag"]}
    for group in client.corp_tags():
        if group.name == body["group_name"] and wanted <= {tag.name for tag in group.tags}:
            return {"tag_group": group.raw}
    return None


@pytest.fixture
def knows_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECONCILERS, ADD_TAG, find_tags)


def post_tags(number: int) -> OutgoingCall:
    body = {"group_name": f"来源{number}", "tag": [{"name": f"展会{number}"}]}
    return outbox.post(ADD_TAG, body, purpose="tags", idem_key=f"tags:{number}")


def post_welcome(code: str, seconds: float = 18.0) -> OutgoingCall:
    return outbox.post(
        WELCOME,
        {"welcome_code": code, "text": {"content": "你好"}},
        purpose="test.welcome",
        idem_key=f"welcome:{code}",
        priority=OutgoingCall.Priority.WELCOME,
        deadline=timezone.now() + timedelta(seconds=seconds),
    )


def all_due() -> None:
    """As if every wait were over."""
    OutgoingCall.objects.filter(state__in=[State.PENDING, State.UNKNOWN]).update(due_at=timezone.now())
    ApiBreaker.objects.update(open_until=timezone.now() - timedelta(seconds=1), probed_at=None)
    breaker._seen.forget_all()


# -- creates whose answer is lost --------------------------------------------------------------------------------------


def test_a_create_whose_answer_was_lost_is_looked_up_and_adopted(
    sandbox: Sandbox, in_acme: Tenant, knows_tags: None
) -> None:
    sandbox.fault("drop", ADD_TAG, executed=True, times=1)
    call = post_tags(1)
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.UNKNOWN

    all_due()
    outbox.deliver_due(urgent=False)

    assert state_of(call) == State.OK
    assert call.result["tag_group"]["group_name"] == "来源1"
    assert len(sandbox.calls(ADD_TAG)) == 1


def test_a_create_that_never_arrived_is_sent_again(sandbox: Sandbox, in_acme: Tenant, knows_tags: None) -> None:
    sandbox.fault("drop", ADD_TAG, executed=False, times=1)
    call = post_tags(1)
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.UNKNOWN
    all_due()
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.OK
    assert len(sandbox.effects("add_corp_tag")) == 1


def test_without_a_way_to_look_it_up_a_lost_create_waits_for_a_person(
    sandbox: Sandbox, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(RECONCILERS, ADD_TAG)
    sandbox.fault("drop", ADD_TAG, executed=True, times=1)
    call = post_tags(1)
    for _ in range(3):
        outbox.deliver_due(urgent=False)
        all_due()
    assert state_of(call) == State.UNKNOWN
    assert len(sandbox.calls(ADD_TAG)) == 1


@in_two_sizes("number", 12, 120)
def test_no_tag_is_made_twice_while_a_third_of_the_answers_is_lost(
    sandbox: Sandbox, in_acme: Tenant, knows_tags: None, number: int
) -> None:
    """F12: lost answers, half of them after the deed."""
    sandbox.fault("drop", ADD_TAG, executed=True, rate=0.2)
    sandbox.fault("drop", ADD_TAG, executed=False, rate=0.2)
    calls = [post_tags(one) for one in range(number)]
    for _ in range(15):
        outbox.deliver_due(urgent=False)
        all_due()
    assert {state_of(call) for call in calls} == {State.OK}
    assert len(sandbox.effects("add_corp_tag")) == number


# -- limits and outages ------------------------------------------------------------------------------------------------


def test_a_limited_api_rests_with_one_probe_while_others_go_on(sandbox: Sandbox, in_acme: Tenant) -> None:
    """F13"""
    sandbox.fault("errcode", REMARK, errcode=45009)
    limited = [post_remark(sandbox, str(number), subject=f"s{number}") for number in range(5)]
    userid, customer = sandbox.friendships()[0]
    tag = sandbox.tags()[0]
    other = outbox.post(
        MARK_TAG,
        {"userid": userid, "external_userid": customer, "add_tag": [tag]},
        purpose="mark",
        idem_key="mark",
    )
    outbox.deliver_due(urgent=False)
    outbox.deliver_due(urgent=False)
    assert len(sandbox.calls(REMARK)) == 1
    assert state_of(other) == State.OK
    assert {state_of(call) for call in limited} == {State.PENDING}

    all_due()
    outbox.deliver_due(urgent=False)
    assert len(sandbox.calls(REMARK)) == 2, "one probe"
    row = ApiBreaker.objects.get(api=REMARK)
    assert (row.reason, row.level) == (ApiBreaker.Reason.LIMITED, 1)
    assert row.open_until > timezone.now() + timedelta(minutes=4)

    sandbox.well_again()
    all_due()
    outbox.deliver_due(urgent=False)
    assert {state_of(call) for call in limited} == {State.OK}
    assert max(call.attempts for call in limited) == 0, "a limit is not the call's fault"
    assert not ApiBreaker.objects.exists()


def test_an_outage_loses_no_call_and_makes_few(sandbox: Sandbox, in_acme: Tenant) -> None:
    """F11: 502 for all, many wake-ups, then WeCom is back."""
    sandbox.fault("5xx", "externalcontact/*")
    calls = [post_remark(sandbox, str(number), subject=f"s{number}") for number in range(10)]
    for _ in range(6):
        outbox.deliver_due(urgent=False)
        all_due()
    assert len(sandbox.calls(REMARK)) == 6, "a probe for each rest that ended"
    sandbox.well_again()
    all_due()
    outbox.deliver_due(urgent=False)
    assert {state_of(call) for call in calls} == {State.OK}
    assert len(sandbox.effects("remark")) == 10


def test_a_closed_port_is_an_outage_too(sandbox: Sandbox, in_acme: Tenant, settings: Any) -> None:
    call = post_remark(sandbox, "等等")
    settings.WECOM_API_BASE = "http://127.0.0.1:9"
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.PENDING
    settings.WECOM_API_BASE = sandbox.url
    all_due()
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.OK


# -- configuration -----------------------------------------------------------------------------------------------------


def test_an_untrusted_ip_parks_calls_and_their_repair_resumes_them(sandbox: Sandbox, in_acme: Tenant) -> None:
    """F14: no attempt is burned, the page names cause and address, and nobody has to press a button."""
    sandbox.app(trusted_ips=[])
    calls = [post_remark(sandbox, str(number)) for number in range(3)]
    for _ in range(3):
        outbox.deliver_due(urgent=False)
        checks.check_waiting_apps()
    first = calls[0]
    assert (state_of(first), first.result_code, first.attempts) == (State.PARKED, 60020, 0)
    app = CorpApp.objects.get(tenant=in_acme)
    assert (app.state, app.state_code) == (CorpApp.State.BROKEN, 60020)
    rows = {row.name: row for row in checks.check_app(app)}
    assert rows["trusted_ip"].ok is False
    assert rows["trusted_ip"].detail == "127.0.0.1"
    assert "可信IP" in str(rows["trusted_ip"].fix_zh)
    assert rows["token"].ok is True

    sandbox.app(trusted_ips=None)
    checks.check_waiting_apps()
    outbox.deliver_due(urgent=False)
    assert {state_of(call) for call in calls} == {State.OK}
    app.refresh_from_db()
    assert (app.state, app.state_code) == (CorpApp.State.OK, None)


def test_a_missing_right_parks_one_api_and_a_trial_brings_the_others(sandbox: Sandbox, in_acme: Tenant) -> None:
    """48002 for one API alone: the app's checks stay green."""
    checks.check_app(CorpApp.objects.get(tenant=in_acme))
    fault = sandbox.fault("errcode", MARK_TAG, errcode=48002)
    userid, customer = sandbox.friendships()[0]
    calls = [
        outbox.post(
            MARK_TAG,
            {"userid": userid, "external_userid": customer, "add_tag": [tag]},
            purpose="mark",
            idem_key=f"mark:{tag}",
        )
        for tag in sandbox.tags()[:4]
    ]
    outbox.deliver_due(urgent=False)
    assert {state_of(call) for call in calls} == {State.PARKED}
    asked = len(sandbox.calls(MARK_TAG))
    checks.check_waiting_apps()
    checks.check_waiting_apps()
    outbox.deliver_due(urgent=False)
    assert len(sandbox.calls(MARK_TAG)) == asked + 1, "one trial"

    sandbox.control("DELETE", f"faults?id={fault}")
    for _ in range(2):
        checks.check_waiting_apps()
        outbox.deliver_due(urgent=False)
    assert {state_of(call) for call in calls} == {State.OK}


def test_a_wrong_secret_is_asked_once_and_resumes_with_the_new_one(sandbox: Sandbox, in_acme: Tenant) -> None:
    """Wrong secrets shut out our address for all tenants, so WeCom hears of it once."""
    from tenants.credentials import credential_name
    from tenants.keys import seal
    from tenants.models import Credential
    from tenants.tokens import forget_tokens

    sandbox.app(secret="changed-in-wecoms-admin")
    calls = [post_remark(sandbox, str(number)) for number in range(4)]
    for _ in range(3):
        outbox.deliver_due(urgent=False)
        checks.check_waiting_apps()
    assert {state_of(call) for call in calls} == {State.PARKED, State.PENDING}
    assert sandbox_wrong_secrets(sandbox) == 1

    app = CorpApp.objects.get(tenant=in_acme)
    new = Credential(app=app, kind=Credential.Kind.APP_SECRET, version=2)
    new.sealed = seal(in_acme.pk, credential_name(new), "changed-in-wecoms-admin")
    new.save()
    forget_tokens(app)
    checks.check_waiting_apps()
    outbox.deliver_due(urgent=False)
    assert {state_of(call) for call in calls} == {State.OK}
    assert sandbox_wrong_secrets(sandbox) == 1


def sandbox_wrong_secrets(sandbox: Sandbox) -> int:
    return sum(call["errcode"] == 40001 for call in sandbox.calls("gettoken"))


# -- the welcome message -----------------------------------------------------------------------------------------------


def test_a_welcome_whose_answer_was_lost_is_not_sent_twice(sandbox: Sandbox, in_acme: Tenant) -> None:
    sandbox.fault("drop", WELCOME, executed=True, times=1)
    call = post_welcome(sandbox_welcome_code(sandbox))
    outbox.deliver_due(urgent=True, limit=1)  # its next attempt may be due at once
    assert state_of(call) == State.PENDING
    make_due(call)
    outbox.deliver_due(urgent=True)
    assert (state_of(call), call.result_code) == (State.OK, 41050)
    assert len(sandbox.effects("welcome")) == 1


def test_a_welcome_is_tried_again_inside_its_window(sandbox: Sandbox, in_acme: Tenant) -> None:
    sandbox.fault("errcode", WELCOME, errcode=41096, times=1)
    call = post_welcome(sandbox_welcome_code(sandbox))
    outbox.deliver_due(urgent=True, limit=1)  # its next attempt may be due at once
    assert state_of(call) == State.PENDING
    make_due(call)
    outbox.deliver_due(urgent=True)
    assert (state_of(call), call.result_code) == (State.OK, 0)


def test_a_welcome_too_late_is_expired_and_not_sent(
    sandbox: Sandbox, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setitem(OUTCOMES, "test.welcome", lambda call: told.append(call.state))
    call = post_welcome(sandbox_welcome_code(sandbox), seconds=-1)
    outbox.deliver_due(urgent=True)
    assert state_of(call) == State.EXPIRED
    assert told == [State.EXPIRED]
    assert not sandbox.calls(WELCOME)
    with pytest.raises(outbox.NotAllowed):
        outbox.retry(call, "lin")


def test_an_urgent_delivery_leaves_the_rest_alone(sandbox: Sandbox, in_acme: Tenant) -> None:
    call = post_remark(sandbox, "慢慢来")
    assert outbox.deliver_due(urgent=True) == 0
    assert state_of(call) == State.PENDING


# -- workers that die --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "after"),
    [(REMARK, State.OK), (ADD_TAG, State.UNKNOWN), (WELCOME, State.OK)],
    ids=["remark", "tag", "hello"],
)
def test_the_call_of_a_killed_worker_is_taken_up_by_its_kind(
    sandbox: Sandbox, in_acme: Tenant, api: str, after: str
) -> None:
    posts = {
        REMARK: lambda: post_remark(sandbox, "甲"),
        ADD_TAG: lambda: post_tags(1),
        WELCOME: lambda: post_welcome(sandbox_welcome_code(sandbox)),
    }
    call = posts[api]()
    assert sending.claim(in_acme, sending.EVERYTHING) is not None, "and then the worker was killed"
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.LEASED, "its lease still runs"
    OutgoingCall.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    outbox.deliver_due(urgent=False)
    assert state_of(call) == after
    assert call.attempts == 1


@pytest.mark.usefixtures("db_commits")
def test_many_workers_send_each_call_once(sandbox: Sandbox) -> None:
    acme = Tenant.objects.get(schema_name="acme")
    with acme:
        for number in range(40):
            post_remark(sandbox, str(number), subject=f"s{number}")

    def worker() -> None:
        try:
            sending.deliver(Tenant.objects.get(schema_name="acme"), sending.EVERYTHING, limit=40)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert OutgoingCall.objects.filter(state=State.OK).count() == 40
    assert len(sandbox.calls(REMARK)) == 40


@pytest.mark.usefixtures("db_commits")
def test_one_tenant_holds_two_bulk_workers_at_most(sandbox: Sandbox) -> None:
    acme = Tenant.objects.get(schema_name="acme")
    inside: list[bool] = []
    done = threading.Event()

    def worker() -> None:
        try:
            with sending.slot(acme, sending.BULK) as free:
                inside.append(free)
                done.wait(60)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(5)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while len(inside) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    done.set()
    for thread in threads:
        thread.join(60)
    assert sorted(inside) == [False, False, False, True, True]


def test_another_tenants_trouble_is_its_own(sandbox: Sandbox, acme: Tenant, globex: Tenant) -> None:
    sandbox.make_corp(cast.GLOBEX)
    sandbox.fault("errcode", REMARK, errcode=45009, corp_id=cast.ACME.wecom.corp_id)
    with acme:
        limited = [post_remark(sandbox, str(number), subject=f"s{number}") for number in range(3)]
    with globex:
        userid, customer = sandbox.friendships(cast.GLOBEX)[0]
        body = {"userid": userid, "external_userid": customer, "remark": "好"}
        free = outbox.post(REMARK, body, purpose="test.remark", idem_key="remark:1")
    outbox.deliver_due(urgent=False)
    assert state_of(free) == State.OK
    assert {state_of(call) for call in limited} == {State.PENDING}


def test_a_suspended_tenants_calls_wait(sandbox: Sandbox, acme: Tenant) -> None:
    with acme:
        call = post_remark(sandbox, "等")
    Tenant.objects.filter(pk=acme.pk).update(status=Tenant.Status.SUSPENDED)
    assert outbox.deliver_due(urgent=False) == 0
    assert state_of(call) == State.PENDING
