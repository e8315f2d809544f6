"""Conversations grow with their messages: counts, the last words, who is in them, and who waits for an answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from archive import overdue
from archive.arrivals import Arrival
from archive.models import Conversation
from archive.people import People, Place
from tenants.staging import stage

ENDINGS = frozenset(  # a customer who says this waits for nothing
    """谢谢 感谢 多谢 谢谢你 谢谢您 好 好的 好哒 好滴 好嘞 嗯 嗯嗯 哦 哦哦 行 可以 收到 明白 知道了 了解 ok 再见 拜拜
    晚安 [抱拳] [ok] [玫瑰] [微笑]""".split()  # noqa: SIM905  a list of forty strings is no easier to read
)
_COLUMNS = {
    "id": "bigint",
    "messages": "integer",
    "last_at": "timestamptz",
    "last_text": "text",
    "waiting_since": "timestamptz",
    "staff_ids": "bigint[]",
    "customer_id": "bigint",
    "title": "text",
}
_NEW = {"key": "text", "kind": "text", "chat_id": "text"}
_MAKE = """
INSERT INTO archive_conversation (key, kind, chat_id, staff_ids, title, messages, last_text)
SELECT key, kind, chat_id, '{}', '', 0, '' FROM pg_temp.stage_talks ON CONFLICT (key) DO NOTHING
"""
_READ = """
SELECT key, id, kind, staff_ids, last_at, last_text, waiting_since, customer_id
FROM archive_conversation WHERE key = ANY(%s)
"""
_GROW = """
UPDATE archive_conversation c SET messages = c.messages + s.messages, last_at = s.last_at, last_text = s.last_text,
    waiting_since = s.waiting_since, staff_ids = s.staff_ids, customer_id = COALESCE(s.customer_id, c.customer_id),
    title = COALESCE(NULLIF(s.title, ''), c.title)
FROM pg_temp.stage_conversations s WHERE s.id = c.id
"""


@dataclass(slots=True)
class Row:
    """A conversation as it stands, and as the chunk makes it."""

    pk: int
    kind: str
    staff_ids: set[int]
    last_at: datetime | None
    last_text: str
    waiting_since: datetime | None
    customer_id: int | None
    new: int = 0
    waited: datetime | None = None  # before the chunk

    def take(self, one: Arrival) -> None:
        """In the order they were said. What comes late, such as a backlog whose key was missing, is history: it
        neither asks for an answer nor gives one."""
        self.new += 1
        if self.last_at is not None and one.at < self.last_at:
            return
        if not one.is_system or self.last_at is None:
            self.last_at, self.last_text = one.at, one.text[:100].replace("\n", " ")
        if self.kind != Conversation.Kind.CUSTOMER or one.is_system:
            return
        if not one.from_customer:
            self.waiting_since = None
        elif self.waiting_since is None and not is_ending(one):
            self.waiting_since = one.at


def is_ending(one: Arrival) -> bool:
    if one.reading.kind == "emotion":
        return True
    return one.reading.kind == "text" and one.text.strip("~～。！!,， \n").lower() in ENDINGS


def ensure(cursor: Any, places: Iterable[Place]) -> dict[str, Row]:
    """The conversation of each key, made where it is new. The caller is the only writer."""
    wanted = {place.key: place for place in places}
    cursor.execute(_READ, [list(wanted)])
    found = cursor.fetchall()
    there = {row[0] for row in found}
    fresh = [(key, str(place.kind), place.chat_id) for key, place in wanted.items() if key not in there]
    if fresh:
        stage(cursor, "stage_talks", _NEW, fresh)
        cursor.execute(_MAKE)
        cursor.execute(_READ, [[key for key, _kind, _chat in fresh]])
        found += cursor.fetchall()
    return {
        key: Row(pk, kind, set(staff), last_at, last_text, waiting, customer, waited=waiting)
        for key, pk, kind, staff, last_at, last_text, waiting, customer in found
    }


def grow(cursor: Any, new: Sequence[Arrival], rows: Mapping[str, Row], people: People) -> None:
    touched: dict[str, Row] = {}
    places: dict[str, Place] = {}
    for one in sorted(new, key=lambda one: (one.at, one.envelope.seq)):
        row = touched[one.place.key] = rows[one.place.key]
        row.take(one)
        if one.place.chat_id or one.place.key not in places:  # two people stay the same two
            row.staff_ids |= people.staff_in(one.place.people)
        places[one.place.key] = one.place
    for key, place in places.items():
        touched[key].customer_id = people.customers.get(place.customer, touched[key].customer_id)
    staged = [
        (
            row.pk,
            row.new,
            row.last_at,
            row.last_text,
            row.waiting_since,
            sorted(row.staff_ids),
            row.customer_id,
            people.names.get(places[key].chat_id or places[key].customer, "")[:128],
        )
        for key, row in touched.items()
    ]
    stage(cursor, "stage_conversations", _COLUMNS, staged)
    cursor.execute(_GROW)
    overdue.follow({row.pk: (row.waited, row.waiting_since) for row in touched.values()})
