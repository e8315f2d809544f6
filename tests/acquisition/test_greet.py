"""A new customer is greeted once, within WeCom's 20 seconds, and the timeline says what came of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from acquisition import greet as greeting
from acquisition.models import Welcome
from contacts.models import Customer, GroupChat, GroupMember, TimelineEntry
from contacts.wording import story
from tenants import outbox
from tenants.events import URGENT_HANDLERS
from tenants.models import OutgoingCall
from tests.acquisition.conftest import greet
from tests.contacts.conftest import Events, handle
from tests.content.made import material
from tests.sandbox_server import Sandbox
from wecom.events import Event

SEND = "externalcontact/send_welcome_msg"
TEXT = "您好，很高兴认识您！"


@pytest.fixture(autouse=True)
def _welcome(events: Events) -> None:
    Welcome.objects.create(text=TEXT)


def someone_adds(sandbox: Sandbox, events: Events, **wish: Any) -> Event:
    """The event of a new customer of the first member who may have some."""
    userid = sandbox.friendships()[0][0]
    sandbox.act("customer_adds", userid=userid, name="新客户", **wish)
    return next(event for event in events.new() if event.welcome_code)


def send() -> OutgoingCall:
    outbox.deliver_due(urgent=True)
    return OutgoingCall.objects.get()


def entry() -> TimelineEntry:
    return TimelineEntry.objects.get(kind__startswith="welcome")


def make_due() -> None:
    OutgoingCall.objects.update(due_at=timezone.now())


def test_the_greeting_goes_out_and_stands_on_the_timeline(sandbox: Sandbox, events: Events) -> None:
    event = someone_adds(sandbox, events)
    greet(event)

    assert send().state == OutgoingCall.State.OK

    (sent,) = sandbox.effects("welcome")
    assert (sent["external_userid"], sent["text"]) == (event.external_user_id, TEXT)
    assert (entry().kind, entry().payload["text"], entry().customer.external_userid) == (
        "welcome_sent",
        TEXT,
        event.external_user_id,
    )
    assert 0 <= entry().payload["seconds"] < 20


@pytest.mark.parametrize("change", ["add_external_contact", "add_half_external_contact"])
def test_both_kinds_of_adding_are_greeted(change: str) -> None:
    assert URGENT_HANDLERS[f"change_external_contact.{change}"].apply is greeting.greet


def test_attachments_that_are_late_stay_behind_and_nothing_left_is_told_as_missed(
    sandbox: Sandbox, events: Events
) -> None:
    link, poster = material("link"), material("image")
    Welcome.objects.update(text="", materials=[link.pk, poster.pk])
    greet(someone_adds(sandbox, events))
    assert send().state == OutgoingCall.State.OK
    (sent,) = sandbox.effects("welcome")
    assert sent["attachments"] == ["link"]
    assert story(entry()) == "欢迎语已送达，1 个附件没有赶上"

    Welcome.objects.update(materials=[poster.pk])
    greet(someone_adds(sandbox, events))
    outbox.deliver_due(urgent=True)
    assert [call.state for call in OutgoingCall.objects.order_by("id")] == ["ok", "expired"]
    assert len(sandbox.effects("welcome")) == 1
    missed = TimelineEntry.objects.get(kind="welcome_failed")
    assert story(missed) == "欢迎语没有发出：附件还没有上传到企业微信"


def test_the_same_code_is_one_message(sandbox: Sandbox, events: Events) -> None:
    event = someone_adds(sandbox, events)
    for _ in range(3):
        greet(event)
        outbox.deliver_due(urgent=True)
    assert len(sandbox.calls(SEND)) == OutgoingCall.objects.count() == 1


@pytest.mark.parametrize("wish", [{"enabled": False}, {"text": ""}, {"text": " \n"}])
def test_without_a_default_greeting_nothing_is_sent(sandbox: Sandbox, events: Events, wish: dict[str, Any]) -> None:
    Welcome.objects.update(**wish)
    greet(someone_adds(sandbox, events))
    Welcome.objects.all().delete()
    greet(someone_adds(sandbox, events))
    assert not OutgoingCall.objects.exists()


def test_the_events_customer_fills_the_row_that_the_greeting_made(sandbox: Sandbox, events: Events) -> None:
    """The greeting is faster than the ordinary handling of the same event."""
    event = someone_adds(sandbox, events)
    greet(event)
    send()
    bare = Customer.objects.get(external_userid=event.external_user_id)
    assert (bare.name, bare.first_added_at) == ("", None)

    handle([event])

    filled = Customer.objects.get(external_userid=event.external_user_id)
    assert (filled.pk, filled.name, filled.active_follows) == (bare.pk, "新客户", 1)
    assert {one.kind for one in filled.timeline.all()} == {"welcome_sent", "follow_added"}


def test_who_was_a_stranger_in_a_group_is_recognised(sandbox: Sandbox, events: Events) -> None:
    event = someone_adds(sandbox, events)
    chat = GroupChat.objects.create(chat_id="wrTea")
    chat.stays.create(member_id=event.external_user_id, kind=GroupMember.Kind.OUTSIDER, joined_at=timezone.now())

    greet(event)
    send()
    handle([event])

    assert chat.stays.get().customer.name == "新客户"


def test_a_customer_who_is_there_already_gets_the_entry(sandbox: Sandbox, events: Events) -> None:
    event = someone_adds(sandbox, events)
    handle([event])
    greet(event)
    send()
    assert entry().customer.name == "新客户"
    assert entry().staff is not None


@pytest.mark.parametrize(("code", "state"), [(41050, "expired"), (41051, "ok"), (41053, "dead")])
def test_what_wecom_refuses_is_not_told_as_sent(sandbox: Sandbox, events: Events, code: int, state: str) -> None:
    sandbox.fault("errcode", SEND, errcode=code, times=1)
    greet(someone_adds(sandbox, events))
    assert send().state == state
    assert (entry().kind, entry().payload["code"]) == ("welcome_failed", code)
    assert entry().payload["reason"]
    assert len(sandbox.calls(SEND)) == 1


def test_while_another_app_sends_it_is_tried_again(sandbox: Sandbox, events: Events) -> None:
    sandbox.fault("errcode", SEND, errcode=41096, times=2)
    greet(someone_adds(sandbox, events))
    assert send().state == OutgoingCall.State.PENDING
    for _ in range(2):
        make_due()
        call = send()
    assert (call.state, entry().kind) == (OutgoingCall.State.OK, "welcome_sent")


def test_too_late_it_is_not_even_tried(sandbox: Sandbox, events: Events) -> None:
    greet(someone_adds(sandbox, events))
    OutgoingCall.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    assert send().state == OutgoingCall.State.EXPIRED
    assert sandbox.calls(SEND) == []
    assert (entry().kind, entry().payload["state"]) == ("welcome_failed", "expired")


def test_an_outage_of_wecom_is_survived_within_the_window(sandbox: Sandbox, events: Events) -> None:
    sandbox.fault("5xx", SEND, times=2)
    greet(someone_adds(sandbox, events))
    for _ in range(3):
        make_due()
        call = send()
    assert (call.state, len(sandbox.effects("welcome"))) == (OutgoingCall.State.OK, 1)


def test_an_answer_that_was_lost_is_no_second_message(sandbox: Sandbox, events: Events) -> None:
    sandbox.fault("drop", SEND, executed=True, times=1)
    greet(someone_adds(sandbox, events))
    send()
    make_due()
    assert send().state == OutgoingCall.State.OK
    assert len(sandbox.effects("welcome")) == 1
    assert entry().kind == "welcome_sent"


def test_the_deadline_lies_inside_of_wecoms_window(sandbox: Sandbox, events: Events) -> None:
    event = someone_adds(sandbox, events)
    greet(event)
    call = OutgoingCall.objects.get()
    assert timedelta(0) < call.deadline - event.at < timedelta(seconds=20)
    assert call.priority == OutgoingCall.Priority.WELCOME
