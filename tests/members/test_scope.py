"""数据范围: who sees whose customers, as one table."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import Operator
from contacts.models import Customer, Follow, GroupChat, TimelineEntry
from members.models import Department, Staff, StaffDepartment
from members.scope import visible_staff

DAY = datetime(2026, 1, 5, 4, tzinfo=UTC)


@pytest.fixture
def people(in_acme):
    """总部 > 华南 > 门店七; one of the staff, one customer and one group in each, and one of nobody."""
    head = Department.objects.create(wecom_id=1, name="总部", path=[1])
    south = Department.objects.create(wecom_id=2, name="华南", parent_wecom_id=1, path=[1, 2])
    shop = Department.objects.create(wecom_id=7, name="门店七", parent_wecom_id=2, path=[1, 2, 7])
    north = Department.objects.create(wecom_id=9, name="华北", parent_wecom_id=1, path=[1, 9])
    staff = {}
    for name, department in (("chen", head), ("wang", south), ("wu", south), ("li", shop), ("zhao", north)):
        one = staff[name] = Staff.objects.create(userid=name, userid_key=name, name=name)
        StaffDepartment.objects.create(staff=one, department=department)
        customer = Customer.objects.create(external_userid=f"wm-{name}", name=f"{name}的客户", first_added_at=DAY)
        Follow.objects.create(customer=customer, staff=one, added_at=DAY)
        chat = GroupChat.objects.create(chat_id=f"wr-{name}", name=f"{name}的群", owner=one)
        TimelineEntry.objects.create(key=f"a-{name}", customer=customer, staff=one, kind="follow_added", at=DAY)
        TimelineEntry.objects.create(key=f"g-{name}", chat=chat, kind="group_renamed", at=DAY)
    Customer.objects.create(external_userid="wm-nobody", name="无人跟进")
    return staff


def operator(scope: str, staff: Staff | None = None, **more) -> Operator:
    made = Operator.objects.create(username=f"op-{scope}-{staff}", name="操作员", scope=scope, **more)
    if staff is not None:
        staff.operator = made
        staff.save()
    return made


@pytest.mark.parametrize(
    ("scope", "own", "seen"),
    [
        ("self", "wang", {"wang"}),
        ("department", "wang", {"wang", "wu"}),
        ("subtree", "wang", {"wang", "wu", "li"}),
        ("subtree", "li", {"li"}),
        ("subtree", "chen", {"chen", "wang", "wu", "li", "zhao"}),
        ("department", "chen", {"chen"}),
        ("all", "wang", {"chen", "wang", "wu", "li", "zhao", "nobody"}),
        ("all", None, {"chen", "wang", "wu", "li", "zhao", "nobody"}),
        ("self", None, set()),
        ("subtree", None, set()),
    ],
)
def test_the_range_decides_in_every_list(people, scope, own, seen):
    user = operator(scope, people[own] if own else None)

    def ends(rows, field):
        return {value.split("-")[1] for value in rows.values_list(field, flat=True)}

    assert ends(Customer.objects.visible_to(user), "external_userid") == seen
    assert ends(Follow.objects.visible_to(user), "customer__external_userid") == seen - {"nobody"}
    assert ends(GroupChat.objects.visible_to(user), "chat_id") == seen - {"nobody"}
    assert ends(TimelineEntry.objects.visible_to(user), "key") == seen - {"nobody"}
    assert TimelineEntry.objects.visible_to(user).count() == 2 * len(seen - {"nobody"})


def test_who_is_switched_off_or_nobody_sees_nothing(people):
    off = operator("all", is_active=False)

    assert list(visible_staff(off)) == []
    assert list(visible_staff(AnonymousUser())) == []
    assert Customer.objects.visible_to(AnonymousUser()).count() == 0


def test_a_member_without_department_sees_what_is_his_own(people):
    people["zhao"].placements.all().delete()

    assert Customer.objects.visible_to(operator("subtree", people["zhao"])).get().external_userid == "wm-zhao"


def test_the_customers_of_who_left_stay_with_his_department(people):
    people["wu"].left_at = DAY
    people["wu"].save()

    assert Customer.objects.visible_to(operator("department", people["wang"])).count() == 2


def test_a_filter_looks_only_at_friendships_in_the_range(people):
    shared = Customer.objects.get(external_userid="wm-wang")
    Follow.objects.create(customer=shared, staff=people["zhao"], added_at=DAY, ended_at=DAY, deleted_by_customer_at=DAY)
    user = operator("self", people["wang"])

    assert Customer.objects.visible_to(user).matching(state="deleted_by_customer").count() == 0
    assert Customer.objects.matching(state="deleted_by_customer").get() == shared
    assert Customer.objects.visible_to(user).matching(staff=people["zhao"]).count() == 0
