"""Search over all messages: two characters are enough, by bigrams in an index; a comparison makes it exact.

A common word stands in the newest messages, so those are looked through first, newest to oldest; a rare one is in few
rows of the index, which are read and sorted. In between, as in a range of staff, the rows that hold the word among the
newer messages fill the page. Talks with few messages are not looked for in everybody's: the index of the talks is laid
over that of the words. So the cost hardly grows with the archive (see benchmarks/search).
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
FEW = 500  # rows that hold a word: so many are read, whoever said them and whenever
NEAR = 100_000  # newest messages of which the rows with the word are read before those of all
SMALL = 50_000  # messages of talks in which the word is looked for and nowhere else
TALKS = 5_000  # at most, as they are listed one by one


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
    if not wanted.text or wanted.conversation is not None:
        return _newest(where, limit)
    indexed = _has_bigrams(wanted.text)
    talks = _few_talks(wanted) if indexed else None
    if talks is not None:
        return _holding(wanted.text, where, limit, Where(["conversation_id = ANY(%s::bigint[])"], [talks]))[1]
    lowest = _lowest(wanted.before, PROBED)
    found = _newest(Where([*where.parts, "m.id >= %s"], [*where.params, lowest]), limit)
    if len(found) == limit or lowest == 0:
        return found
    return _by_words(wanted, where, limit) if indexed else _newest(where, limit)


def _by_words(wanted: Wanted, where: Where, limit: int) -> list[int]:
    """By the index of words: all that it names if these are few, else those of newer messages before the rest."""
    held, found = _holding(wanted.text, where, limit, Where(), FEW + 1)
    if held <= FEW:
        return found
    lowest = _lowest(wanted.before, NEAR)
    near = Where(["id >= %s", "id < %s"], [lowest, wanted.before or 2**62])
    found = _holding(wanted.text, where, limit, near)[1]
    if len(found) == limit or lowest == 0:
        return found
    return _holding(wanted.text, where, limit, Where())[1]


def _holding(text: str, where: Where, limit: int, within: Where, most: int | None = None) -> tuple[int, list[int]]:
    """How many rows of the index there are (or `most`), and the newest that are wanted. `within` is for indexes too.

    Read once and apart: asked for the newest first, Postgres may walk through all messages instead. And by one process:
    to start its helpers takes longer than to read these rows.
    """
    statement = (
        "SET LOCAL max_parallel_workers_per_gather = 0;"  # noqa: S608  until this, or the caller's transaction, ends
        " WITH hits AS MATERIALIZED (SELECT id, conversation_id, from_customer, kind, revoked_at, at, text"
        " FROM archive_archivedmessage"
        f" WHERE public.zh_bigrams(text) @@ public.zh_query(%s) AND {within} LIMIT %s)"
        " SELECT (SELECT count(*) FROM hits),"
        f" ARRAY(SELECT m.id FROM hits m WHERE {where} ORDER BY m.id DESC LIMIT %s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [text, *within.params, most, *where.params, limit])
        held, found = cursor.fetchone()
    return held, found


def _newest(where: Where, limit: int) -> list[int]:
    statement = f"SELECT m.id FROM archive_archivedmessage m WHERE {where} ORDER BY m.id DESC LIMIT %s"  # noqa: S608
    return _asked(statement, [*where.params, limit])


def _filters(wanted: Wanted) -> Where:
    where = Where()
    if wanted.before:
        where.add("m.id < %s", wanted.before)
    if wanted.conversation is not None:
        where.add("m.conversation_id = %s", wanted.conversation)
    if talks := _talks(wanted):
        where.add(f"m.conversation_id IN (SELECT c.id FROM archive_conversation c WHERE {talks})", *talks.params)  # noqa: S608
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
    if wanted.text:
        where.add("m.text ILIKE %s", f"%{_escaped(wanted.text)}%")
    return where


def _talks(wanted: Wanted) -> Where | None:
    """Whose talks: someone of the range takes part, and whom one chose."""
    where = Where()
    if wanted.staff_ids is not None:
        where.add("c.staff_ids && %s::bigint[]", wanted.staff_ids)
    if wanted.staff is not None:
        where.add("c.staff_ids @> %s::bigint[]", [wanted.staff])
    return where if where.parts else None


def _few_talks(wanted: Wanted) -> list[int] | None:
    """The talks to look in, if they hold few messages by their own count; None: look in all of them."""
    talks = _talks(wanted)
    if talks is None:
        return None
    listed = f"SELECT c.id, c.messages FROM archive_conversation c WHERE {talks} LIMIT %s"  # noqa: S608
    statement = (
        "SELECT CASE WHEN count(*) <= %s AND COALESCE(sum(messages), 0) <= %s"  # noqa: S608
        f" THEN COALESCE(array_agg(id), '{{}}') END FROM ({listed}) found"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [TALKS, SMALL, *talks.params, TALKS + 1])
        few: list[int] | None = cursor.fetchone()[0]
    return few


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min))


def _lowest(before: int, count: int) -> int:
    """The id from which on so many messages come before that one; 0 when there are no more."""
    found = _asked(
        "SELECT id FROM archive_archivedmessage WHERE id < %s ORDER BY id DESC OFFSET %s LIMIT 1",
        [before or 2**62, count],
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
