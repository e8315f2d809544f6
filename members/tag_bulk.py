"""Tags of contacts (通讯录标签) written in sets. Whom WeCom does not let the app see stay in the tags they are in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from members.bulk import SUBJECT
from tenants.staging import one_writer, stage


@dataclass(slots=True)
class TagNews:
    """What was said about one tag: its name, unless None; who is in it (True) or is not (False).

    Of a `whole` tag all are said whom the app may see: others of these are in it no more.
    """

    wecom_id: int
    name: str | None = None
    gone: bool = False
    whole: bool = False
    users: dict[str, bool] = field(default_factory=dict)  # by lower-case userid
    departments: dict[int, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """Whom the app may see, as it was when the tags were read; nobody where that is not known."""

    users: tuple[str, ...] = ()  # lower-case userids
    departments: tuple[int, ...] = ()  # with all below
    tags: tuple[int, ...] = ()


_WRITE = """
INSERT INTO members_stafftag AS t (wecom_id, name)
SELECT s.wecom_id, COALESCE(s.name, '') FROM pg_temp.stage_staff_tag s
WHERE NOT s.gone AND NOT EXISTS (
    SELECT FROM members_stafftag k WHERE k.wecom_id = s.wecom_id AND k.deleted_at IS NULL
    AND k.name = COALESCE(s.name, k.name))
ORDER BY s.wecom_id
ON CONFLICT (wecom_id) DO UPDATE SET name = COALESCE(NULLIF(EXCLUDED.name, ''), t.name), deleted_at = NULL
RETURNING t.id
"""
_GONE = """
UPDATE members_stafftag t SET deleted_at = %(at)s FROM pg_temp.stage_staff_tag s
WHERE s.gone AND t.wecom_id = s.wecom_id AND t.deleted_at IS NULL RETURNING t.id
"""
_DROP_MEMBERS = """
DELETE FROM members_stafftagmember l USING (
    SELECT k.id FROM pg_temp.stage_staff_tag s JOIN members_stafftag t ON t.wecom_id = s.wecom_id
    JOIN members_stafftagmember k ON k.tag_id = t.id JOIN members_staff m ON m.id = k.staff_id
    LEFT JOIN pg_temp.stage_tag_user i ON i.tag = s.wecom_id AND i.userid_key = m.userid_key
    WHERE NOT i.inside OR (i.tag IS NULL AND s.whole AND (
        m.left_at IS NOT NULL OR m.userid_key = ANY(%(users)s)
        OR EXISTS (
            SELECT FROM members_staffdepartment p JOIN members_department d ON d.id = p.department_id
            WHERE p.staff_id = m.id AND d.path && %(departments)s::bigint[])
        OR EXISTS (
            SELECT FROM members_stafftagmember o JOIN members_stafftag v ON v.id = o.tag_id
            WHERE o.staff_id = m.id AND v.wecom_id = ANY(%(tags)s))))
) gone WHERE l.id = gone.id RETURNING l.tag_id
"""
_PUT_MEMBERS = """
INSERT INTO members_stafftagmember (tag_id, staff_id)
SELECT t.id, m.id FROM pg_temp.stage_tag_user i
JOIN members_stafftag t ON t.wecom_id = i.tag JOIN members_staff m ON m.userid_key = i.userid_key
WHERE i.inside ON CONFLICT (tag_id, staff_id) DO NOTHING RETURNING tag_id
"""
_DROP_DEPARTMENTS = """
DELETE FROM members_stafftagdepartment l USING (
    SELECT k.id FROM pg_temp.stage_staff_tag s JOIN members_stafftag t ON t.wecom_id = s.wecom_id
    JOIN members_stafftagdepartment k ON k.tag_id = t.id JOIN members_department d ON d.id = k.department_id
    LEFT JOIN pg_temp.stage_tag_department i ON i.tag = s.wecom_id AND i.department = d.wecom_id
    WHERE NOT i.inside OR (i.tag IS NULL AND s.whole AND d.path && %(departments)s::bigint[])
) gone WHERE l.id = gone.id RETURNING l.tag_id
"""
_PUT_DEPARTMENTS = """
INSERT INTO members_stafftagdepartment (tag_id, department_id)
SELECT t.id, d.id FROM pg_temp.stage_tag_department i
JOIN members_stafftag t ON t.wecom_id = i.tag JOIN members_department d ON d.wecom_id = i.department
WHERE i.inside ON CONFLICT (tag_id, department_id) DO NOTHING RETURNING tag_id
"""
_STATEMENTS = (_WRITE, _GONE, _DROP_MEMBERS, _PUT_MEMBERS, _DROP_DEPARTMENTS, _PUT_DEPARTMENTS)


@transaction.atomic(savepoint=False)
def write_staff_tags(news: Iterable[TagNews], sight: Sight, *, at: datetime) -> int:
    """How many tags changed, by name or by who is in them. Members and departments that we do not know are left out."""
    told = {one.wecom_id: one for one in news}
    if not told:
        return 0
    changed: set[int] = set()
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        stage(
            cursor,
            "stage_staff_tag",
            {"wecom_id": "bigint", "name": "text", "gone": "boolean", "whole": "boolean"},
            [(one.wecom_id, one.name[:64] if one.name else None, one.gone, one.whole) for one in told.values()],
        )
        stage(
            cursor,
            "stage_tag_user",
            {"tag": "bigint", "userid_key": "text", "inside": "boolean"},
            [(one.wecom_id, key, inside) for one in told.values() for key, inside in one.users.items()],
        )
        stage(
            cursor,
            "stage_tag_department",
            {"tag": "bigint", "department": "bigint", "inside": "boolean"},
            [(one.wecom_id, key, inside) for one in told.values() for key, inside in one.departments.items()],
        )
        seen: dict[str, Any] = {name: list(getattr(sight, name)) for name in ("users", "departments", "tags")}
        for statement in _STATEMENTS:
            cursor.execute(statement, {"at": at, **seen})
            changed.update(pk for (pk,) in cursor.fetchall())
    return len(changed)
