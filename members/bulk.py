"""Staff and departments written in sets. What WeCom did not tell stays as it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from members.pinyin import letters
from tenants.staging import one_writer, stage
from wecom.objects import DepartmentInfo

SUBJECT = "members"


@dataclass(slots=True)
class StaffNews:
    """What was said about one member; None means that nothing was said."""

    userid: str
    name: str | None = None
    alias: str | None = None
    position: str | None = None
    avatar: str | None = None
    status: int | None = None
    main_department: int | None = None
    departments: Sequence[int] | None = None
    leader_in: frozenset[int] = frozenset()
    direct_leader: str | None = None
    can_follow: bool | None = None
    visible: bool | None = None

    @property
    def key(self) -> str:
        return self.userid.lower()


def staff_ids(userids: Iterable[str]) -> dict[str, int]:
    """Our ids by lower-case userid; a member nobody told us of gets a bare row."""
    names = {userid.lower(): userid for userid in userids if userid}
    if not names:
        return {}
    with connection.cursor() as cursor:
        found = _known_ids(cursor, list(names))
        if missing := sorted(names.keys() - found.keys()):
            write_staff([StaffNews(names[key]) for key in missing], at=None)
            found = _known_ids(cursor, list(names))
    return found


def _known_ids(cursor: Any, keys: list[str]) -> dict[str, int]:
    cursor.execute("SELECT userid_key, id FROM members_staff WHERE userid_key = ANY(%s)", [keys])
    return dict(cursor.fetchall())


# -- staff -----------------------------------------------------------------------------------------------------------

_STAFF = {
    "userid": "text",
    "userid_key": "text",
    "name": "text",
    "pinyin": "text",
    "alias": "text",
    "position": "text",
    "avatar": "text",
    "status": "smallint",
    "main_department": "bigint",
    "can_follow": "boolean",
    "visible": "boolean",
    "direct_leader": "text",
}
_UPDATE_STAFF = """
UPDATE members_staff m SET
    name = COALESCE(s.name, m.name), pinyin = COALESCE(s.pinyin, m.pinyin), alias = COALESCE(s.alias, m.alias),
    position = COALESCE(s.position, m.position), avatar = COALESCE(s.avatar, m.avatar),
    status = COALESCE(s.status, m.status), main_department_id = COALESCE(d.id, m.main_department_id),
    can_follow = COALESCE(s.can_follow, m.can_follow), visible = COALESCE(s.visible, m.visible),
    direct_leader = COALESCE(s.direct_leader, m.direct_leader),
    left_at = CASE WHEN s.status <> 5 THEN NULL ELSE m.left_at END, synced_at = %(at)s
FROM pg_temp.stage_staff s LEFT JOIN members_department d ON d.wecom_id = s.main_department
WHERE m.userid_key = s.userid_key AND (
    COALESCE(s.name, m.name), COALESCE(s.pinyin, m.pinyin), COALESCE(s.alias, m.alias),
    COALESCE(s.position, m.position), COALESCE(s.avatar, m.avatar), COALESCE(s.status, m.status),
    COALESCE(d.id, m.main_department_id), COALESCE(s.can_follow, m.can_follow), COALESCE(s.visible, m.visible),
    COALESCE(s.direct_leader, m.direct_leader), CASE WHEN s.status <> 5 THEN NULL ELSE m.left_at END
) IS DISTINCT FROM (
    m.name, m.pinyin, m.alias, m.position, m.avatar, m.status, m.main_department_id, m.can_follow, m.visible,
    m.direct_leader, m.left_at
)
"""
_INSERT_STAFF = """
INSERT INTO members_staff (userid, userid_key, name, pinyin, alias, position, avatar, status, main_department_id,
    can_follow, visible, direct_leader, synced_at)
SELECT s.userid, s.userid_key, COALESCE(s.name, ''), COALESCE(s.pinyin, ''), COALESCE(s.alias, ''),
    COALESCE(s.position, ''), COALESCE(s.avatar, ''), COALESCE(s.status, 1), d.id,
    COALESCE(s.can_follow, false), COALESCE(s.visible, true), COALESCE(s.direct_leader, ''), %(at)s
FROM pg_temp.stage_staff s LEFT JOIN members_department d ON d.wecom_id = s.main_department
WHERE NOT EXISTS (SELECT FROM members_staff m WHERE m.userid_key = s.userid_key)
ORDER BY s.userid_key ON CONFLICT (userid_key) DO NOTHING
"""
_STUB_DEPARTMENTS = """
INSERT INTO members_department (wecom_id, name, path, "order")
SELECT DISTINCT s.department, '', ARRAY[s.department], 0 FROM pg_temp.stage_placement s
WHERE NOT EXISTS (SELECT FROM members_department d WHERE d.wecom_id = s.department)
ON CONFLICT (wecom_id) DO NOTHING
"""
_LEAVE_PLACES = """
DELETE FROM members_staffdepartment p USING members_staff m, pg_temp.stage_staff s, members_department d
WHERE p.staff_id = m.id AND m.userid_key = s.userid_key AND p.department_id = d.id AND s.userid_key = ANY(%(placed)s)
    AND NOT EXISTS (
        SELECT FROM pg_temp.stage_placement t WHERE t.userid_key = m.userid_key AND t.department = d.wecom_id)
