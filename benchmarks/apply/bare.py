"""The same rows by hand-written SQL in sets as large as a worker's: what it could reach that does nothing else.

It is told everything beforehand and writes into twins of the tables: customer, friendship, tags, timeline, inbox.
"""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, transaction

from benchmarks.sync.measure import TABLES
from callbacks.drain import BATCH
from contacts.models.timeline import TimelineEntry

Kind = TimelineEntry.Kind
People = Sequence[tuple[Any, Any]]
INBOX = """
CREATE TABLE bare.callbacks_inbox (LIKE public.callbacks_inbox INCLUDING ALL);
ALTER TABLE bare.callbacks_inbox ALTER COLUMN id DROP IDENTITY
"""
_ARRIVE = """
INSERT INTO bare.callbacks_inbox SELECT * FROM public.callbacks_inbox WHERE tenant_id = %s AND status = 'new'
RETURNING id, event_day
"""
_DONE = """
UPDATE bare.callbacks_inbox SET status = 'done', done_at = now(), last_error = ''
WHERE event_day = %s AND id = ANY(%s) AND status = 'new'
"""
_ROWS = """
WITH said AS (
    SELECT * FROM jsonb_to_recordset(%s) AS r(ext text, name text, gender int, avatar text, unionid text, userid text,
        remark text, state text, at timestamptz, tags text[], hash text, notes jsonb)
), customers AS (
    INSERT INTO bare.contacts_customer AS c (external_userid, name, kind, gender, avatar, unionid, position, corp_name,
        search_text, active_follows, first_added_at, last_added_at, raw_hash, synced_at)
    SELECT ext, name, 1, gender, avatar, unionid, '', '', name || E'\\n' || remark, 1, at, at, decode(hash, 'hex'),
        now()
    FROM said ORDER BY ext
    ON CONFLICT (external_userid) DO UPDATE SET name = EXCLUDED.name, search_text = EXCLUDED.search_text,
        raw_hash = EXCLUDED.raw_hash, updated_at = now(), synced_at = now()
    RETURNING id, external_userid
), follows AS (
    INSERT INTO bare.contacts_follow AS f (customer_id, staff_id, remark, description, remark_corp_name, add_way, state,
        oper_userid, added_at, opened_at, half, ended_by, last_event_at, raw_hash)
    SELECT c.id, m.id, remark, '', '', 1, state, ext, at, at, false, '', now(), decode(hash, 'hex')
    FROM said s JOIN customers c ON c.external_userid = s.ext JOIN members_staff m ON m.userid_key = s.userid
    ON CONFLICT (customer_id, staff_id) DO UPDATE SET remark = EXCLUDED.remark, last_event_at = EXCLUDED.last_event_at,
        raw_hash = EXCLUDED.raw_hash
    RETURNING id, customer_id, staff_id
), wanted AS (
    SELECT f.id AS follow_id, t.id AS tag_id
    FROM said s JOIN customers c ON c.external_userid = s.ext JOIN follows f ON f.customer_id = c.id
    CROSS JOIN LATERAL unnest(s.tags) w(tag) JOIN contacts_tag t ON t.wecom_id = w.tag
), gone AS (
    DELETE FROM bare.contacts_followtag l USING follows f
    WHERE l.follow_id = f.id AND NOT EXISTS (
        SELECT FROM wanted w WHERE w.follow_id = l.follow_id AND w.tag_id = l.tag_id)
), put AS (
    INSERT INTO bare.contacts_followtag (follow_id, tag_id) SELECT DISTINCT follow_id, tag_id FROM wanted
    ON CONFLICT (tag_id, follow_id) DO NOTHING
), facts AS (
    INSERT INTO bare.contacts_customerfacts AS k (customer_id, added_at, staff_ids, known_by, tag_ids, states, add_ways,
        fields)
    SELECT f.customer_id, s.at, ARRAY[f.staff_id], ARRAY[f.staff_id], t.ids, ARRAY[s.state], ARRAY[1], '{}'
    FROM said s JOIN customers c ON c.external_userid = s.ext JOIN follows f ON f.customer_id = c.id
    JOIN (SELECT follow_id, array_agg(DISTINCT tag_id) AS ids FROM wanted GROUP BY follow_id) t ON t.follow_id = f.id
    ON CONFLICT (customer_id) DO UPDATE SET tag_ids = EXCLUDED.tag_ids
)
INSERT INTO bare.contacts_timelineentry (key, customer_id, staff_id, kind, at, source, actor, payload)
SELECT n.kind || ':' || f.id || ':' || %s, c.id, f.staff_id, n.kind, now(), 'callback', '', n.payload
FROM said s JOIN customers c ON c.external_userid = s.ext JOIN follows f ON f.customer_id = c.id
CROSS JOIN LATERAL jsonb_to_recordset(s.notes) AS n(kind text, payload jsonb)
ON CONFLICT (key) DO NOTHING
"""


