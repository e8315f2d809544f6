"""Who takes part in a message, and which conversation it belongs to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archive import kinds
from archive.models import Conversation
from contacts.models import Customer, GroupChat
from members.models import Staff

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
        return {self.staff[one.lower()] for one in ids if one.lower() in self.staff}


def known(ids: Iterable[str], chat_ids: Iterable[str]) -> People:
    wanted = set(ids)
    staff = Staff.objects.filter(userid_key__in={one.lower() for one in wanted})
    customers = Customer.objects.filter(external_userid__in={one for one in wanted if one.startswith(OUTSIDE)})
    chats = GroupChat.objects.filter(chat_id__in=set(chat_ids))
    return People(
        dict(staff.values_list("userid_key", "pk")),
        dict(customers.values_list("external_userid", "pk")),
        {
            **dict(customers.values_list("external_userid", "name")),
            **dict(chats.values_list("chat_id", "name")),
        },
    )


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


def place_of(payload: Mapping[str, Any], people: People) -> Place:
    ids, room = people_of(payload), kinds.word(payload.get("roomid"))[:64]
    if room:
        return Place(f"g:{room}", Conversation.Kind.GROUP, ids, room)
    pair = [*ids, "", ""][:2]
    outside = next((one for one in pair if people.is_outside(one)), "")
    one, other = sorted(one if people.is_outside(one) else one.lower() for one in pair)
    kind = Conversation.Kind.CUSTOMER if outside else Conversation.Kind.COLLEAGUE
    return Place(f"p:{one}|{other}", kind, pair, "", outside)
