"""Tags of rule groups (规则组): we may not list them, so customers who carry them give their names."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from contacts.models import Follow, Tag
from tagging.marking import change_tags
from tenants import jobs
from tenants.models import Job, OutgoingCall
from tests.people import client_as


@pytest.fixture
def tagged(events):
    """A friendship that carries 「意向强」 of a rule group, and its tag's id."""
    userid, customer = events.sandbox.friendships()[0]
    [tag] = events.sandbox.act("tag_group_create", name="销售阶段", tags=["意向强"], strategy_id=3)["tags"]
    events.sandbox.act("staff_edits", userid=userid, external_userid=customer, add_tags=[tag])
    return userid, customer, tag


def run(kind: str) -> Job:
    return jobs.run_to_end(jobs.start(kind))


def the_tag(tag: str) -> tuple[str, str]:
    found = Tag.objects.select_related("group").get(wecom_id=tag)
    return found.name, found.group.title


def test_an_event_of_the_customer_names_the_tag(events, tagged):
    events.handle_new()
    assert the_tag(tagged[2]) == ("意向强", "规则组标签")


@pytest.mark.parametrize("kind", ["sync", "reconcile"])
def test_a_sync_reads_one_customer_for_the_name(events, tagged, kind):
    run("sync")
    if kind == "reconcile":
        Tag.objects.filter(wecom_id=tagged[2]).update(name="")
    before = len(events.sandbox.calls("externalcontact/get"))
    job = run(kind) if kind == "reconcile" else Job.objects.get()
    assert job.counts["tags_named"] == 1
    assert the_tag(tagged[2]) == ("意向强", "规则组标签")
    assert len(events.sandbox.calls("externalcontact/get")) - before == (kind == "reconcile")
    assert run("reconcile").counts["tags_named"] == 0


def test_a_listing_of_corp_tags_does_not_take_it_for_deleted(events, tagged):
    events.handle_new()
    run("sync")
    assert Tag.objects.get(wecom_id=tagged[2]).deleted_at is None


def test_it_is_shown_and_left_to_wecoms_admin(events, tagged, in_acme):
    run("sync")
    follow = Follow.objects.get(staff__userid=tagged[0], customer__external_userid=tagged[1])
    tag = Tag.objects.get(wecom_id=tagged[2])
    with pytest.raises(ValidationError, match="规则组标签只能在企业微信中修改"):
        change_tags(follow, remove=[tag], by="wang", source="console")
    client = client_as(in_acme)
    tags = client.get(reverse("tagging:tags")).content.decode()
    assert "规则组标签" in tags
    assert "意向强" in tags
    page = client.get(reverse("contacts:customer", args=[follow.customer_id])).content.decode()
    assert "意向强" in page
    assert reverse("tagging:drop", args=[follow.pk, tag.pk]) not in page
    assert "意向强" not in client.get(reverse("tagging:edit", args=[follow.pk])).content.decode()


def test_changing_the_others_leaves_it_on(events, tagged, in_acme):
    run("sync")
    with in_acme:
        follow = Follow.objects.get(staff__userid=tagged[0], customer__external_userid=tagged[1])
        other = Tag.objects.exclude(group__wecom_id="").exclude(links__follow=follow).first()
        change_tags(follow, add=[other], by="wang", source="console")
        assert OutgoingCall.objects.get().api == "externalcontact/mark_tag"
