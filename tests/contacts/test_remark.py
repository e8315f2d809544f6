"""Remarks are changed in WeCom first; our rows follow what WeCom answered."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from contacts.models import Customer, Follow
from contacts.remark import change_remark
from tenants import outbox
from tenants.models import OutgoingCall, Tenant
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox


@pytest.fixture
def follow(in_acme: Tenant, sandbox: Sandbox) -> Follow:
    mirror_everything()
    return Follow.objects.select_related("staff", "customer").filter(ended_at=None).order_by("id")[0]


def say(follow: Follow, remark: str, description: str = "") -> OutgoingCall:
    return change_remark(follow, remark=remark, description=description, by="wang", source="console")


def deliver(call: OutgoingCall) -> str:
    outbox.deliver_due(urgent=False)
    call.refresh_from_db()
    return call.state


def in_wecom(sandbox: Sandbox, follow: Follow) -> tuple[str, str]:
    follows = sandbox.truth()["customers"][follow.customer.external_userid]["follows"]
    real = next(one for one in follows if one["userid"] == follow.staff.userid)
    return real["remark"], real["description"]


def test_the_remark_is_here_when_wecom_has_it(follow: Follow, sandbox: Sandbox) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    Customer.objects.filter(pk=follow.customer_id).update(updated_at=long_ago)
    before = follow.remark
    call = say(follow, " 独一无二 ", "爱喝茶")
    follow.refresh_from_db()
    assert follow.remark == before

    assert deliver(call) == "ok"

    follow.refresh_from_db()
    assert (follow.remark, follow.description) == ("独一无二", "爱喝茶") == in_wecom(sandbox, follow)
    assert Customer.objects.search("独一无").get() == follow.customer
    assert Customer.objects.get(pk=follow.customer_id).updated_at > long_ago
    entry = follow.customer.timeline.get(kind="remark_changed")
    assert (entry.actor, entry.source, entry.staff) == ("wang", "console", follow.staff)
    assert entry.payload == {"remark": "独一无二", "description": "爱喝茶", "before": before}


def test_the_next_reading_of_wecom_tells_no_change_twice(follow: Follow) -> None:
    deliver(say(follow, "独一无二"))
    mirror_everything()
    assert follow.customer.timeline.filter(kind="remark_changed").count() == 1


def test_what_wecom_refuses_changes_nothing_and_says_why(follow: Follow, sandbox: Sandbox) -> None:
    before = follow.remark
    pair = {"userid": follow.staff.userid, "external_userid": follow.customer.external_userid}
    sandbox.act("staff_deletes_customer", **pair)

    assert deliver(say(follow, "独一无二")) == "dead"

    follow.refresh_from_db()
    assert follow.remark == before
    entry = follow.customer.timeline.get(kind="remark_failed")
    assert (entry.payload["code"], entry.payload["remark"]) == (84061, "独一无二")
    assert entry.payload["reason"]


def test_of_two_remarks_the_second_stays(follow: Follow, sandbox: Sandbox) -> None:
    first, second = say(follow, "一"), say(follow, "二")
    assert [deliver(first), deliver(second)] == ["ok", "ok"]
    follow.refresh_from_db()
    assert follow.remark == "二" == in_wecom(sandbox, follow)[0]
    assert follow.customer.timeline.filter(kind="remark_changed").count() == 2


@pytest.mark.parametrize(("remark", "description"), [("字" * 21, ""), ("", "字" * 151)])
def test_what_is_too_long_for_wecom_is_refused_at_once(follow: Follow, remark: str, description: str) -> None:
    with pytest.raises(ValidationError):
        say(follow, remark, description)
    assert not OutgoingCall.objects.exists()


def test_a_friendship_that_is_none_any_more_takes_no_remark(follow: Follow) -> None:
    follow.ended_by = "transfer"
    with pytest.raises(ValidationError):
        say(follow, "独一无二")
