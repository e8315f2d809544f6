"""A watched segment: who comes in and who goes out is recorded, and those who came in are told of once."""

import pytest
from django.db import connection

from contacts import bulk
from contacts.models import Customer, FollowTag
from tagging import segments
from tagging.models import Segment, SegmentMember
from tagging.signals import segment_entered
from tests.pages_of_apps.company import Company


@pytest.fixture
def company(in_acme) -> Company:
    company = Company(in_acme).found()
    company.add("韩梅梅", "wang", tags=["重要客户"])
    company.add("李雷", "li")
    return company


@pytest.fixture
def told():
    heard = []

    def hear(sender, segment_id, customer_ids, **_signal):
        heard.append((segment_id, list(Customer.objects.filter(pk__in=customer_ids).values_list("name", flat=True))))

    segment_entered.connect(hear)
    yield heard
    segment_entered.disconnect(hear)


@pytest.fixture
def watched(company) -> Segment:
    tree = {"match": "all", "of": [{"is": "tags", "op": "any", "value": [company.tags["重要客户"].pk]}]}
    segment = segments.save(Segment(), name="重要客户", tree=tree, by="wang")
    segments.watch(segment)
    return segment


def tag(company, name):
    FollowTag.objects.create(follow=company.follow(name, "li"), tag=company.tags["重要客户"])
    bulk.refresh_customers([company.customers[name].pk])


def untag(company, name):
    FollowTag.objects.filter(follow__customer=company.customers[name]).delete()
    bulk.refresh_customers([company.customers[name].pk])


def stays(segment):
    rows = SegmentMember.objects.filter(segment=segment).order_by("id")
    return [(row.customer.name, row.left_at is not None) for row in rows.select_related("customer")]


def test_who_is_in_when_watching_begins_did_not_enter_now(watched, told):
    assert segments.evaluate(watched) == segments.Moved(0, 0)
    assert stays(watched) == [("韩梅梅", False)]
    assert told == []


def test_who_comes_in_is_told_of_once(company, watched, told):
    tag(company, "李雷")
    assert segments.evaluate(watched) == segments.Moved(1, 0)
    assert segments.evaluate(watched) == segments.Moved(0, 0)
    assert told == [(watched.pk, ["李雷"])]
    assert stays(watched) == [("韩梅梅", False), ("李雷", False)]


def test_who_left_and_comes_back_enters_again(company, watched, told):
    tag(company, "李雷")
    segments.evaluate(watched)
    untag(company, "李雷")
    assert segments.evaluate(watched) == segments.Moved(0, 1)
    tag(company, "李雷")
    segments.evaluate(watched)
    assert stays(watched) == [("韩梅梅", False), ("李雷", True), ("李雷", False)]
    assert told == [(watched.pk, ["李雷"])] * 2


def test_the_clock_looks_at_every_company_and_only_at_watched_segments(company, watched, told):
    other = segments.save(Segment(), name="全部", tree={"match": "all", "of": [{"is": "lost", "op": "no"}]}, by="wang")
    tag(company, "李雷")
    connection.set_schema_to_public()
    segments.evaluate_watched()
    connection.set_tenant(company.tenant)
    assert told == [(watched.pk, ["李雷"])]
    assert stays(other) == []


def test_one_that_fails_does_not_hold_up_the_others(company, watched, told):
    def fail(segment_id, **_signal):
        if segment_id == first.pk:
            raise RuntimeError("the plan is broken")

    first = segments.save(Segment(), name="先看这个", tree=watched.tree, by="wang")
    segments.watch(first)
    Segment.objects.filter(pk=watched.pk).update(name="再看这个")
    tag(company, "李雷")
    segment_entered.connect(fail)
    connection.set_schema_to_public()
    try:
        segments.evaluate_watched()
    finally:
        segment_entered.disconnect(fail)
        connection.set_tenant(company.tenant)
    assert (watched.pk, ["李雷"]) in told
    assert ("李雷", False) in stays(watched) and ("李雷", False) not in stays(first)


def test_what_a_listener_does_fails_or_stands_with_the_record(company, watched):
    def fail(**_signal):
        raise RuntimeError("the plan is broken")

    segment_entered.connect(fail)
    try:
        tag(company, "李雷")
        with pytest.raises(RuntimeError):
            segments.evaluate(watched)
    finally:
        segment_entered.disconnect(fail)
    assert stays(watched) == [("韩梅梅", False)]
    assert segments.evaluate(watched).entered == 1


def test_put_away_nothing_is_recorded_any_more(company, watched, told):
    segments.archive(watched)
    tag(company, "李雷")
    connection.set_schema_to_public()
    segments.evaluate_watched()
    connection.set_tenant(company.tenant)
    assert stays(watched) == [("韩梅梅", True)]
    assert told == []


def test_the_sizes_in_lists_are_counted_by_the_hour(company, watched):
    connection.set_schema_to_public()
    segments.recount_all()
    connection.set_tenant(company.tenant)
    watched.refresh_from_db()
    assert watched.count == 1 and watched.counted_at is not None
