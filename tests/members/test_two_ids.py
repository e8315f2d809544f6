"""A member got a new userid, and a sync or another event made a row for it before the event of the change came."""

import time

import pytest

from contacts.models import Customer, Follow, FollowTag, GroupChat, TimelineEntry
from members.models import Staff
from tenants import jobs
from tests.contacts.conftest import handle, payload
from tests.people import add_operator


@pytest.fixture
def renamed(events):
    """孙莉 had 韩梅梅, who has left her, and 李雷, with a group; the sync saw her new id first."""
    sandbox = events.sandbox
    sandbox.act("staff_joins", userid="sunli", name="孙莉", departments=[1], customer_contact=True)
    for name in ("韩梅梅", "李雷"):
        sandbox.act("customer_adds", userid="sunli", name=name)
    sandbox.act("group_create", owner="sunli", name="老客户")
    events.handle_new()
    lost = Customer.objects.get(name="韩梅梅").external_userid
    sandbox.act("customer_deletes_staff", userid="sunli", external_userid=lost)
    events.handle_new()
    staff = Staff.objects.get(userid_key="sunli")
    staff.operator = add_operator(events_tenant(), "sunli", "staff")
    staff.save()
    sandbox.act("staff_updates", userid="sunli", new_userid="sunli2")
    tag = sandbox.tags()[0]
    known = Customer.objects.get(name="李雷").external_userid
    sandbox.act("staff_edits", userid="sunli2", external_userid=known, remark="雷哥", add_tags=[tag])
    sandbox.act("customer_adds", userid="sunli2", name="王强")
    jobs.run_to_end(jobs.start("sync"))
    assert Staff.objects.filter(userid_key__in=["sunli", "sunli2"]).count() == 2
    return staff.pk


def events_tenant():
    from django.db import connection

    return connection.tenant


def test_both_become_the_older_row_and_nothing_is_lost(events, renamed):
    events.handle_new()

    staff = Staff.objects.get(userid_key__startswith="sunli")
    assert (staff.pk, staff.userid, staff.name, staff.operator.username) == (renamed, "sunli2", "孙莉", "sunli")
    assert (staff.visible, staff.can_follow, staff.departments.count()) == (True, True, 1)
    follows = {follow.customer.name: follow for follow in staff.follows.select_related("customer")}
    assert {name: follow.ended_by for name, follow in follows.items()} == {"韩梅梅": "customer", "李雷": "", "王强": ""}
    assert follows["李雷"].remark == "雷哥"
    assert follows["李雷"].tag_links.get().tag.wecom_id == events.sandbox.tags()[0]
    assert GroupChat.objects.get(name="老客户").owner_id == renamed
    lost = Customer.objects.get(name="韩梅梅")
    assert (lost.active_follows, lost.lost_at is not None) == (0, True)
    assert TimelineEntry.objects.filter(customer=lost, kind="follow_added").count() == 1
    assert TimelineEntry.objects.filter(customer=lost, kind="deleted_by_customer", staff=staff).exists()


def test_the_next_sync_finds_nothing_to_change(events, renamed):
    events.handle_new()
    before = Follow.objects.count(), FollowTag.objects.count()
    counts = jobs.run_to_end(jobs.start("sync")).counts
    assert (counts["follows_new"], counts["follows_ended"], counts["customers_new"]) == (0, 0, 0)
    assert (Follow.objects.count(), FollowTag.objects.count()) == before


def test_the_event_twice_changes_nothing_more(events, renamed):
    told = [event for event in events.new() if event.text("NewUserID")]
    handle(told)
    before = (
        list(Staff.objects.order_by("id").values()),
        list(Follow.objects.order_by("id").values_list("id", "ended_at")),
    )
    handle(told)
    after = (
        list(Staff.objects.order_by("id").values()),
        list(Follow.objects.order_by("id").values_list("id", "ended_at")),
    )
    assert [{**row, "synced_at": None} for row in before[0]] == [{**row, "synced_at": None} for row in after[0]]
    assert before[1] == after[1]


def test_an_event_of_an_id_nobody_knows_makes_one_row(events):
    handle(
        [
            payload(
                Event="change_contact",
                ChangeType="update_user",
                UserID="ghost",
                NewUserID="ghost2",
                at=int(time.time()),
            )
        ]
    )
    assert Staff.objects.filter(userid_key__in=["ghost", "ghost2"]).count() == 1
