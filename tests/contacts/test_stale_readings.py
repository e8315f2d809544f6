"""A customer that was read before WeCom confirmed a change of ours does not undo it here."""

import pytest

from contacts.events import CUSTOMERS
from contacts.models import Follow, Tag, TimelineEntry
from contacts.remark import change_remark
from tagging.marking import change_tags
from tenants import outbox
from tests.mirror import mirror_everything

CONSOLE = TimelineEntry.Source.CONSOLE


@pytest.fixture
def follow(events):
    """A friendship that is here as it is in WeCom, and about which an event is on its way."""
    mirror_everything()
    events.new()
    follow = Follow.objects.filter(ended_at=None).select_related("staff", "customer").first()
    events.sandbox.act(
        "staff_edits", userid=follow.staff.userid, external_userid=follow.customer.external_userid, remark="旧备注"
    )
    return follow


def test_a_remark_that_wecom_confirmed_meanwhile_stays(events, follow):
    told = events.new()
    reading = CUSTOMERS.read(told)
    change_remark(follow, remark="新备注", description="", by="wang", source=CONSOLE)
    outbox.deliver_due(urgent=False)
    CUSTOMERS.apply(told, reading)

    follow.refresh_from_db()
    assert follow.remark == "新备注"
    changed = TimelineEntry.objects.filter(customer=follow.customer, kind="remark_changed")
    assert [entry.payload["remark"] for entry in changed] == ["新备注"]


def test_a_tag_that_wecom_confirmed_meanwhile_stays(events, follow):
    tag = Tag.objects.exclude(links__follow=follow).exclude(group__wecom_id="").first()
    told = events.new()
    reading = CUSTOMERS.read(told)
    change_tags(follow, add=[tag], by="wang", source=CONSOLE)
    outbox.deliver_due(urgent=False)
    CUSTOMERS.apply(told, reading)

    assert follow.tag_links.filter(tag=tag).exists()


def test_what_is_read_after_it_counts(events, follow):
    events.new()
    change_remark(follow, remark="新备注", description="", by="wang", source=CONSOLE)
    outbox.deliver_due(urgent=False)
    events.sandbox.act(
        "staff_edits", userid=follow.staff.userid, external_userid=follow.customer.external_userid, remark="手机上改的"
    )
    events.handle_new()

    follow.refresh_from_db()
    assert follow.remark == "手机上改的"


def test_the_end_of_the_friendship_is_heard_all_the_same(events, follow):
    events.sandbox.act(
        "customer_deletes_staff", userid=follow.staff.userid, external_userid=follow.customer.external_userid
    )
    told = events.new()
    reading = CUSTOMERS.read(told)
    change_remark(follow, remark="新备注", description="", by="wang", source=CONSOLE)
    outbox.deliver_due(urgent=False)
    CUSTOMERS.apply(told, reading)

    follow.refresh_from_db()
    assert (follow.remark, follow.ended_by) == ("新备注", "customer")
