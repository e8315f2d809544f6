"""What `CustomerFacts` must say of every customer, worked out row by row from the truth."""

from typing import Any

from contacts.models import Customer, CustomerFacts, Follow, FollowTag


def facts_as_they_are() -> dict[int, tuple[Any, ...]]:
    return {
        row.customer_id: (
            row.added_at,
            row.lost_at,
            row.stage_id,
            row.staff_ids,
            row.known_by,
            row.tag_ids,
            row.states,
            row.add_ways,
            row.fields,
        )
        for row in CustomerFacts.objects.all()
    }


def facts_as_they_should_be() -> dict[int, tuple[Any, ...]]:
    follows_of: dict[int, list[Follow]] = {}
    for follow in Follow.objects.all():
        follows_of.setdefault(follow.customer_id, []).append(follow)
    tags_of: dict[int, set[int]] = {}
    for customer_id, tag in FollowTag.objects.filter(follow__ended_at=None).values_list(
        "follow__customer_id", "tag_id"
    ):
        tags_of.setdefault(customer_id, set()).add(tag)
    truth = {}
    for customer in Customer.objects.all():
        follows = follows_of.get(customer.pk, [])
        living = [follow for follow in follows if follow.ended_at is None]
        ended = max((follow.ended_at for follow in follows if follow.ended_at), default=None)
        truth[customer.pk] = (
            max((follow.added_at for follow in follows), default=None),
            None if living else ended,
            customer.stage_id,
            sorted(follow.staff_id for follow in living),
            sorted(follow.staff_id for follow in follows),
            sorted(tags_of.get(customer.pk, ())),
            sorted({follow.state for follow in follows} - {""}),
            sorted({follow.add_way for follow in follows} - {None}),
            customer.fields,
        )
    return truth


def assert_facts_are_true() -> None:
    facts, truth = facts_as_they_are(), facts_as_they_should_be()
    assert facts == truth, {
        pk: (facts.get(pk), truth.get(pk)) for pk in facts | truth if facts.get(pk) != truth.get(pk)
    }
