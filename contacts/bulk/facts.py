"""`CustomerFacts` kept in step: every writer of customers, friendships, tags, stages and fields tells here of whom.

`last_message_at` and `last_opened_at` have no other place; `touch` moves them on and nothing here takes them back.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from tenants.staging import numbers, one_writer

SUBJECT = "contacts"
"""What `one_writer` guards: customers, friendships, tags, groups and these facts."""

SET = 5000
"""Customers checked in one transaction by the nightly comparison."""

COLUMNS = ("added_at", "lost_at", "stage_id", "staff_ids", "known_by", "tag_ids", "states", "add_ways", "fields")
_MINE = ", ".join(f"k.{name}" for name in COLUMNS)
_TRUE = ", ".join(f"t.{name}" for name in COLUMNS)
TRUTH = """
SELECT c.id, f.added_at, c.lost_at, c.stage_id,
    COALESCE(f.staff_ids, '{}') AS staff_ids, COALESCE(f.known_by, '{}') AS known_by,
    CASE WHEN f.staff_ids IS NULL THEN '{}' ELSE ARRAY(
        SELECT DISTINCT l.tag_id FROM contacts_follow w JOIN contacts_followtag l ON l.follow_id = w.id
        WHERE w.customer_id = c.id AND w.ended_at IS NULL ORDER BY l.tag_id) END AS tag_ids,
    COALESCE(f.states, '{}') AS states, COALESCE(f.add_ways, '{}') AS add_ways, c.fields
FROM contacts_customer c LEFT JOIN LATERAL (
    SELECT max(w.added_at) AS added_at,
        array_agg(w.staff_id ORDER BY w.staff_id) FILTER (WHERE w.ended_at IS NULL) AS staff_ids,
        array_agg(w.staff_id ORDER BY w.staff_id) AS known_by,
        array_agg(DISTINCT w.state::text COLLATE "C") FILTER (WHERE w.state <> '') AS states,
        array_agg(DISTINCT w.add_way) FILTER (WHERE w.add_way IS NOT NULL) AS add_ways
    FROM contacts_follow w WHERE w.customer_id = c.id
) f ON true
"""
_DIFFERS = f"k.customer_id IS NULL OR ({_MINE}) IS DISTINCT FROM ({_TRUE})"
_WRITE = f"""
INSERT INTO contacts_customerfacts (customer_id, {", ".join(COLUMNS)})
SELECT t.id, {_TRUE} FROM ({TRUTH} WHERE c.id = ANY(%(ids)s)) t
LEFT JOIN contacts_customerfacts k ON k.customer_id = t.id AND k.customer_id = ANY(%(ids)s)
WHERE {_DIFFERS} ORDER BY t.id
ON CONFLICT (customer_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS)}
"""
_WRONG = f"""
SELECT t.id FROM ({TRUTH} WHERE c.id > %(after)s AND c.id <= %(last)s) t
LEFT JOIN contacts_customerfacts k ON k.customer_id = t.id WHERE {_DIFFERS} ORDER BY t.id
"""
_DROP_TAGS = """
UPDATE contacts_customerfacts SET tag_ids = ARRAY(
    SELECT tag_id FROM unnest(tag_ids) WITH ORDINALITY AS u(tag_id, place)
    WHERE tag_id <> ALL(%(gone)s::bigint[]) ORDER BY place)
WHERE tag_ids && %(gone)s::bigint[]
"""
_TOUCH = """
UPDATE contacts_customerfacts k SET {column} = s.at FROM (
    SELECT k.customer_id, s.at FROM contacts_customerfacts k
    JOIN unnest(%(ids)s::bigint[], %(ats)s::timestamptz[]) AS s(id, at) ON s.id = k.customer_id
    WHERE k.{column} IS NULL OR k.{column} < s.at ORDER BY k.customer_id FOR NO KEY UPDATE OF k
) s WHERE k.customer_id = s.customer_id
"""


def refresh_facts(cursor: Any, customer_ids: Iterable[int]) -> int:
    """Say again what is true of these customers, in the transaction that changed it. Returns how many rows changed.

    Rows are locked in the order of their ids, as `touch` does.
    """
    ids = list(customer_ids)
    if not ids:
        return 0
    cursor.execute(_WRITE, {"ids": numbers(ids)})
    changed: int = cursor.rowcount
    return changed


def drop_tags(cursor: Any, tag_ids: Iterable[int]) -> None:
    """Tags that exist no longer come off everyone."""
    gone = list(tag_ids)
    if gone:
        cursor.execute(_DROP_TAGS, {"gone": gone})


@transaction.atomic(savepoint=False)
def touch(
    *, last_message_at: Mapping[int, datetime] | None = None, last_opened_at: Mapping[int, datetime] | None = None
) -> None:
    """Something happened with these customers, at these times; what is older than what we know changes nothing."""
    with connection.cursor() as cursor:
        for column, told in (("last_message_at", last_message_at), ("last_opened_at", last_opened_at)):
            if told:
                cursor.execute(_TOUCH.format(column=column), {"ids": list(told), "ats": list(told.values())})


def wrong_facts(after: int, last: int) -> list[int]:
    """Customers, of ids above `after` and up to `last`, whose facts are not what they should be."""
    with connection.cursor() as cursor:
        cursor.execute(_WRONG, {"after": after, "last": last})
        return [row[0] for row in cursor.fetchall()]


def rebuild_facts() -> int:
    """The nightly check: every customer compared, and mended where a writer forgot to say so. Returns how many."""
    mended, after = 0, 0
    while (last := _end_of_set(after)) is not None:
        if wrong_facts(after, last):
            with transaction.atomic(savepoint=False), connection.cursor() as cursor:
                one_writer(cursor, SUBJECT)
                mended += refresh_facts(cursor, wrong_facts(after, last))
        after = last
    return mended


def _end_of_set(after: int) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id) FROM (SELECT id FROM contacts_customer WHERE id > %s ORDER BY id LIMIT %s) s", [after, SET]
        )
        last: int | None = cursor.fetchone()[0]
    return last
