"""The customer list asks the facts, the API and exports ask the truth: both must find the same people."""

import itertools
import random
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Operator
from contacts import bulk
from contacts.models import Customer, CustomerFacts, Follow, FollowTag, Stage, Tag, TagGroup
from contacts.queries import NO_STAGE
from members.models import Staff

NOW = timezone.now()


@pytest.fixture
def crowd(in_acme):
    """Sixty customers of four staff with three tags, made by chance; the first staff member signs in."""
    chance = random.Random(7)
    operator = Operator.objects.create(username="first", name="第一", scope=Operator.Scope.SELF)
    staff = [Staff.objects.create(userid=f"s{n}", userid_key=f"s{n}", name=f"s{n}") for n in range(4)]
    Staff.objects.filter(pk=staff[0].pk).update(operator=operator)
    group = TagGroup.objects.create(wecom_id="g", name="g")
    tags = [Tag.objects.create(wecom_id=f"t{n}", name=f"t{n}", group=group) for n in range(3)]
    stage = Stage.objects.create(name="意向")
    for number in range(60):
        customer = Customer.objects.create(
            external_userid=f"wm{number}",
            name=f"顾客{number % 7}",
            kind=1 + number % 2,
            stage=stage if number % 3 == 0 else None,
        )
        for friend in chance.sample(staff, chance.randrange(1, 3)):
            ended = NOW - timedelta(days=chance.randrange(5)) if chance.random() < 0.4 else None
            follow = Follow.objects.create(
                customer=customer,
                staff=friend,
                added_at=NOW - timedelta(days=chance.randrange(20)),
                add_way=chance.choice([1, 4, None]),
                ended_at=ended,
                deleted_by_customer_at=ended if chance.random() < 0.5 else None,
                deleted_by_staff_at=ended,
            )
            carried = chance.sample(tags, chance.randrange(3))
            FollowTag.objects.bulk_create(FollowTag(follow=follow, tag=tag) for tag in carried)
    bulk.refresh_customers(Customer.objects.values_list("pk", flat=True))
    return staff, tags, stage, operator


def test_the_facts_and_the_truth_find_the_same_customers(crowd):
    staff, tags, stage, operator = crowd
    day = NOW - timedelta(days=8)
    wishes = {
        "q": ["顾客3"],
        "staff": [staff[0], staff[1].pk],
        "state": ["friends", "lost", "deleted_by_customer", "deleted_by_staff"],
        "tags": [[tags[0]], tags[:2]],
        "tags_all": [tags[1:]],
        "tags_none": [[tags[2].pk]],
        "added_from": [day, day.date()],
        "added_to": [day],
        "lost_from": [NOW - timedelta(days=3)],
        "add_way": [4],
        "kind": [2],
        "stage": [stage.pk, NO_STAGE],
    }
    found = 0
    for names in itertools.chain.from_iterable(itertools.combinations(wishes, count) for count in (0, 1, 2, 3)):
        for values in itertools.product(*(wishes[name][: 4 if len(names) < 3 else 1] for name in names)):
            wish = dict(zip(names, values, strict=True))
            for user in (None, operator):
                rows, facts = Customer.objects.all(), CustomerFacts.objects.all()
                if user:
                    rows, facts = rows.visible_to(user), facts.visible_to(user)
                truth = set(rows.matching(**wish).values_list("pk", flat=True))
                assert set(facts.known().matching(**wish).values_list("pk", flat=True)) == truth, (wish, user)
                found += bool(truth)
    assert found > 300
