"""The same rows by hand-written SQL in sets of 200: what a worker could reach that does nothing else."""

import json
import time
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

SET = 200
_ROWS = """
WITH said AS (
    SELECT * FROM jsonb_to_recordset(%s) AS r(ext text, name text, gender int, avatar text, unionid text, userid text,
        remark text, state text, at timestamptz, tags text[], key text, hash text)
), customers AS (
    INSERT INTO bare.contacts_customer AS c (external_userid, name, kind, gender, avatar, unionid, position, corp_name,
        stage, search_text, active_follows, first_added_at, last_added_at, raw_hash)
    SELECT ext, name, 1, gender, avatar, unionid, '', '', '', name || E'\\n' || remark, 1, at, at, decode(hash, 'hex')
    FROM said ORDER BY ext
    ON CONFLICT (external_userid) DO UPDATE SET name = EXCLUDED.name, search_text = EXCLUDED.search_text,
        raw_hash = EXCLUDED.raw_hash, updated_at = now()
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
)
INSERT INTO bare.contacts_timelineentry (key, customer_id, staff_id, kind, at, source, actor)
SELECT s.key, c.id, f.staff_id, 'follow_added', s.at, 'callback', ''
FROM said s JOIN customers c ON c.external_userid = s.ext JOIN follows f ON f.customer_id = c.id
ON CONFLICT (key) DO NOTHING
"""


def write(people: Sequence[tuple[Any, Any]], events: Sequence[Any]) -> float:
    """Seconds for all of them, the JSON made beforehand."""
    sets = [
        json.dumps([_said(*pair, event) for pair, event in zip(people[start:end], events[start:end], strict=True)])
        for start, end in ((start, start + SET) for start in range(0, len(people), SET))
    ]
    begun = time.perf_counter()
    for said in sets:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ROWS, [said])
    return time.perf_counter() - begun


def _said(contact: Any, follow: Any, event: Any) -> dict[str, Any]:
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
        "key": f"{event.change_type}:{contact.external_userid}",
        "hash": "00" * 20,
    }