"""
_TAKE_PLACES = """
INSERT INTO members_staffdepartment AS p (staff_id, department_id, is_leader)
SELECT m.id, d.id, t.is_leader FROM pg_temp.stage_placement t
JOIN members_staff m ON m.userid_key = t.userid_key JOIN members_department d ON d.wecom_id = t.department
ON CONFLICT (staff_id, department_id) DO UPDATE SET is_leader = EXCLUDED.is_leader
WHERE p.is_leader <> EXCLUDED.is_leader
"""


@transaction.atomic(savepoint=False)
def write_staff(news: Iterable[StaffNews], *, at: datetime | None) -> int:
    """Insert or change members; returns how many rows changed. A member told twice counts as told last."""
    told = {one.key: one for one in news if one.userid}
    if not told:
        return 0
    placed = [one for one in told.values() if one.departments is not None]
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        stage(cursor, "stage_staff", _STAFF, [_staff_row(one) for one in told.values()])
        stage(
            cursor,
            "stage_placement",
            {"userid_key": "text", "department": "bigint", "is_leader": "boolean"},
            [
                (one.key, department, department in one.leader_in)
                for one in placed
                for department in dict.fromkeys(one.departments or ())
            ],
        )
        cursor.execute(_STUB_DEPARTMENTS)
        cursor.execute(_UPDATE_STAFF, {"at": at})
        changed: int = cursor.rowcount
        cursor.execute(_INSERT_STAFF, {"at": at})
        changed += cursor.rowcount
        if placed:
            cursor.execute(_LEAVE_PLACES, {"placed": [one.key for one in placed]})
            cursor.execute(_TAKE_PLACES)
    return changed


def _staff_row(one: StaffNews) -> tuple[object, ...]:
    name = one.name[:64] if one.name is not None else None
    return (
        one.userid,
        one.key,
        name,
        letters(name)[:128] if name is not None else None,
        _cut(one.alias, 64),
        _cut(one.position, 128),
        _cut(one.avatar, 500),
        one.status if one.status in {1, 2, 4, 5, None} else 1,
        one.main_department,
        one.can_follow,
        one.visible,
        _cut(one.direct_leader, 64),
    )


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]


# -- departments -----------------------------------------------------------------------------------------------------

_WRITE_DEPARTMENTS = """
INSERT INTO members_department AS d (wecom_id, name, parent_wecom_id, path, "order")
SELECT s.wecom_id, s.name, s.parent, s.path, s.place FROM pg_temp.stage_department s
WHERE NOT EXISTS (
    SELECT FROM members_department k WHERE k.wecom_id = s.wecom_id AND k.deleted_at IS NULL
    AND (k.name, k.parent_wecom_id, k.path, k."order") IS NOT DISTINCT FROM (s.name, s.parent, s.path, s.place))
ORDER BY s.wecom_id
ON CONFLICT (wecom_id) DO UPDATE SET name = EXCLUDED.name, parent_wecom_id = EXCLUDED.parent_wecom_id,
    path = EXCLUDED.path, "order" = EXCLUDED."order", deleted_at = NULL
"""


@transaction.atomic(savepoint=False)
def write_departments(listing: Sequence[DepartmentInfo], *, at: datetime, complete: bool) -> int:
    """Departments with their paths; one told without its name keeps what it was called. Of a complete listing, those it
    does not name are marked as deleted."""
    parents: dict[int, int] = {one.id: one.parent_id for one in listing}
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        names = _names_of(cursor, [one.id for one in listing if not one.name])
        if not complete:
            cursor.execute("SELECT wecom_id, parent_wecom_id FROM members_department WHERE deleted_at IS NULL")
            parents = {key: parent or 0 for key, parent in cursor.fetchall()} | parents
        rows = [
            (
                one.id,
                (one.name or names.get(one.id, ""))[:128],
                one.parent_id or None,
                path_of(one.id, parents),
                one.order,
            )
            for one in listing
        ]
        columns = {"wecom_id": "bigint", "name": "text", "parent": "bigint", "path": "bigint[]", "place": "bigint"}
        stage(cursor, "stage_department", columns, rows)
        cursor.execute(_WRITE_DEPARTMENTS)
        changed: int = cursor.rowcount
        if complete and listing:
            cursor.execute(
                "UPDATE members_department d SET deleted_at = %s WHERE deleted_at IS NULL"
                " AND NOT EXISTS (SELECT FROM pg_temp.stage_department s WHERE s.wecom_id = d.wecom_id)",
                [at],
            )
            changed += cursor.rowcount
    return changed


def _names_of(cursor: Any, ids: list[int]) -> dict[int, str]:
    if not ids:
        return {}
    cursor.execute("SELECT wecom_id, name FROM members_department WHERE wecom_id = ANY(%s)", [ids])
    return dict(cursor.fetchall())


def path_of(department: int, parents: Mapping[int, int]) -> list[int]:
    """From the topmost visible ancestor down; a ring in the answer ends the walk."""
    path = [department]
    while (parent := parents.get(path[-1], 0)) and parent in parents and parent not in path:
        path.append(parent)
    return path[::-1]
