"""Customers that nobody knew: all of their friendships are in the set, so what is summed up of them is known here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone

from contacts.bulk.customers import recognise
from contacts.bulk.facts import COLUMNS as FACTS
from contacts.bulk.told import Contact
from tenants.staging import copy

CUSTOMER = (
    *("id", "external_userid", "name", "kind", "gender", "avatar", "unionid", "position", "corp_name"),
    *("search_text", "active_follows", "first_added_at", "last_added_at", "lost_at", "raw_hash", "synced_at"),
)
_NOBODY = ("", 1, 0, "", "", "", "")  # name, kind, gender, avatar, unionid, position, company


class Friend(NamedTuple):
    """A friendship of a new customer, as it was just written."""

    id: int
    staff_id: int
    added_at: datetime | None
    ended_at: datetime | None
    remarks: tuple[str, str]
    add_way: int | None
    state: str
    tag_ids: Iterable[int]


def copy_customers(
    cursor: Any, ids: Mapping[str, int], contacts: Mapping[str, Contact], friends: Mapping[int, Sequence[Friend]]
) -> None:
    """Their rows and facts, equal to what `write_customers` would make of them. `ids`: by external_userid."""
    now = timezone.now()
    sums = {pk: _Sums(friends.get(pk, ())) for pk in ids.values()}
    copy(cursor, "contacts_customer", CUSTOMER, [_customer(*one, contacts, sums, now) for one in ids.items()])
    copy(cursor, "contacts_customerfacts", ("customer_id", *FACTS), [(pk, *one.facts()) for pk, one in sums.items()])
    recognise(cursor, ids)


def _customer(
    external_userid: str, pk: int, contacts: Mapping[str, Contact], sums: Mapping[int, "_Sums"], now: datetime
) -> tuple[object, ...]:
    contact, mine = contacts.get(external_userid), sums[pk]
    of_wecom = contact[1:8] if contact else _NOBODY
    name, corp_name = (contact.name, contact.corp_name) if contact else ("", "")
    words = "\n".join(word for word in (name, corp_name, *mine.words()) if word)
    first, last = (min(mine.added), max(mine.added)) if mine.added else (None, None)
    dates = (len(mine.living), first, last, mine.lost_at)
    return (pk, external_userid, *of_wecom, words, *dates, contact.raw_hash if contact else b"", now)


class _Sums:
    """What a customer's row and facts say of the friendships."""

    def __init__(self, friends: Sequence[Friend]) -> None:
        self.friends = friends
        self.living = [one for one in friends if one.ended_at is None]
        self.added = [one.added_at for one in friends if one.added_at]
        self.lost_at = None if self.living else max((one.ended_at for one in friends if one.ended_at), default=None)

    def words(self) -> Iterator[str]:
        for one in sorted(self.friends):
            yield from one.remarks

    def facts(self) -> tuple[object, ...]:
        """In the order of the columns of `CustomerFacts`."""
        staff_ids = sorted([one.staff_id for one in self.living])
        known_by = sorted([one.staff_id for one in self.friends])
        tag_ids = sorted({tag_id for one in self.living for tag_id in one.tag_ids})
        states = sorted({one.state for one in self.friends if one.state})
        add_ways = sorted({one.add_way for one in self.friends if one.add_way is not None})
        sets = (staff_ids, known_by, tag_ids, states, add_ways)
        return (max(self.added, default=None), self.lost_at, None, *sets, "{}")
