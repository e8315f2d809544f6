"""Corp tags, and which friendships carry them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from contacts.bulk.customers import SUBJECT
from tenants.staging import copy, one_writer, stage
from wecom.objects import TagGroupInfo

UNKNOWN_GROUP = ""  # holds tags that friendships carry and no listing has named yet (those of rule groups, 规则组)

_WRITE_GROUPS = """
INSERT INTO contacts_taggroup AS g (wecom_id, name, "order")
SELECT s.group_id, s.name, s.place FROM pg_temp.stage_tag_group s
WHERE NOT EXISTS (
    SELECT FROM contacts_taggroup k WHERE k.wecom_id = s.group_id AND k.deleted_at IS NULL
    AND (k.name, k."order") = (s.name, s.place))
ON CONFLICT (wecom_id) DO UPDATE SET name = EXCLUDED.name, "order" = EXCLUDED."order", deleted_at = NULL
"""
_WRITE_TAGS = """
INSERT INTO contacts_tag AS t (wecom_id, group_id, name, "order")
SELECT s.tag_id, g.id, s.name, s.place
FROM pg_temp.stage_tag s JOIN contacts_taggroup g ON g.wecom_id = s.group_id
WHERE NOT EXISTS (
    SELECT FROM contacts_tag k WHERE k.wecom_id = s.tag_id AND k.deleted_at IS NULL
    AND (k.group_id, k.name, k."order") = (g.id, s.name, s.place))
ON CONFLICT (wecom_id) DO UPDATE SET group_id = EXCLUDED.group_id, name = EXCLUDED.name, "order" = EXCLUDED."order",
    deleted_at = NULL
"""
_DELETE_TAGS = """
WITH gone AS (
    UPDATE contacts_tag t SET deleted_at = %(at)s FROM contacts_taggroup g
    WHERE g.id = t.group_id AND g.wecom_id <> '' AND g.strategy_id IS NULL AND t.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM pg_temp.stage_tag s WHERE s.tag_id = t.wecom_id)
    RETURNING t.id
), links AS (DELETE FROM contacts_followtag l USING gone WHERE l.tag_id = gone.id)
SELECT count(*) FROM gone
"""
_DELETE_GROUPS = """
UPDATE contacts_taggroup g SET deleted_at = %(at)s
WHERE g.deleted_at IS NULL AND g.wecom_id <> '' AND g.strategy_id IS NULL
    AND NOT EXISTS (SELECT FROM pg_temp.stage_tag_group s WHERE s.group_id = g.wecom_id)
"""


@transaction.atomic(savepoint=False)
def write_tags(groups: Sequence[TagGroupInfo], *, at: datetime) -> dict[str, Any]:
    """The whole list of corp tags: what it does not name was deleted, and comes off the customers as in WeCom."""
    living = [group for group in groups if group.id and not group.deleted]
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        stage(
            cursor,
            "stage_tag_group",
            {"group_id": "text", "name": "text", "place": "bigint"},
            {group.id: (group.id, group.name[:64], group.order) for group in living}.values(),
        )
        stage(
            cursor,
            "stage_tag",
            {"tag_id": "text", "group_id": "text", "name": "text", "place": "bigint"},
            {
                tag.id: (tag.id, group.id, tag.name[:64], tag.order)
                for group in living
                for tag in group.tags
                if tag.id and not tag.deleted
            }.values(),
        )
        cursor.execute(_WRITE_GROUPS)
        groups_changed: int = cursor.rowcount
        cursor.execute(_WRITE_TAGS)
        tags_changed: int = cursor.rowcount
        cursor.execute(_DELETE_TAGS, {"at": at})
        deleted: int = cursor.fetchone()[0]
        cursor.execute(_DELETE_GROUPS, {"at": at})
        groups_changed += cursor.rowcount
    return {"groups_changed": groups_changed, "tags_changed": tags_changed, "tags_deleted": deleted}


def tag_pks(cursor: Any, tag_ids: Iterable[str]) -> dict[str, int]:
    """Our ids by WeCom's; a tag that no listing named yet gets a row without a name."""
    wanted = sorted(set(tag_ids))
    if not wanted:
        return {}
    cursor.execute("SELECT wecom_id, id FROM contacts_tag WHERE wecom_id = ANY(%s)", [wanted])
    found: dict[str, int] = dict(cursor.fetchall())
    missing = [tag_id for tag_id in wanted if tag_id not in found]
    if missing:
        cursor.execute(
            "INSERT INTO contacts_taggroup AS g (wecom_id, name, \"order\") VALUES (%s, '', -1)"
            " ON CONFLICT (wecom_id) DO UPDATE SET name = g.name RETURNING id",
            [UNKNOWN_GROUP],
        )
        (group_id,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO contacts_tag (wecom_id, group_id, name, \"order\") SELECT unnest(%s), %s, '', 0"
            " ON CONFLICT (wecom_id) DO UPDATE SET wecom_id = EXCLUDED.wecom_id RETURNING wecom_id, id",
            [missing, group_id],
        )
        found.update(cursor.fetchall())
    return found


_TAKE_OFF = """
DELETE FROM contacts_followtag l USING pg_temp.stage_tagged f
WHERE l.follow_id = f.follow_id AND NOT EXISTS (
    SELECT FROM pg_temp.stage_follow_tag s WHERE s.follow_id = l.follow_id AND s.tag_id = l.tag_id)
RETURNING l.follow_id, l.tag_id
"""
_PUT_ON = """
INSERT INTO contacts_followtag (follow_id, tag_id)
SELECT s.follow_id, s.tag_id FROM pg_temp.stage_follow_tag s
WHERE NOT EXISTS (SELECT FROM contacts_followtag l WHERE l.tag_id = s.tag_id AND l.follow_id = s.follow_id)
ON CONFLICT (tag_id, follow_id) DO NOTHING RETURNING follow_id, tag_id
"""

TagDiff = dict[int, tuple[list[int], list[int]]]


def write_follow_tags(cursor: Any, wanted: Mapping[int, Sequence[str]], new: set[int]) -> TagDiff:
    """Make follows carry just these tags. Returns (put on, taken off) of the follows that were there before."""
    pks = tag_pks(cursor, {tag_id for tag_ids in wanted.values() for tag_id in tag_ids})
    links = [(follow_id, pks[tag_id]) for follow_id, tag_ids in wanted.items() for tag_id in tag_ids]
    fresh = [link for link in links if link[0] in new]
    if fresh:
        copy(cursor, "contacts_followtag", ("follow_id", "tag_id"), fresh)
    known = [(follow_id,) for follow_id in wanted if follow_id not in new]
    if not known:
        return {}
    diff: TagDiff = defaultdict(lambda: ([], []))
    links = [link for link in links if link[0] not in new]
    stage(cursor, "stage_follow_tag", {"follow_id": "bigint", "tag_id": "bigint"}, links)
    stage(cursor, "stage_tagged", {"follow_id": "bigint"}, known)
    cursor.execute(_TAKE_OFF)
    for follow_id, tag_id in cursor.fetchall():
        diff[follow_id][1].append(tag_id)
    cursor.execute(_PUT_ON)
    for follow_id, tag_id in cursor.fetchall():
        diff[follow_id][0].append(tag_id)
    return dict(diff)


def tag_names(cursor: Any, pks: Iterable[int]) -> dict[int, str]:
    cursor.execute("SELECT id, name FROM contacts_tag WHERE id = ANY(%s)", [list(pks)])
    return dict(cursor.fetchall())
