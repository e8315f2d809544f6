"""流失提醒: who loses a customer hears of it in WeCom, and so does who leads them, as the company set it."""

from typing import Any

import pytest

from contacts import bulk
from contacts.losses import follows_ended, loss_alert
from contacts.models import Customer, Follow, LossAlert
from members.models import Staff, StaffDepartment
from tenants import outbox
from tests.contacts.conftest import Events, handle
from tests.mirror import mirror_everything


@pytest.fixture
def pair(events: Events) -> tuple[Staff, Staff]:
    """A member who has customers, and who leads them."""
    mirror_everything()
    follow = Follow.objects.living().select_related("staff").filter(half=False).order_by("id").first()
    assert follow is not None
    boss = Staff.objects.filter(left_at=None, visible=True, status=1).exclude(pk=follow.staff_id).order_by("id")[0]
    StaffDepartment.objects.update(is_leader=False)
    place = follow.staff.main_department or follow.staff.departments.get()
    StaffDepartment.objects.update_or_create(staff=boss, department=place, defaults={"is_leader": True})
    return follow.staff, boss


def told(events: Events) -> list[tuple[str, str]]:
    outbox.deliver_due(urgent=False)
    return [(one["userid"], one["content"]["title"]) for one in events.sandbox.effects("message")]


def lose(events: Events, staff: Staff, act: str = "customer_deletes_staff", number: int = 0) -> Customer:
    follow = Follow.objects.living().filter(staff=staff, half=False).select_related("customer").order_by("id")[number]
    events.sandbox.act(act, userid=staff.userid, external_userid=follow.customer.external_userid)
    return follow.customer


def set_alert(**values: Any) -> None:
    alert = loss_alert()
    for name, value in values.items():
        setattr(alert, name, value)
    alert.save()


def test_a_customer_who_deletes_a_member_is_told_to_both(events, pair):
    staff, boss = pair
    customer = lose(events, staff)

    events.handle_new()

    assert sorted(told(events)) == sorted(
        [
            (staff.userid, f"流失提醒：客户「{customer}」删除了您"),
            (boss.userid, f"流失提醒：客户「{customer}」删除了{staff}"),
        ]
    )


def test_a_member_who_deletes_a_customer_is_told_to_who_leads_them(events, pair):
    staff, boss = pair
    customer = lose(events, staff, "staff_deletes_customer")

    events.handle_new()

    assert told(events) == [(boss.userid, f"流失提醒：{staff}删除了客户「{customer}」")]


def test_the_event_told_again_tells_nobody_again(events, pair):
    lose(events, pair[0])
    batch = events.handle_new()

    handle([event for event in batch if event.name == "change_external_contact"])

    assert len(told(events)) == 2


def test_many_losses_at_once_are_one_message_for_each(events, pair):
    staff, boss = pair
    for number in range(2):
        lose(events, staff, number=number)

    events.handle_new()

    assert sorted(told(events)) == sorted([(staff.userid, "流失提醒：2 位客户"), (boss.userid, "流失提醒：2 位客户")])


@pytest.mark.parametrize(
    ("values", "act", "receivers"),
    [
        ({"to_manager": False}, "customer_deletes_staff", {"staff"}),
        ({"to_staff": False}, "customer_deletes_staff", {"boss"}),
        ({"to_staff": False, "to_manager": False}, "customer_deletes_staff", set()),
        ({"on_deleted_by_customer": False}, "customer_deletes_staff", set()),
        ({"on_deleted_by_customer": False}, "staff_deletes_customer", {"boss"}),
        ({"on_deleted_by_staff": False}, "staff_deletes_customer", set()),
        ({"to_manager": False}, "staff_deletes_customer", set()),
    ],
)
def test_the_company_decides_who_is_told_of_what(events, pair, values, act, receivers):
    set_alert(**values)
    lose(events, pair[0], act)

    events.handle_new()

    names = {pair[0].userid: "staff", pair[1].userid: "boss"}
    assert {names[userid] for userid, _ in told(events)} == receivers


def test_there_is_one_row_of_settings(in_acme):
    set_alert(to_staff=False)
    set_alert(to_manager=False)

    alert = LossAlert.objects.get()
    assert (alert.to_staff, alert.to_manager, alert.on_deleted_by_customer) == (False, False, True)


def test_a_friendship_handed_to_a_colleague_is_no_loss(events, pair):
    follow = Follow.objects.living().filter(staff=pair[0]).order_by("id")[0]
    Follow.objects.filter(pk=follow.pk).update(ended_by="transfer", ended_at=follow.added_at)
    bulk.refresh_customers([follow.customer_id])

    follows_ended([follow.pk])

    assert told(events) == []
