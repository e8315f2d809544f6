"""Whoever agreed to come back to a customer is told in WeCom when the time has come, if it is still to be done."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from contacts.models import Customer, Follow, FollowUp
from contacts.profile import finish_follow_up, reopen_follow_up, write_follow_up
from members.models import Staff
from tenants import outbox
from tenants.due import run_due
from tenants.models import DueRow, Tenant
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox


@pytest.fixture
def zhang(in_acme: Tenant, sandbox: Sandbox) -> Staff:
    mirror_everything()
    return Follow.objects.living().select_related("staff").order_by("id")[0].staff


def agree(staff: Staff | None, text: str = "看样品", number: int = 0, **more: Any) -> FollowUp:
    customer = Customer.objects.order_by("id")[number]
    at = timezone.now() + timedelta(hours=1)
    return write_follow_up(customer, text=text, next_at=at, staff=staff, by="wang", source="console", **more)


def an_hour_passes(tenant: Tenant) -> None:
    DueRow.objects.filter(tenant=tenant).update(due_at=timezone.now())
    FollowUp.objects.exclude(next_at=None).update(next_at=timezone.now())
    run_due(tenant)
    outbox.deliver_due(urgent=False)


def told(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(one["userid"], one["content"]["title"]) for one in sandbox.effects("message")]


def test_a_member_is_told_once_when_the_time_has_come(in_acme, zhang, sandbox):
    row = agree(zhang)
    run_due(in_acme)
    outbox.deliver_due(urgent=False)
    assert told(sandbox) == []

    an_hour_passes(in_acme)
    an_hour_passes(in_acme)

    assert told(sandbox) == [(zhang.userid, f"该跟进客户「{row.customer}」了")]
    assert sandbox.effects("message")[0]["content"]["url"].endswith(f"/sidebar/customers/{row.customer_id}/")


def test_what_falls_due_together_is_one_card(in_acme, zhang, sandbox):
    for number in range(3):
        agree(zhang, number=number)

    an_hour_passes(in_acme)

    assert told(sandbox) == [(zhang.userid, "3 位客户该跟进了")]


def test_what_is_done_before_reminds_nobody_until_it_is_put_back(in_acme, zhang, sandbox):
    row = agree(zhang)
    finish_follow_up(row)
    assert not DueRow.objects.filter(tenant=in_acme, kind="contacts.follow_up").exists()
    agree(zhang, number=1)
    agree(zhang, "改约", number=1)  # the new date takes the place of the old one
    assert DueRow.objects.filter(tenant=in_acme, kind="contacts.follow_up").count() == 1

    reopen_follow_up(row)

    assert DueRow.objects.filter(tenant=in_acme, kind="contacts.follow_up").count() == 2


def test_an_operator_who_is_no_member_has_the_page_alone(in_acme, zhang, sandbox):
    agree(None)

    an_hour_passes(in_acme)

    assert told(sandbox) == []
