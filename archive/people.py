"""Who takes part in a message, and which conversation it belongs to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from archive import kinds
from archive.models import Conversation

CUSTOMER, COLLEAGUE = Conversation.Kind.CUSTOMER, Conversation.Kind.COLLEAGUE
OUTSIDE = ("wm", "wo")  # ids of customers; robots are "wb" (wecom-api.md 7.4)


@dataclass(slots=True)
class People:
    """Those of one batch whom we know, by the ids that WeCom wrote."""

    staff: dict[str, int] = field(default_factory=dict)
    customers: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def is_outside(self, person: str) -> bool:
        return person.startswith(OUTSIDE) and person.lower() not in self.staff

    def staff_in(self, ids: Iterable[str]) -> set[int]:
        return {found for one in ids if (found := self.staff.get(one.lower()))}


_KNOWN = """
SELECT 's', s.userid_key, s.id, '' FROM members_staff s WHERE s.userid_key = ANY(%(staff)s)
UNION ALL SELECT 'c', c.external_userid, c.id, c.name FROM contacts_customer c
WHERE c.external_userid = ANY(%(customers)s)
UNION ALL SELECT 'g', g.chat_id, g.id, g.name FROM contacts_groupchat g WHERE g.chat_id = ANY(%(chats)s)
"""


def known(ids: Iterable[str], chat_ids: Iterable[str]) -> People:
    """One statement: by the ORM the ids of a chunk cost more than reading their messages."""
    wanted, found = set(ids), People()
    values = {
        "staff": list({one.lower() for one in wanted}),
        "customers": [one for one in wanted if one.startswith(OUTSIDE)],
        "chats": [one for one in set(chat_ids) if one],
    }
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, values)
        for of, key, pk, name in cursor.fetchall():
            if of == "s":
                found.staff[key] = pk
            else:
                found.names[key] = name
                if of == "c":
                    found.customers[key] = pk
    return found


@dataclass(slots=True)
class Place:
    """Where a message belongs."""

    key: str
    kind: str
    people: list[str]
    chat_id: str = ""
    customer: str = ""


def people_of(payload: Mapping[str, Any]) -> list[str]:
    """The sender first."""
    sender = kinds.word(payload.get("from")) or kinds.word(payload.get("user"))
    return [one[:64] for one in (sender, *kinds.texts(payload.get("tolist"))) if one]


def place_of(payload: Mapping[str, Any], ids: list[str], people: People) -> Place:
    """`ids`: those of the payload, as `people_of` reads them."""
    room = kinds.word(payload.get("roomid"))[:64]
    if room:
        return Place(f"g:{room}", Conversation.Kind.GROUP, ids, room)
    one, other = pair = ids[:2] if len(ids) > 1 else [*ids, "", ""][:2]
    first, second = people.is_outside(one), people.is_outside(other)
    customer = one if first else other if second else ""
    one, other = one if first else one.lower(), other if second else other.lower()
    key = f"p:{one}|{other}" if one <= other else f"p:{other}|{one}"
    return Place(key, CUSTOMER if customer else COLLEAGUE, pair, "", customer)
