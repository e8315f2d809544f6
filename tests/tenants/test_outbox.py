"""An outgoing call is made once, in order, and ends in a state that says the truth."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tenants import breaker, outbox
from tenants.models import ApiBreaker, OutgoingCall, Tenant
from tenants.outcomes import OUTCOMES
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.usefixtures("sandbox")
State = OutgoingCall.State
MARK_TAG = "externalcontact/mark_tag"
REMARK = "externalcontact/remark"


def post_remark(sandbox: Sandbox, text: str, **options: Any) -> OutgoingCall:
    userid, customer = sandbox.friendships()[0]
    options = {"idem_key": f"remark:{text}", "subject": f"c:{customer}", "purpose": "test.remark"} | options
    return outbox.post(REMARK, {"userid": userid, "external_userid": customer, "remark": text}, **options)


def remark_of_first(sandbox: Sandbox) -> str:
    userid, customer = sandbox.friendships()[0]
    follows = sandbox.truth()["customers"][customer]["follows"]
    return str(next(follow["remark"] for follow in follows if follow["userid"] == userid))


def state_of(call: OutgoingCall) -> str:
    call.refresh_from_db()
    return call.state


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the owner of `remark` was told: states by key."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setitem(OUTCOMES, "test.remark", lambda call: seen.append((call.idem_key, call.state)))
    return seen


def test_a_posted_call_reaches_wecom_and_its_owner_is_told(
    sandbox: Sandbox, in_acme: Tenant, told: list[tuple[str, str]]
) -> None:
    call = post_remark(sandbox, "老客户")
    assert (call.state, outbox.body_of(call)["remark"]) == (State.PENDING, "老客户")

    assert outbox.deliver_due(urgent=False) == 1

    assert state_of(call) == State.OK
    assert call.finished_at is not None
    assert remark_of_first(sandbox) == "老客户"
    assert told == [("remark:老客户", State.OK)]


def test_the_body_is_sealed_in_the_row(sandbox: Sandbox, in_acme: Tenant) -> None:
    call = post_remark(sandbox, "手机13800001111")
    call.refresh_from_db()
    assert b"13800001111" not in bytes(call.body)


def test_one_key_is_one_call_however_often_it_is_posted(sandbox: Sandbox, in_acme: Tenant) -> None:
    first = post_remark(sandbox, "甲", idem_key="once")
    again = post_remark(sandbox, "乙", idem_key="once")
    assert again.pk == first.pk
    outbox.deliver_due(urgent=False)
    assert post_remark(sandbox, "丙", idem_key="once").state == State.OK
    assert remark_of_first(sandbox) == "甲"
    assert len(sandbox.calls(REMARK)) == 1


def test_a_call_whose_transaction_was_rolled_back_was_never_there(sandbox: Sandbox, in_acme: Tenant) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        post_remark(sandbox, "不要")
        raise RuntimeError("changed my mind")
    assert outbox.deliver_due(urgent=False) == 0


def test_calls_of_one_subject_go_out_in_order(sandbox: Sandbox, in_acme: Tenant) -> None:
    """The first one meets a busy WeCom and waits; the second must not overtake it."""
    sandbox.fault("errcode", REMARK, errcode=-1, times=1)
    first = post_remark(sandbox, "一")
    second = post_remark(sandbox, "二")
    outbox.deliver_due(urgent=False, limit=1)
    OutgoingCall.objects.filter(pk=first.pk).update(due_at=timezone.now() + timedelta(minutes=1))
    outbox.deliver_due(urgent=False)
    assert (state_of(first), state_of(second)) == (State.PENDING, State.PENDING)
    assert first.attempts == 1

    make_due(first)
    outbox.deliver_due(urgent=False)

    assert (state_of(first), state_of(second)) == (State.OK, State.OK)
    assert remark_of_first(sandbox) == "二"


def test_another_subject_is_not_held_up(sandbox: Sandbox, in_acme: Tenant) -> None:
    sandbox.fault("errcode", REMARK, errcode=40035, times=1)
    userid, customer = sandbox.friendships()[1]
    stuck = post_remark(sandbox, "卡住", idem_key="a", subject="c:a")
    free = outbox.post(
        REMARK,
        {"userid": userid, "external_userid": customer, "remark": "走"},
        purpose="test.remark",
        idem_key="b",
        subject="c:b",
    )
    outbox.deliver_due(urgent=False)
    assert (state_of(stuck), state_of(free)) == (State.DEAD, State.OK)


def test_what_wecom_refuses_is_dead_with_its_reason(
    sandbox: Sandbox, in_acme: Tenant, told: list[tuple[str, str]]
) -> None:
    userid, _ = sandbox.friendships()[0]
    call = outbox.post(
        REMARK,
        {"userid": userid, "external_userid": "wmNobody", "remark": "谁"},
        purpose="test.remark",
        idem_key="nobody",
    )
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.DEAD
    assert call.result_code == 40096 or call.result_code == 84061
    assert call.result_message
    assert told == [("nobody", State.DEAD)]


def test_a_call_dies_after_its_eighth_attempt(sandbox: Sandbox, in_acme: Tenant) -> None:
    sandbox.fault("errcode", REMARK, errcode=6000)
    call = post_remark(sandbox, "不走运")
    for _ in range(8):
        make_due(call)
        outbox.deliver_due(urgent=False)
    assert state_of(call) == State.DEAD
    assert call.attempts == 8
    assert len(sandbox.calls(REMARK)) == 8

    sandbox.well_again()
    outbox.retry(call, "lin")
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.OK


def test_many_calls_are_retried_spread_over_time(sandbox: Sandbox, in_acme: Tenant) -> None:
    calls = [post_remark(sandbox, str(number), subject=f"s{number}") for number in range(45)]
    OutgoingCall.objects.update(state=State.DEAD, attempts=8)
    OutgoingCall.objects.filter(pk=calls[0].pk).update(state=State.OK)
    assert outbox.retry_many(OutgoingCall.objects.all(), "lin") == 44
    assert state_of(calls[0]) == State.OK
    assert state_of(calls[-1]) == State.PENDING
    assert calls[-1].attempts == 0
    assert calls[-1].due_at > timezone.now() + timedelta(seconds=1)


def test_an_ignored_call_is_not_sent_and_frees_its_subject(sandbox: Sandbox, in_acme: Tenant) -> None:
    sandbox.app(trusted_ips=[])
    parked = post_remark(sandbox, "忽略我")
    outbox.deliver_due(urgent=False)
    assert state_of(parked) == State.PARKED
    outbox.ignore(parked, "lin", "不再需要")
    assert state_of(parked) == State.IGNORED
    assert "不再需要" in parked.note
    with pytest.raises(outbox.NotAllowed):
        outbox.ignore(parked, "lin", "again")


def test_a_failing_handler_does_not_repeat_the_call(
    sandbox: Sandbox, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(call: OutgoingCall) -> None:
        raise KeyError("bug")

    monkeypatch.setitem(OUTCOMES, "test.remark", broken)
    call = post_remark(sandbox, "好的")
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.OK
    assert "outcome failed" in call.note
    assert outbox.deliver_due(urgent=False) == 0


def test_welcome_messages_overtake_everything(sandbox: Sandbox, in_acme: Tenant) -> None:
    order: list[str] = []
    for number in range(3):
        post_remark(sandbox, f"批量{number}", subject=f"s{number}", priority=OutgoingCall.Priority.BACKFILL)
    code = sandbox_welcome_code(sandbox)
    outbox.post(
        "externalcontact/send_welcome_msg",
        {"welcome_code": code, "text": {"content": "你好"}},
        purpose="test.welcome",
        idem_key=code,
        priority=OutgoingCall.Priority.WELCOME,
        deadline=timezone.now() + timedelta(seconds=18),
    )
    outbox.deliver_due(urgent=False)
    order = [call["api"].removeprefix("/cgi-bin/") for call in sandbox.calls()]
    order = [api for api in order if api != "gettoken"]
    assert order[0] == "externalcontact/send_welcome_msg"
    assert len(sandbox.effects("welcome")) == 1


def sandbox_welcome_code(sandbox: Sandbox) -> str:
    userid, _ = sandbox.friendships()[0]
    sandbox.act("customer_adds", userid=userid, name="新客户")
    codes = sandbox.control("GET", "effects")["welcomes"]["latest"]
    return str(codes[-1]["code"])


def make_due(call: OutgoingCall) -> None:
    """As if the time of its next attempt had come, and the rest of its API were over."""
    OutgoingCall.objects.filter(pk=call.pk).update(due_at=timezone.now())
    ApiBreaker.objects.update(open_until=timezone.now() - timedelta(seconds=1), probed_at=None)
    breaker._seen.forget_all()
