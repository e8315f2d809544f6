"""F19: shuffled, repeated and late, events end in the state of those that came in order."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from contacts.events import apply_customers
from contacts.models import Customer, Follow, TimelineEntry
from tenants.events import Reading
from tenants.models import Tenant
from wecom.events import Event
from wecom.objects import CustomerDetail, ExternalContact, FollowInfo

START = datetime(2026, 1, 5, tzinfo=UTC)
STAFF = ("chen", "wang")
EVENTS = 20


@dataclass
class Person:
    """A customer as WeCom would have him, and the events of his life."""

    name: str
    friends: dict[str, FollowInfo] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)  # members whom the customer deleted
    half: set[str] = field(default_factory=set)

    def detail(self) -> CustomerDetail | None:
        listed = [follow for userid, follow in self.friends.items() if userid not in self.half]
        return CustomerDetail(ExternalContact(self.name, f"客户{self.name}", 1), list(listed)) if listed else None

    def live(self, chance: random.Random, at: datetime) -> Event:
        """One thing that can happen to him now, with its event."""
        userid = chance.choice(STAFF)
        is_friend = userid in self.friends
        if userid in self.half:
            change = chance.choice(["add_external_contact", "del_external_contact"])
        elif not is_friend:
            change = chance.choice(["add_external_contact", "add_external_contact", "add_half_external_contact"])
        elif userid in self.left:
            change = chance.choice(["add_external_contact", "del_external_contact", "edit_external_contact"])
        else:
            change = chance.choice(["edit_external_contact", "del_external_contact", "del_follow_user"])
        fields = {"UserID": userid, "ExternalUserID": self.name}
        if change.startswith("add"):
            self.friends[userid] = FollowInfo(userid, "", "", at, 1, "", "", [], [], [], "")
            self.left.discard(userid)
            self.half.discard(userid)
            if "half" in change:
                self.half.add(userid)
        elif change == "edit_external_contact":
            self.friends[userid].remark = f"备注{int(at.timestamp())}"
        elif change == "del_follow_user":
            self.left.add(userid)
        else:
            del self.friends[userid]
            self.left.discard(userid)
            self.half.discard(userid)
            if chance.random() < 0.3:
                fields["Source"] = "DELETE_BY_TRANSFER"
        return Event("change_external_contact", change, "wwacme", None, None, at, fields)


def copy_of(detail: CustomerDetail | None) -> CustomerDetail | None:
    if detail is None:
        return None
    follows = [FollowInfo(*(getattr(one, name) for name in FollowInfo.__slots__)) for one in detail.follows]
    return CustomerDetail(detail.contact, follows)


def lives(chance: random.Random, customers: int):
    """Per round one event of each customer with what WeCom showed right after it; and the people at the end."""
    people = [Person(f"wm{number:04}") for number in range(customers)]
    rounds = []
    for number in range(EVENTS):
        at = START + timedelta(hours=number)
        events = [person.live(chance, at + timedelta(seconds=chance.randrange(3000))) for person in people]
        rounds.append((events, {f"c:{person.name}": copy_of(person.detail()) for person in people}))
    return people, rounds


def states() -> set[tuple[object, ...]]:
    """All of a friendship; its remark while WeCom still lists it, as no late reading can know the words of before."""
    return {
        (
            *(follow.customer.external_userid, follow.staff.userid, follow.customer.active_follows),
            *(follow.half, follow.opened_at, follow.deleted_by_staff_at, follow.deleted_by_customer_at),
            *(follow.ended_at, follow.ended_by, follow.last_event_at, follow.customer.lost_at),
            follow.remark if not (follow.half or follow.deleted_by_staff_at or follow.ended_by == "transfer") else None,
        )
        for follow in Follow.objects.select_related("customer", "staff")
    }


def entries() -> set[tuple[object, ...]]:
    told = TimelineEntry.objects.exclude(kind="remark_changed")
    return set(told.values_list("customer__external_userid", "staff__userid_key", "kind", "at"))


def compare(acme: Tenant, globex: Tenant, seed: int, customers: int) -> None:
    chance = random.Random(seed)
    people, rounds = lives(chance, customers)
    with acme:
        for events, found in rounds:
            apply_customers(events, Reading(found=dict(found)))
    everything = [event for events, _ in rounds for event in events]
    everything += chance.sample(everything, len(everything) // 3)
    chance.shuffle(everything)
    final = {f"c:{person.name}": person.detail() for person in people}
    with globex:
        while everything:
            size = chance.randrange(1, 200)
            batch, everything = everything[:size], everything[size:]
            apply_customers(batch, Reading(found=dict(final)))
        shuffled = states(), entries(), Customer.objects.count()
    with acme:
        in_order = states(), entries(), Customer.objects.count()
    assert in_order[0] ^ shuffled[0] == set()
    assert in_order[1] ^ shuffled[1] == set()
    assert in_order[2] == shuffled[2] == customers


SIZES = [
    *(pytest.param(seed, 40, id=f"short-{seed}") for seed in range(4)),
    *(pytest.param(seed, 1000, id=f"full-{seed}", marks=pytest.mark.faults) for seed in range(100)),
]


@pytest.mark.parametrize(("seed", "customers"), SIZES)
def test_shuffled_and_repeated_events_end_as_those_in_order(acme, globex, seed, customers):
    compare(acme, globex, seed, customers)
