"""Tags are changed in WeCom first; our rows follow what WeCom answered."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from contacts.models import Customer, Follow, Tag
from contacts.remark import change_remark
from contacts.signals import tags_changed
from contacts.wording import story
from tagging.marking import change_tags
from tenants import outbox
from tenants.models import ApiBreaker, OutgoingCall
from tests.sandbox_server import Sandbox

MARK_TAG = "externalcontact/mark_tag"


def mark(follow: Follow, **tags: list[Tag]) -> OutgoingCall:
    return change_tags(follow, **tags, by="wang", source="console")


def deliver(call: OutgoingCall) -> OutgoingCall:
    outbox.deliver_due(urgent=False)
    call.refresh_from_db()
    return call


def tags_here(follow: Follow) -> set[str]:
    return set(follow.tag_links.values_list("tag__wecom_id", flat=True))


def tags_in_wecom(sandbox: Sandbox, follow: Follow) -> set[str]:
    follows = sandbox.truth()["customers"][follow.customer.external_userid]["follows"]
    return set(next(one["tags"] for one in follows if one["userid"] == follow.staff.userid))


def test_nothing_changes_here_before_wecom_has_it(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    had = tags_here(follow)
    call = mark(follow, add=[new_tag])
    assert tags_here(follow) == had

    assert deliver(call).state == OutgoingCall.State.OK

    assert tags_here(follow) == had | {new_tag.wecom_id} == tags_in_wecom(sandbox, follow)
    assert len(sandbox.calls(MARK_TAG)) == 1


def test_the_timeline_says_who_put_on_what_and_others_hear_of_it(follow: Follow, new_tag: Tag) -> None:
    heard: list[Any] = []

    def listen(sender: object, follow_ids: list[int], source: str, **_: Any) -> None:
        heard.append((follow_ids, source))

    tags_changed.connect(listen)
    try:
        deliver(mark(follow, add=[new_tag]))
    finally:
        tags_changed.disconnect(listen)

    entry = follow.customer.timeline.get(kind="tags_changed")
    assert (entry.actor, entry.source, entry.staff) == ("wang", "console", follow.staff)
    assert entry.payload == {"added": [new_tag.name], "removed": []}
    assert heard == [([follow.pk], "console")]


def test_tags_are_taken_off_and_put_on_in_one_call(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    deliver(mark(follow, add=[new_tag]))
    other = Tag.objects.exclude(links__follow=follow).order_by("id")[0]

    deliver(mark(follow, add=[other], remove=[new_tag]))

    assert other.wecom_id in tags_here(follow) and new_tag.wecom_id not in tags_here(follow)
    assert tags_here(follow) == tags_in_wecom(sandbox, follow)


def test_who_follows_changes_sees_the_customer(follow: Follow, new_tag: Tag) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    Customer.objects.filter(pk=follow.customer_id).update(updated_at=long_ago)
    deliver(mark(follow, add=[new_tag]))
    follow.customer.refresh_from_db()
    assert follow.customer.updated_at > long_ago


def test_what_wecom_refuses_changes_nothing_and_says_why(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    had = tags_here(follow)
    pair = {"userid": follow.staff.userid, "external_userid": follow.customer.external_userid}
    sandbox.act("staff_deletes_customer", **pair)

    call = deliver(mark(follow, add=[new_tag]))

    assert (call.state, call.result_code, tags_here(follow)) == (OutgoingCall.State.DEAD, 84061, had)
    entry = follow.customer.timeline.get(kind="tags_failed")
    assert (entry.payload["code"], entry.payload["added"]) == (84061, [new_tag.name])
    assert entry.payload["reason"]


def test_a_tag_that_wecom_deleted_is_refused_with_40068(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    sandbox.act("tag_delete", tag_id=new_tag.wecom_id)
    assert deliver(mark(follow, add=[new_tag])).result_code == 40068
    told = story(follow.customer.timeline.get(kind="tags_failed"))
    assert new_tag.name in told and "标签在企业微信中已不存在" in told


def test_an_empty_list_of_tags_puts_none_away(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    """An app that may not read them is told the same."""
    other = Tag.objects.filter(deleted_at=None, group__strategy_id=None).exclude(pk=new_tag.pk).order_by("-pk")[0]
    sandbox.act("tag_delete", tag_id=new_tag.wecom_id)
    sandbox.fault("errcode", "externalcontact/get_corp_tag_list", errcode=0)

    assert deliver(mark(follow, add=[new_tag, other])).result_code == 40068

    assert not Tag.objects.filter(pk__in=[new_tag.pk, other.pk]).exclude(deleted_at=None).exists()


def test_tags_and_remarks_of_one_friendship_go_out_in_order(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    sandbox.fault("errcode", MARK_TAG, errcode=-1, times=1)
    first = mark(follow, add=[new_tag])
    second = change_remark(follow, remark="老客户", description="", by="wang", source="console")
    third = mark(follow, remove=[new_tag])
    outbox.deliver_due(urgent=False, limit=1)
    OutgoingCall.objects.filter(pk=first.pk).update(due_at=timezone.now() + timedelta(minutes=1))
    assert [deliver(call).state for call in (first, second, third)] == ["pending"] * 3

    OutgoingCall.objects.filter(pk=first.pk).update(due_at=timezone.now())
    ApiBreaker.objects.all().delete()

    assert [deliver(call).state for call in (first, second, third)] == ["ok"] * 3
    assert new_tag.wecom_id not in tags_here(follow) | tags_in_wecom(sandbox, follow)


def test_the_outcome_told_twice_is_one_entry(follow: Follow, new_tag: Tag) -> None:
    call = deliver(mark(follow, add=[new_tag]))
    outbox.OUTCOMES["mark_tag"](call)
    assert follow.customer.timeline.filter(kind="tags_changed").count() == 1


@pytest.mark.parametrize(
    "ended",
    [
        {"ended_by": "staff"},
        {"ended_by": "transfer"},
        {"ended_by": "vanished"},
        {"deleted_by_staff_at": timezone.now()},
    ],
)
def test_a_friendship_that_left_the_staff_members_list_cannot_be_tagged(
    follow: Follow, new_tag: Tag, ended: dict[str, Any]
) -> None:
    for name, value in ended.items():
        setattr(follow, name, value)
    with pytest.raises(ValidationError):
        mark(follow, add=[new_tag])
    assert not OutgoingCall.objects.exists()


def test_who_was_deleted_by_the_customer_can_still_be_tagged(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    pair = {"userid": follow.staff.userid, "external_userid": follow.customer.external_userid}
    sandbox.act("customer_deletes_staff", **pair)
    follow.ended_by = "customer"
    assert deliver(mark(follow, add=[new_tag])).state == OutgoingCall.State.OK


def test_a_change_that_makes_no_sense_is_refused(follow: Follow, new_tag: Tag) -> None:
    for wrong in ({}, {"add": [new_tag], "remove": [new_tag]}):
        with pytest.raises(ValidationError):
            mark(follow, **wrong)


def test_tags_of_the_same_name_in_two_groups_are_two_tags(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    twin = Tag.objects.exclude(pk=new_tag.pk).order_by("-id")[0]
    twin.name = new_tag.name
    assert deliver(mark(follow, add=[new_tag], remove=[twin])).state == OutgoingCall.State.OK
