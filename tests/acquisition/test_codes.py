"""A channel code is made in WeCom once, kept in step with its staff, and does what it promises to whom it brings."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from acquisition import codes, numbers, qr
from acquisition.models import ChannelCode, Welcome
from contacts import bulk
from contacts.models import Customer, Follow, Stage, Tag, TagGroup
from members.models import Staff
from tenants import outbox
from tenants.jobs import run_to_end, start
from tenants.models import OutgoingCall, Tenant
from tests.acquisition.conftest import greet
from tests.contacts.conftest import Events, handle
from tests.people import add_operator
from tests.sandbox_server import Sandbox

ADD = "externalcontact/add_contact_way"
UPDATE = "externalcontact/update_contact_way"


@pytest.fixture
def staff(events: Events) -> list[Staff]:
    run_to_end(start("sync"))
    events.new()
    return list(Staff.objects.filter(can_follow=True).order_by("pk")[:3])


@pytest.fixture
def admin(in_acme: Tenant) -> Any:
    operator = add_operator(in_acme)
    connection.set_tenant(in_acme)
    return operator


def make(staff: Sequence[Staff], *, backups: Sequence[Staff] = (), **wish: Any) -> ChannelCode:
    code = codes.create(ChannelCode(name=wish.pop("name", "展会海报"), **wish), staff, backups, by="lin")
    deliver()
    code.refresh_from_db()
    return code


def deliver() -> None:
    OutgoingCall.objects.filter(state="unknown").update(due_at=timezone.now())
    outbox.deliver_due(urgent=False)


def ways(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.effects("add_contact_way")


def scan(sandbox: Sandbox, events: Events, code: ChannelCode, **wish: Any) -> Follow:
    sandbox.act("customer_scans", config_id=code.config_id, name="扫码的人", **wish)
    new = events.new()
    for event in new:
        if event.welcome_code:
            greet(event)
    outbox.deliver_due(urgent=True)
    handle([event for event in new if event.name == "change_external_contact"])
    return Follow.objects.get(state=code.state)


def test_it_is_made_once_and_its_picture_can_be_drawn_at_any_size(sandbox: Sandbox, staff: list[Staff]) -> None:
    code = make(staff)
    assert (code.status, bool(code.config_id), code.pushed["user"]) == (
        "active",
        True,
        sorted(one.userid for one in staff),
    )
    (way,) = ways(sandbox)
    assert way["state"] == code.state
    assert len(code.state) <= 30
    assert code.config_id in qr.said_by(code)
    assert qr.svg(code).startswith(b"<?xml")
    assert qr.png(code, 1000).startswith(b"\x89PNG")


def test_a_lost_answer_makes_no_second_code(sandbox: Sandbox, staff: list[Staff]) -> None:
    """F12 for codes: the answer is lost after WeCom made the code; it is looked up by its state and adopted."""
    sandbox.fault("drop", ADD, times=1)
    code = make(staff)
    assert code.status == "creating"
    assert OutgoingCall.objects.get(purpose="code_create").state == "unknown"
    deliver()
    code.refresh_from_db()
    assert code.status == "active"
    assert [way["config_id"] for way in ways(sandbox)] == [code.config_id]


def test_what_wecom_refuses_is_said_and_can_be_tried_again(sandbox: Sandbox, staff: list[Staff]) -> None:
    sandbox.fault("errcode", ADD, errcode=41045, times=1)
    code = make(staff)
    assert (code.status, bool(code.error)) == ("failed", True)
    codes.retry(code, by="lin")
    deliver()
    code.refresh_from_db()
    assert (code.status, code.error, len(ways(sandbox))) == ("active", "", 1)


def test_a_refused_code_is_tried_again_with_the_staff_it_has_by_now(sandbox: Sandbox, staff: list[Staff]) -> None:
    sandbox.fault("errcode", ADD, errcode=41054, times=1)
    code = make(staff[:1])
    codes.set_staff(code, staff[1:2], [])
    codes.retry(code, by="lin")
    codes.retry(code, by="lin")  # pressed twice
    deliver()
    code.refresh_from_db()
    (way,) = ways(sandbox)
    assert (code.status, code.pushed["user"], way["user"]) == ("active", [staff[1].userid], [staff[1].userid])


def test_a_change_that_wecom_refuses_is_not_asked_for_each_minute(sandbox: Sandbox, staff: list[Staff]) -> None:
    code = make(staff[:2])
    sandbox.fault("errcode", UPDATE, errcode=41054)
    code.places.filter(staff=staff[0]).update(paused_at=timezone.now())
    for _ in range(3):
        codes.keep_in_step()
        deliver()
    code.refresh_from_db()
    assert len(sandbox.calls(UPDATE)) == 1
    assert "没有激活" in code.error
    ago = timezone.now() - timedelta(hours=2)
    OutgoingCall.objects.filter(purpose="code_update").update(finished_at=ago)
    ChannelCode.objects.update(pushed_at=ago)
    sandbox.well_again()
    assert codes.keep_in_step() == 1
    deliver()
    code.refresh_from_db()
    assert (code.error, code.pushed["user"]) == ("", [staff[1].userid])


def test_wecom_is_told_when_who_can_take_customers_changes_and_only_then(sandbox: Sandbox, staff: list[Staff]) -> None:
    code = make(staff[:2], backups=staff[2:])
    assert codes.push(code) is None
    code.places.filter(staff=staff[0]).update(paused_at=timezone.now())
    assert codes.keep_in_step() == 1
    deliver()
    code.refresh_from_db()
    assert code.pushed["user"] == [staff[1].userid]
    assert codes.keep_in_step() == 0
    assert len(sandbox.calls(UPDATE)) == 1


def test_backups_step_in_and_an_empty_code_says_so(sandbox: Sandbox, staff: list[Staff]) -> None:
    code = make(staff[:1], backups=staff[1:2])
    code.places.filter(staff=staff[0]).update(daily_cap=0)
    assert codes.eligible(code, timezone.now()) == [staff[1]]
    code.places.update(paused_at=timezone.now())
    assert codes.push(code) is None
    code.refresh_from_db()
    assert "没有可接待的员工" in code.error
    assert code.pushed["user"] == [staff[0].userid]


def test_a_daily_cap_counts_whom_this_code_brought_today(sandbox: Sandbox, staff: list[Staff], events: Events) -> None:
    code = make(staff[:2])
    code.places.update(daily_cap=1)
    first = scan(sandbox, events, code)
    now = timezone.now() + timedelta(seconds=2)
    reasons = {place.staff.pk: place.reason for place in codes.places_of(code, now)}
    assert "达到上限" in reasons[first.staff_id]
    assert codes.eligible(code, now + timedelta(days=1)) == staff[:2]


def test_nobody_able_is_refused_before_wecom_is_asked(sandbox: Sandbox, staff: list[Staff]) -> None:
    Staff.objects.filter(pk=staff[0].pk).update(left_at=timezone.now())
    with pytest.raises(ValidationError, match="不能接待"):
        make(staff[:1])
    assert not sandbox.calls(ADD)


def test_who_scans_is_greeted_tagged_and_put_in_the_stage(sandbox: Sandbox, staff: list[Staff], events: Events) -> None:
    tag, stage = Tag.objects.first(), Stage.objects.create(name="展会线索")
    welcome = Welcome.objects.create(reach="code", text="{客户昵称}，欢迎来自展会的您！")
    Welcome.objects.create(reach="default", text="默认")
    code = make(staff, tag_ids=[tag.pk], stage=stage, welcome=welcome)

    follow = scan(sandbox, events, code)
    deliver()

    (sent,) = sandbox.effects("welcome")
    assert sent["text"] == "扫码的人，欢迎来自展会的您！"
    assert follow.add_way == 1
    assert list(follow.tag_links.values_list("tag_id", flat=True)) == [tag.pk]
    assert Customer.objects.get(pk=follow.customer_id).stage == stage
    codes.customers_came([follow.pk])  # told again
    assert OutgoingCall.objects.filter(purpose="mark_tag").count() == 1


def test_a_tag_that_no_app_may_put_on_does_not_lose_the_customer(
    sandbox: Sandbox, staff: list[Staff], events: Events
) -> None:
    of_a_rule = Tag.objects.create(
        wecom_id="etRule", name="规则组", group=TagGroup.objects.create(wecom_id="", name="")
    )
    code = make(staff, tag_ids=[of_a_rule.pk], stage=Stage.objects.create(name="展会线索"))
    follow = scan(sandbox, events, code)
    assert Customer.objects.get(pk=follow.customer_id).stage == code.stage
    assert not OutgoingCall.objects.filter(purpose="mark_tag").exists()


def test_numbers_are_those_of_the_friendships(sandbox: Sandbox, staff: list[Staff], events: Events, admin: Any) -> None:
    code = make(staff)
    follow = scan(sandbox, events, code)
    assert numbers.totals([code], admin)[code.state] == numbers.Totals(added=1, today=1, lost=0)
    Follow.objects.filter(pk=follow.pk).update(ended_at=timezone.now(), ended_by="customer")
    bulk.refresh_customers([follow.customer_id])
    found = numbers.by_day(code, admin)
    assert (found.added[-1], found.lost[-1], found.net[-1], sum(found.added)) == (1, 1, 0, 1)


def test_a_stopped_code_is_gone_from_wecom(sandbox: Sandbox, staff: list[Staff]) -> None:
    code = make(staff)
    codes.archive(code, by="lin")
    deliver()
    assert len(sandbox.effects("del_contact_way")) == 1
    assert codes.keep_in_step() == 0
