"""Search over all messages: two characters are enough, by bigrams in an index; a comparison makes it exact.

A common word stands in the newest messages, so those are looked through first, newest to oldest; a rare one is in few
rows of the index, which are sorted then. Either way the cost does not grow with the archive (see benchmarks/search).
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.utils.timezone import make_aware

from archive.models import ArchivedMessage

SHORTEST = 2
PAGE = 30
PROBED = 15_000  # newest messages that are looked through before the index is asked


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; `staff_ids` is the range of who asks, None for everything."""

    text: str = ""
    staff_ids: list[int] | None = None
    staff: int | None = None
    conversation: int | None = None
    sender: str = ""  # "staff" or "customer"
    kind: str = ""
    state: str = ""  # "sent" or "revoked"
    start: date | None = None
    end: date | None = None
    before: int = 0  # an id: the page after it
    limit: int = PAGE


@dataclass(slots=True)
class Where:
    parts: list[str] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)

    def add(self, sql: str, *params: Any) -> None:
        self.parts.append(sql)
        self.params += params

    def __str__(self) -> str:
        return " AND ".join(self.parts) or "true"


def find(wanted: Wanted) -> list[ArchivedMessage]:
    """One page, newest first, with one row more where there is another page."""
    ids = _ids(wanted)
    rows = ArchivedMessage.objects.select_related("conversation").in_bulk(ids)
    return [rows[pk] for pk in ids]


def _ids(wanted: Wanted) -> list[int]:
    limit = wanted.limit + 1
    where = _filters(wanted)
    if not wanted.text:
        return _asked(f"SELECT m.id {_FROM} WHERE {where} ORDER BY m.id DESC LIMIT %s", [*where.params, limit])
    exact = Where([*where.parts], [*where.params])
    exact.add("m.text ILIKE %s", f"%{_escaped(wanted.text)}%")
    if wanted.conversation is None:
        lowest = _lowest_probed(wanted.before)
        exact_here = f"SELECT m.id {_FROM} WHERE {exact} AND m.id >= %s ORDER BY m.id DESC LIMIT %s"
        found = _asked(exact_here, [*exact.params, lowest, limit])
        if len(found) == limit or lowest == 0:
            return found
    if not _has_bigrams(wanted.text) or wanted.conversation is not None:
        return _asked(f"SELECT m.id {_FROM} WHERE {exact} ORDER BY m.id DESC LIMIT %s", [*exact.params, limit])
    statement = (
        "WITH hits AS MATERIALIZED (SELECT id FROM archive_archivedmessage"  # noqa: S608
        " WHERE public.zh_bigrams(text) @@ public.zh_query(%s))"
        f" SELECT m.id FROM hits JOIN archive_archivedmessage m USING (id) {_JOIN} WHERE {exact}"
        " ORDER BY m.id DESC LIMIT %s"
    )
    return _asked(statement, [wanted.text, *exact.params, limit])


_JOIN = "JOIN archive_conversation c ON c.id = m.conversation_id"
_FROM = f"FROM archive_archivedmessage m {_JOIN}"


def _filters(wanted: Wanted) -> Where:
    where = Where()
    if wanted.before:
        where.add("m.id < %s", wanted.before)
    if wanted.conversation is not None:
        where.add("m.conversation_id = %s", wanted.conversation)
    if wanted.staff_ids is not None:
        where.add("c.staff_ids && %s::bigint[]", wanted.staff_ids)
    if wanted.staff is not None:
        where.add("c.staff_ids @> %s::bigint[]", [wanted.staff])
    if wanted.sender:
        where.add("m.from_customer = %s", wanted.sender == "customer")
    if wanted.kind:
        where.add("m.kind = %s", wanted.kind)
    if wanted.state:
        where.add(f"m.revoked_at IS {'NOT ' if wanted.state == 'revoked' else ''}NULL")
    if wanted.start:
        where.add("m.at >= %s", _midnight(wanted.start))
    if wanted.end:
        where.add("m.at < %s", _midnight(wanted.end + timedelta(days=1)))
    return where


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min))


def _lowest_probed(before: int) -> int:
    """The id from which on messages are looked through; 0 when that is all there are."""
    found = _asked(
        "SELECT id FROM archive_archivedmessage WHERE id < %s ORDER BY id DESC OFFSET %s LIMIT 1",
        [before or 2**62, PROBED],
    )
    return found[0] if found else 0


def _has_bigrams(text: str) -> bool:
    """Punctuation alone has none in the index."""
    return any(unicodedata.category(char)[0] in "LNM" or unicodedata.category(char) == "So" for char in text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _asked(statement: str, params: list[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [row[0] for row in cursor.fetchall()]
