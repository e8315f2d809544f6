"""change_external_chat: who is in which group since when, and how he came and went."""

import time
from datetime import timedelta

import pytest

from contacts import events as module
from contacts.models import Customer, GroupChat, GroupMember, TimelineEntry
from tenants.events import NotYet
from tests.contacts.conftest import OWNERS, Events, handle


@pytest.fixture(autouse=True)
def _groups_settle_at_once(monkeypatch):
    monkeypatch.setattr(module, "SETTLED", timedelta(seconds=1.2))


def owner_of(events: Events) -> str:
    return next(userid for userid, _ in events.sandbox.friendships())


def made_group(events: Events, **wish) -> GroupChat:
    made = events.sandbox.act("group_create", owner=owner_of(events), name="门店七福利群", **wish)
    events.handle_new()
    return GroupChat.objects.get(chat_id=made["chat_id"])


def test_a_new_group_comes_with_its_members(events):
    customer = events.sandbox.friendships()[0][1]

    group = made_group(events, members=[customer])

    assert (group.name, group.owner.userid, group.dismissed_at) == ("门店七福利群", owner_of(events), None)
    assert (group.member_count, group.customer_count) == (2, 1)
    assert set(group.stays.values_list("member_id", "kind")) == {(owner_of(events), 1), (customer, 2)}
    assert set(group.timeline.values_list("kind", flat=True)) == {"group_created", "group_joined"}


def test_who_leaves_who_is_removed_and_who_comes_back_have_their_stays(events):
    pairs = events.sandbox.friendships()
    leaver, removed = pairs[0][1], next(customer for _, customer in pairs if customer != pairs[0][1])
    group = made_group(events, members=[leaver, removed])

    events.sandbox.act("group_leave", chat_id=group.chat_id, members=[leaver])
    events.sandbox.act("group_kick", chat_id=group.chat_id, members=[removed])
    events.handle_new()
    gone = {stay.member_id: stay.left_by for stay in group.stays.exclude(left_at=None)}
    time.sleep(1.1)
    events.sandbox.act("group_join", chat_id=group.chat_id, members=[leaver], scan=True)
    events.handle_new()

    assert gone == {leaver: "self", removed: "removed"}
    stays = list(group.stays.filter(member_id=leaver).order_by("joined_at"))
    assert [stay.left_at is None for stay in stays] == [False, True]
    assert stays[1].join_scene == 3
    group.refresh_from_db()
    assert (group.member_count, group.customer_count) == (2, 1)


def test_who_came_and_went_between_two_readings_is_known_from_the_events(events):
    group = made_group(events)
    visitor = events.sandbox.friendships()[0][1]

    events.sandbox.act("group_join", chat_id=group.chat_id, members=[visitor])
    events.sandbox.act("group_leave", chat_id=group.chat_id, members=[visitor])
    told = events.handle_new()
    handle(told)

    stay = group.stays.get(member_id=visitor)
    assert (stay.left_at is not None, stay.left_by) == (True, "self")


def test_a_joining_customer_has_it_on_his_own_timeline(events):
    userid = owner_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    group = made_group(events)
    events.sandbox.act("group_join", chat_id=group.chat_id, members=[made["external_userid"]], scan=True)
    events.handle_new()

    customer = Customer.objects.get()
    entry = customer.timeline.get(kind="group_joined")
    assert (entry.chat, entry.payload["scene"]) == (group, 3)
    assert group.stays.get(member_id=made["external_userid"]).customer == customer


def test_a_stranger_in_a_group_is_recognised_once_he_is_a_customer(events):
    group = made_group(events)
    made = events.sandbox.act("group_join", chat_id=group.chat_id, name="路人", scan=True)
    events.handle_new()
    stay = group.stays.get(kind=GroupMember.Kind.OUTSIDER)
    assert stay.customer is None

    events.sandbox.act("customer_adds", userid=owner_of(events), external_userid=stay.member_id, name="路人")
    events.handle_new()

    stay.refresh_from_db()
    assert made and stay.customer == Customer.objects.get(external_userid=stay.member_id)


def test_name_notice_and_owner_change_with_an_entry_each(events):
    group = made_group(events, members=[events.sandbox.friendships()[0][1]])
    second = next(userid for userid, _ in events.sandbox.friendships() if userid != owner_of(events))

    events.sandbox.act("group_rename", chat_id=group.chat_id, name="新名字")
    events.sandbox.act("group_notice", chat_id=group.chat_id, notice="每周三上新")
    events.sandbox.act("group_owner", chat_id=group.chat_id, owner=second)
    events.handle_new()

    group.refresh_from_db()
    assert (group.name, group.notice, group.owner.userid) == ("新名字", "每周三上新", second)
    kinds = set(group.timeline.values_list("kind", flat=True))
    assert kinds >= {"group_renamed", "group_notice_changed", "group_owner_changed"}


def test_a_dissolved_group_stays_with_its_history(events):
    group = made_group(events, members=[events.sandbox.friendships()[0][1]])
    events.sandbox.act("group_dismiss", chat_id=group.chat_id)
    told = events.handle_new()
    before = list(GroupMember.objects.order_by("id").values()), TimelineEntry.objects.count()
    handle(told)

    group.refresh_from_db()
    assert group.dismissed_at
    assert group.stays.filter(left_at=None).count() == 0 and group.stays.count() == 2
    assert (list(GroupMember.objects.order_by("id").values()), TimelineEntry.objects.count()) == before


def test_a_group_is_not_read_before_its_data_have_settled(events, monkeypatch):
    monkeypatch.setattr(module, "SETTLED", timedelta(seconds=60))
    events.sandbox.act("group_create", owner=owner_of(events), name="刚建的群")
    told = events.new()

    reading = OWNERS[told[0].name].read(told)

    assert isinstance(reading.errors[told[0].order_key], NotYet)
    assert events.sandbox.calls("externalcontact/groupchat/get") == []
