"""Friendships that a complete listing no longer names: they ended without our hearing of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from contacts import bulk
from contacts.events import announce
from contacts.models import ListedPage
from contacts.models.timeline import TimelineEntry

SET = 1000
SUSPICIOUS = 50
"""A listing that names none of so many living friendships is taken for a fault of the listing."""

_UNLISTED = """
FROM contacts_follow f JOIN members_staff m ON m.id = f.staff_id
WHERE f.ended_at IS NULL AND NOT f.half AND m.userid_key = ANY(%(userids)s)
    AND f.added_at < %(before)s AND (f.opened_at IS NULL OR f.opened_at < %(before)s)
    AND (f.last_event_at IS NULL OR f.last_event_at < %(before)s)
    AND NOT EXISTS (SELECT FROM pg_temp.listed l WHERE l.id = f.id)
"""
_END = f"""
WITH gone AS (
    UPDATE contacts_follow SET ended_at = %(at)s, ended_by = 'vanished', raw_hash = ''
    WHERE id IN (SELECT f.id {_UNLISTED} ORDER BY f.id LIMIT %(limit)s) RETURNING id, customer_id, staff_id
) SELECT id, customer_id, staff_id FROM gone
"""  # noqa: S608


def end_vanished(job_id: int, userids: Sequence[str], *, before: datetime, source: str) -> dict[str, Any]:
    """End what no page of the job named, for members that were listed to the end. What began later is left alone."""
    if not userids:
        return {}
    keys: dict[str, Any] = {"userids": [userid.lower() for userid in userids], "before": before}
    with connection.cursor() as cursor, transaction.atomic():
        _fill_listed(cursor, job_id)
        cursor.execute(f"SELECT count(*), (SELECT count(*) FROM pg_temp.listed) {_UNLISTED}", keys)  # noqa: S608
        unlisted, listed = cursor.fetchone()
        if unlisted >= SUSPICIOUS and not listed:
            return {"follows_in_doubt": unlisted}
        ended = 0
        while ids := _end_some(cursor, keys, source):
            ended += ids
    return {"follows_vanished": ended}


def _fill_listed(cursor: Any, job_id: int) -> None:
    cursor.execute("CREATE TEMP TABLE IF NOT EXISTS listed (id bigint PRIMARY KEY) ON COMMIT DELETE ROWS")
    cursor.execute("DELETE FROM pg_temp.listed")
    cursor.execute(
        "INSERT INTO pg_temp.listed SELECT DISTINCT unnest(ids) FROM contacts_listedpage WHERE job_id = %s AND of = %s",
        [job_id, ListedPage.Of.FOLLOWS],
    )
    cursor.execute("ANALYZE pg_temp.listed")


def _end_some(cursor: Any, keys: dict[str, Any], source: str) -> int:
    at = timezone.now()
    cursor.execute(_END, keys | {"at": at, "limit": SET})
    gone = cursor.fetchall()
    kind = TimelineEntry.Kind.FOLLOW_VANISHED
    bulk.write_timeline(
        [
            bulk.Entry(f"{kind}:{pk}:{int(at.timestamp())}", kind, at, customer_id, None, staff_id)
            for pk, customer_id, staff_id in gone
        ],
        source=source,
    )
    bulk.refresh_customers({customer_id for _, customer_id, _ in gone})
    announce(bulk.Written(ended=[pk for pk, _, _ in gone]), source)
    return len(gone)
