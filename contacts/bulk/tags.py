"""Corp tags, and which friendships carry them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from contacts.bulk.facts import SUBJECT, drop_tags
from tenants.staging import copy, numbers, one_writer, stage
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
        AND (%(believed)s OR t.wecom_id = ANY(%(gone)s) OR g.wecom_id = ANY(%(gone)s))
    RETURNING t.id
), links AS (DELETE FROM contacts_followtag l USING gone WHERE l.tag_id = gone.id)
SELECT COALESCE(array_agg(id), '{}') FROM gone
"""
_DELETE_GROUPS = """
UPDATE contacts_taggroup g SET deleted_at = %(at)s
WHERE g.deleted_at IS NULL AND g.wecom_id <> '' AND g.strategy_id IS NULL
    AND NOT EXISTS (SELECT FROM pg_temp.stage_tag_group s WHERE s.group_id = g.wecom_id)
    AND (%(believed)s OR g.wecom_id = ANY(%(gone)s))
"""


@transaction.atomic(savepoint=False)
def write_tags(
    groups: Sequence[TagGroupInfo], *, at: datetime, gone: Iterable[str] = (), emptied: bool = False
) -> dict[str, Any]:
    """The whole list of corp tags: what it does not name was deleted, and comes off the customers as in WeCom.

    An empty list may be that of an app without the right: it deletes only what is known to be `gone`, tags or groups,
    or all when the caller made sure that they were `emptied`.
    """
    living = [group for group in groups if group.id and not group.deleted]
    doomed: dict[str, Any] = {"at": at, "believed": bool(living) or emptied, "gone": list(gone)}
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
        cursor.execute(_DELETE_TAGS, doomed)
        deleted: list[int] = cursor.fetchone()[0]
        drop_tags(cursor, deleted)
        cursor.execute(_DELETE_GROUPS, doomed)
        groups_changed += cursor.rowcount
    return {"groups_changed": groups_changed, "tags_changed": tags_changed, "tags_deleted": len(deleted)}


_NAME_TAGS = """
UPDATE contacts_tag t SET name = s.name FROM unnest(%s::text[], %s::text[]) AS s(id, name), contacts_taggroup g
WHERE t.wecom_id = s.id AND g.id = t.group_id AND g.wecom_id = '' AND t.name <> s.name
"""


def name_tags(names: Mapping[str, str]) -> int:
    """Names that customers' own data gave to tags which no listing names."""
    known = {tag_id: name[:64] for tag_id, name in names.items() if name}
    if not known:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_NAME_TAGS, [list(known), list(known.values())])
        return int(cursor.rowcount)


_CARRIED = """
SELECT l.follow_id, l.tag_id, l.id, t.name FROM contacts_followtag l JOIN contacts_tag t ON t.id = l.tag_id
WHERE l.follow_id = ANY(%s)
"""

TagDiff = dict[int, tuple[list[str], list[str]]]


def known_tags(cursor: Any, tag_ids: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Our ids and the names by WeCom's ids; a tag that no listing named yet gets a row without a name."""
    wanted = sorted(set(tag_ids))
    if not wanted:
        return {}
    cursor.execute("SELECT wecom_id, id, name FROM contacts_tag WHERE wecom_id = ANY(%s)", [wanted])
    found: dict[str, tuple[int, str]] = {wecom_id: (pk, name) for wecom_id, pk, name in cursor.fetchall()}
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
            " ON CONFLICT (wecom_id) DO UPDATE SET wecom_id = EXCLUDED.wecom_id RETURNING wecom_id, id, name",
            [missing, group_id],
        )
        found.update((wecom_id, (pk, name)) for wecom_id, pk, name in cursor.fetchall())
    return found


def write_follow_tags(
    cursor: Any, wanted: Mapping[int, Sequence[str]], new: set[int], tags: Mapping[str, tuple[int, str]]
) -> TagDiff:
    """Make follows carry just these tags, known by `known_tags`. Names put on and taken off, of the follows that were
    there before.

    The caller holds the lock that every writer of tags on friendships takes, so what is read here stays true.
    """
    carried = _carried(cursor, [follow_id for follow_id in wanted if follow_id not in new])
    links: list[tuple[int, int]] = []
    dropped: list[int] = []
    diff: TagDiff = {}
    for follow_id, tag_ids in wanted.items():
        had = carried.get(follow_id, {})
        wished = dict([tags[tag_id] for tag_id in tag_ids])
        links += [(follow_id, pk) for pk in wished if pk not in had]
        if follow_id in new or wished.keys() == had.keys():
            continue
        off = [link for pk, link in had.items() if pk not in wished]
        dropped += [link_id for link_id, _ in off]
        diff[follow_id] = [name for pk, name in wished.items() if pk not in had], [name for _, name in off]
    if dropped:
        cursor.execute("DELETE FROM contacts_followtag WHERE id = ANY(%s)", [numbers(dropped)])
    copy(cursor, "contacts_followtag", ("follow_id", "tag_id"), links)
    return diff


def _carried(cursor: Any, follow_ids: list[int]) -> dict[int, dict[int, tuple[int, str]]]:
    """By follow and tag: the link and the tag's name."""
    carried: dict[int, dict[int, tuple[int, str]]] = defaultdict(dict)
    if follow_ids:
        cursor.execute(_CARRIED, [numbers(follow_ids)])
        for follow_id, tag_id, link_id, name in cursor.fetchall():
            carried[follow_id][tag_id] = link_id, name
    return carried