def prepare() -> None:
    with connection.cursor() as cursor:
        cursor.execute(INBOX)


def arrive(tenant_id: int) -> list[tuple[int, Any]]:
    """The inbox of its own; ids and days in the order of the events."""
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVE, [tenant_id])
        return sorted(cursor.fetchall())


def write(people: People, before: People | None, inbox: Sequence[tuple[int, Any]]) -> tuple[float, float]:
    """Seconds for all of them, the JSON made beforehand; and how many of them were commits."""
    said = [_said(*pair, before[place][1] if before else None) for place, pair in enumerate(people)]
    sets = [
        (json.dumps(said[start : start + BATCH]), inbox[start : start + BATCH]) for start in range(0, len(said), BATCH)
    ]
    begun, waited = time.perf_counter(), 0.0
    for rows, events in sets:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ROWS, [rows, str(time.time())])
            cursor.execute(_DONE, [events[0][1], [pk for pk, _ in events]])
            written = time.perf_counter()
        waited += time.perf_counter() - written
    return time.perf_counter() - begun, waited


def _said(contact: Any, follow: Any, before: Any) -> dict[str, Any]:
    return {
        "ext": contact.external_userid,
        "name": contact.name,
        "gender": contact.gender,
        "avatar": contact.avatar,
        "unionid": contact.unionid,
        "userid": follow.userid,
        "remark": follow.remark,
        "state": follow.state,
        "at": follow.created_at.isoformat(),
        "tags": follow.tag_ids,
        "hash": "00" * 20,
        "notes": [{"kind": kind, "payload": payload} for kind, payload in _notes(follow, before)],
    }


def _notes(follow: Any, before: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the timeline tells of it. The tags of the benchmark are called as their ids."""
    if before is None:
        yield Kind.FOLLOW_ADDED, {"add_way": follow.add_way, "state": follow.state}
        return
    yield Kind.REMARK_CHANGED, {"remark": follow.remark, "before": before.remark}
    put_on, off = set(follow.tag_ids) - set(before.tag_ids), set(before.tag_ids) - set(follow.tag_ids)
    if put_on or off:
        yield Kind.TAGS_CHANGED, {"added": sorted(put_on), "removed": sorted(off)}


def analyze() -> None:
    """As autovacuum does every minute: tables that grow from nothing in seconds have no statistics to plan by."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(f'{table}, bare.{table}' for table in TABLES)}")


def check() -> None:
    """Whether both wrote as many rows everywhere."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM bare.{table})")
            ours, theirs = cursor.fetchone()
            if ours != theirs or not ours:
                raise RuntimeError(f"{table}: {ours} rows against {theirs}")
        cursor.execute("SELECT count(*) FROM bare.callbacks_inbox WHERE status <> 'done'")
        if cursor.fetchone()[0]:
            raise RuntimeError("the bare inbox was not emptied")
