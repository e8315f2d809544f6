"""App messages to members: once each, whole in WeCom's window, and never more a minute than WeCom shows."""

from typing import Any

import pytest
from django.utils import timezone

from members.models import Department, Staff, StaffDepartment
from members.reach import cut, manager_of, managers_of, tell
from tenants import outbox
from tenants.models import OutgoingCall, Tenant
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox


@pytest.fixture
def staff(in_acme: Tenant, sandbox: Sandbox) -> list[Staff]:
    mirror_everything()
    return list(Staff.objects.filter(visible=True, left_at=None, status=Staff.Status.ACTIVE).order_by("id"))


def news(staff: list[Staff], key: str = "1", **more: Any) -> list[OutgoingCall]:
    card = {"title": "流失提醒", "text": "客户「韩梅梅」删除了您", "url": "/console/losses/", "kind": "loss"}
    return tell(staff, **(card | {"key": key} | more))


def shown(sandbox: Sandbox) -> list[dict[str, Any]]:
    outbox.deliver_due(urgent=False)
    return sandbox.effects("message")


def test_a_card_reaches_each_of_them_with_an_address_on_the_companys_own_host(staff, sandbox):
    (call,) = news(staff[:2])

    found = shown(sandbox)
    assert {one["userid"] for one in found} == {one.userid for one in staff[:2]}
    card = found[0]["content"]
    assert (card["title"], card["description"]) == ("流失提醒", "客户「韩梅梅」删除了您")
    assert card["url"].startswith("http://acme.localhost")
    assert card["url"].endswith("/console/losses/")
    call.refresh_from_db()
    assert call.state == "ok"


def test_the_same_news_told_again_is_one_message(staff, sandbox):
    assert news(staff[:1])[0].pk == news(staff[:1])[0].pk
    news(staff[:1], key="2", text="客户「李雷」删除了您")

    assert len(shown(sandbox)) == 2


def test_a_lost_answer_does_not_show_the_card_twice(staff, sandbox):
    (call,) = news(staff[:1])
    sandbox.fault("drop", api="message/send", times=1, executed=True)
    outbox.deliver_due(urgent=False)
    OutgoingCall.objects.filter(pk=call.pk, state="pending").update(due_at=call.created_at)

    assert len(shown(sandbox)) == 1
    call.refresh_from_db()
    assert call.state == "ok"


def test_who_cannot_be_reached_is_left_out(staff, sandbox):
    gone, hidden, there = staff[:3]
    gone.left_at, hidden.visible = timezone.now(), False

    news([gone, hidden, there])

    assert [one["userid"] for one in shown(sandbox)] == [there.userid]
    assert news([gone, hidden], key="2") == []


def test_nothing_beyond_the_limit_of_a_member_is_lost(staff, sandbox):
    for number in range(40):
        news(staff[:1], key=str(number), text=f"第 {number} 条")

    assert len(shown(sandbox)) < 30
    assert sandbox.effects("message_dropped") == []
    waiting = OutgoingCall.objects.filter(api="message/send", state="pending")
    assert len(sandbox.effects("message")) + waiting.count() == 40
    assert set(waiting.values_list("attempts", flat=True)) == {0}
    news(staff[1:2], key="another", text="别人的")
    assert staff[1].userid in {one["userid"] for one in shown(sandbox)}  # a crowded colleague holds nobody up


@pytest.mark.parametrize("text", ["短", "字" * 300, "<b>" * 100, "&" * 512, "😀" * 200, "行\n" * 200])
def test_a_text_is_cut_to_what_wecom_takes_and_says_no_markup_of_its_own(text):
    found = cut(text, 512)

    assert len(found.encode()) <= 512
    assert "<" not in found.replace("<br>", "")
    assert found == text or found.endswith("…")


def test_a_customers_name_cannot_dress_up_the_card(staff, sandbox):
    news(staff[:1], text='<a href="http://evil">点我</a>\n第二行')

    assert shown(sandbox)[0]["content"]["description"] == '&lt;a href="http://evil"&gt;点我&lt;/a&gt;<br>第二行'


# -- who leads whom ----------------------------------------------------------------------------------------------------


@pytest.fixture
def company(in_acme: Tenant) -> dict[str, Staff]:
    """总部 led by boss > 华南 led by wang > 门店七 led by nobody; 华北 led by zhao, who left."""
    places = {
        name: Department.objects.create(wecom_id=path[-1], name=name, path=path)
        for name, path in {"总部": [1], "华南": [1, 2], "门店七": [1, 2, 7], "华北": [1, 9]}.items()
    }
    people = {}
    for name, place, leads in (
        ("boss", "总部", True),
        ("wang", "华南", True),
        ("wu", "华南", False),
        ("li", "门店七", False),
        ("zhao", "华北", True),
        ("sun", "华北", False),
        ("nobody", None, False),
    ):
        people[name] = Staff.objects.create(userid=name, userid_key=name, name=name)
        if place:
            StaffDepartment.objects.create(staff=people[name], department=places[place], is_leader=leads)
            people[name].main_department = places[place]
            people[name].save()
    Staff.objects.filter(userid="zhao").update(left_at=timezone.now(), status=Staff.Status.LEFT)
    StaffDepartment.objects.create(staff=people["wu"], department=places["门店七"])
    return people


@pytest.mark.parametrize(
    ("who", "manager"),
    [
        ("wu", "wang"),
        ("li", "wang"),
        ("wang", "boss"),
        ("boss", None),
        ("sun", "boss"),
        ("nobody", None),
    ],
)
def test_the_nearest_leader_above_is_the_manager(company, who, manager):
    found = manager_of(company[who])

    assert (found.userid if found else None) == manager


def test_many_managers_cost_as_much_as_one(company, django_assert_num_queries):
    with django_assert_num_queries(3):
        assert len(managers_of(company.values())) == 5
