"""Customer groups and the stays of their members, written in sets."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from contacts.bulk.customers import SUBJECT, known_customers
from contacts.bulk.stays import GroupHeard, Stay, Turnover, compare
from contacts.bulk.timeline import Entry, write_timeline
from contacts.models.timeline import TimelineEntry
from members.bulk import staff_ids
from tenants.staging import new_ids, one_writer, stage
from wecom.objects import GroupChatInfo

Kind = TimelineEntry.Kind

_GROUP = {
    "id": "bigint",
    "known": "boolean",
    "chat_id": "text",
    "name": "text",
    "owner_id": "bigint",
    "owner_userid": "text",
    "notice": "text",
    "status": "smallint",
    "member_version": "text",
    "member_count": "integer",
    "customer_count": "integer",
    "opened_at": "timestamptz",
    "dismissed_at": "timestamptz",
}
_FIELDS = tuple(_GROUP)[3:]
_INSERT_GROUPS = f"""
INSERT INTO contacts_groupchat (id, chat_id, {", ".join(_FIELDS)}, synced_at)
SELECT id, chat_id, {", ".join(_FIELDS)}, now() FROM pg_temp.stage_group WHERE NOT known ORDER BY id
"""
_UPDATE_GROUPS = f"""
UPDATE contacts_groupchat g SET {", ".join(f"{name} = s.{name}" for name in _FIELDS)}, synced_at = now()
FROM pg_temp.stage_group s WHERE g.id = s.id AND s.known
"""
_STAY = {
    "chat_id": "bigint",
    "member_id": "text",
    "kind": "smallint",
    "customer_id": "bigint",
    "name": "text",
    "joined_at": "timestamptz",
    "left_at": "timestamptz",
    "left_by": "text",
    "join_scene": "smallint",
    "invitor": "text",
    "state": "text",
    "is_admin": "boolean",
}
_WRITE_STAYS = f"""
INSERT INTO contacts_groupmember ({", ".join(_STAY)})
SELECT {", ".join(_STAY)} FROM pg_temp.stage_stay
ON CONFLICT (chat_id, member_id, joined_at) DO UPDATE SET left_at = EXCLUDED.left_at, left_by = EXCLUDED.left_by,
    name = EXCLUDED.name, is_admin = EXCLUDED.is_admin
"""


@dataclass(slots=True)
class GroupNews:
    """What was told about one group. `info` is None when WeCom no longer shows it."""

    chat_id: str
    info: GroupChatInfo | None
    status: int | None = None
    heard: list[GroupHeard] = field(default_factory=list)

    @property
    def dismissed_at(self) -> datetime | None:
        return max((one.at for one in self.heard if one.change == "dismiss"), default=None)


@dataclass(slots=True)
class GroupsWritten:
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    joined: int = 0
    left: int = 0
    listed: list[int] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, Any]:
        return {
            "groups_new": self.new,
            "groups_changed": self.changed,
            "groups_unchanged": self.unchanged,
            "members_joined": self.joined,
            "members_left": self.left,
        }


@dataclass(slots=True)
class _Group:
    """A group's row."""

    id: int
    chat_id: str
    name: str = ""
    owner_id: int | None = None
    owner_userid: str = ""
    notice: str = ""
    status: int = 0
    member_version: str = ""
    member_count: int = 0
    customer_count: int = 0
    opened_at: datetime | None = None
    dismissed_at: datetime | None = None

    @property
    def told(self) -> tuple[object, ...]:
        return self.name, self.owner_userid, self.notice, self.status, self.member_version, self.dismissed_at


@transaction.atomic(savepoint=False)
def write_groups(news: Sequence[GroupNews], *, at: datetime, source: str) -> GroupsWritten:
    """Write groups as they are now, and who joined and left; running it again changes nothing."""
    if not news:
        return GroupsWritten()
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        return _Set(cursor, news, at, source).write()


class _Set:
    """The work on one set of groups."""

    def __init__(self, cursor: Any, news: Sequence[GroupNews], at: datetime, source: str) -> None:
        self.cursor, self.news, self.at, self.source = cursor, news, at, source
        self.known = self._known_groups([one.chat_id for one in news])
        fresh = sorted({one.chat_id for one in news if one.chat_id not in self.known})
        self.new = dict(zip(fresh, new_ids(cursor, "contacts_groupchat", len(fresh)), strict=True))
        owners = staff_ids(one.info.owner for one in news if one.info)
        self.owners = {**owners, "": None}
        self.rows: list[tuple[_Group, bool]] = []
        self.entries: list[Entry] = []
        self.moves: dict[int, tuple[Turnover, bool]] = {}
        self.done = GroupsWritten()

    def write(self) -> GroupsWritten:
        stays = self._stays([self.known[one.chat_id].id for one in self.news if self._differs(one)])
        staff = self._staff_among({member for one in self.news for heard in one.heard for member in heard.members})
        for one in self.news:
            self._take(one, stays, staff)
        self._write_rows()
        self._write_stays()
        write_timeline(self.entries, source=self.source)
        return self.done

    def _differs(self, one: GroupNews) -> bool:
        """Whether a known group needs a look at its members: WeCom's version changes with each joining and leaving."""
        known = self.known.get(one.chat_id)
        if known is None:
            return False
        return bool(one.heard) or one.info is None or one.info.member_version != known.member_version

    def _take(self, one: GroupNews, stays: dict[int, list[Stay]], staff: set[str]) -> None:
        before = self.known.get(one.chat_id)
        if one.info is None and one.dismissed_at is None:
            return  # unreadable, and nobody said why: the next reading will tell
        group = self._row(one, before)
        self.done.listed.append(group.id)
        turnover = self._turnover(one, group, stays.get(group.id, []), staff, before)
        if before is not None and before.told == group.told and not turnover.changed:
            self.done.unchanged += 1
            return
        self.rows.append((group, before is not None))
        self.moves[group.id] = turnover, before is not None or bool(one.heard)
        self._note(one, before, group)

    def _row(self, one: GroupNews, before: _Group | None) -> _Group:
        info, pk = one.info, before.id if before else self.new[one.chat_id]
        group = _Group(pk, one.chat_id)
        if before is not None:
            group = _Group(*(getattr(before, name) for name in _Group.__slots__))
        if info is not None:
            group.name, group.notice, group.owner_userid = info.name[:128], info.notice, info.owner[:64]
            group.owner_id = self.owners[info.owner.lower()]
            group.member_version, group.opened_at = info.member_version[:64], info.created_at or group.opened_at
            group.member_count = len(info.members)
            group.customer_count = sum(1 for member in info.members if member.type == 2)
        group.status = one.status if one.status is not None else group.status
        group.dismissed_at = group.dismissed_at or one.dismissed_at
        return group

    def _turnover(
        self, one: GroupNews, group: _Group, stays: list[Stay], staff: set[str], before: _Group | None
    ) -> Turnover:
        heard = sorted(one.heard, key=lambda news: news.at)
        if one.info is not None and group.dismissed_at is None:
            if before is not None and not self._differs(one):
                return Turnover()
            return compare(one.info, stays, heard, staff=staff, at=self.at)
        left = [stay for stay in stays if stay.left_at is None]
        for stay in left:
            stay.left_at, stay.changed = max(group.dismissed_at or self.at, stay.joined_at), True
        return Turnover(changed=left)

    # -- reading -----------------------------------------------------------------------------------------------------

    def _known_groups(self, chat_ids: list[str]) -> dict[str, _Group]:
        names = ", ".join(_Group.__slots__)
        self.cursor.execute(f"SELECT {names} FROM contacts_groupchat WHERE chat_id = ANY(%s)", [chat_ids])
        return {row[1]: _Group(*row) for row in self.cursor.fetchall()}

    def _stays(self, group_ids: list[int]) -> dict[int, list[Stay]]:
        found: dict[int, list[Stay]] = defaultdict(list)
        if group_ids:
            names = "member_id, joined_at, id, left_at, left_by, kind, name, join_scene, invitor, state, is_admin"
            self.cursor.execute(
                f"SELECT chat_id, {names} FROM contacts_groupmember WHERE chat_id = ANY(%s)", [group_ids]
            )
            for group_id, *values in self.cursor.fetchall():
                found[group_id].append(Stay(*values))
        return found

    def _staff_among(self, member_ids: Iterable[str]) -> set[str]:
        keys = [member_id.lower() for member_id in member_ids]
        if not keys:
            return set()
        self.cursor.execute("SELECT userid_key FROM members_staff WHERE userid_key = ANY(%s)", [keys])
        return {row[0] for row in self.cursor.fetchall()}

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write_rows(self) -> None:
        if not self.rows:
            return
        rows = []
        for group, known in self.rows:
            values = [getattr(group, name) for name in _FIELDS]
            rows.append((group.id, known, group.chat_id, *values))
        stage(self.cursor, "stage_group", _GROUP, rows)
        self.done.changed = sum(1 for _, known in self.rows if known)
        self.done.new = len(self.rows) - self.done.changed
        self.cursor.execute(_INSERT_GROUPS)
        self.cursor.execute(_UPDATE_GROUPS)

    def _write_stays(self) -> None:
        people = {stay.member_id for turnover, _ in self.moves.values() for stay in turnover.changed if stay.kind == 2}
        customers = {key: pk for key, (pk, _) in known_customers(self.cursor, people).items()} if people else {}
        rows: list[tuple[object, ...]] = []
        for group_id, (turnover, tell) in self.moves.items():
            self.done.joined += len(turnover.joined)
            self.done.left += len(turnover.left)
            rows.extend(_stay_row(group_id, stay, customers.get(stay.member_id)) for stay in turnover.changed)
            if tell:  # the members a group had when we first saw it are no news
                for stay in turnover.joined:
                    self._move(Kind.GROUP_JOINED, group_id, stay, stay.joined_at, customers)
                for stay in turnover.left:
                    self._move(Kind.GROUP_LEFT, group_id, stay, stay.left_at or self.at, customers)
        if rows:
            stage(self.cursor, "stage_stay", _STAY, rows)
            self.cursor.execute(_WRITE_STAYS)

    # -- the timeline ------------------------------------------------------------------------------------------------

    def _move(self, kind: str, group_id: int, stay: Stay, at: datetime, customers: dict[str, int]) -> None:
        key = f"{kind}:g{group_id}:{stay.member_id}:{int(stay.joined_at.timestamp())}"
        payload: dict[str, Any] = {"member": stay.member_id, "name": stay.name}
        if kind == Kind.GROUP_JOINED:
            payload |= {"scene": stay.join_scene, "invitor": stay.invitor, "state": stay.state}
        elif stay.left_by:
            payload["by"] = stay.left_by
        customer_id = customers.get(stay.member_id)
        self.entries.append(Entry(key, kind, at, customer_id, group_id, None, "", payload))

    def _note(self, one: GroupNews, before: _Group | None, group: _Group) -> None:
        at = max((heard.at for heard in one.heard), default=self.at)
        if any(heard.change == "create" for heard in one.heard):
            self._enter(Kind.GROUP_CREATED, group, group.opened_at or at, {"name": group.name})
        if group.dismissed_at and (before is None or before.dismissed_at is None):
            self._enter(Kind.GROUP_DISMISSED, group, group.dismissed_at, {})
        if before is None or one.info is None:
            return
        if before.owner_userid != group.owner_userid:
            self._enter(Kind.GROUP_OWNER_CHANGED, group, at, {"before": before.owner_userid, "now": group.owner_userid})
        if before.name != group.name:
            self._enter(Kind.GROUP_RENAMED, group, at, {"before": before.name, "now": group.name})
        if before.notice != group.notice:
            self._enter(Kind.GROUP_NOTICE_CHANGED, group, at, {})

    def _enter(self, kind: str, group: _Group, at: datetime, payload: dict[str, Any]) -> None:
        key = f"{kind}:g{group.id}:{int(at.timestamp())}"
        self.entries.append(Entry(key, kind, at, None, group.id, group.owner_id, "", payload))


def _stay_row(group_id: int, stay: Stay, customer_id: int | None) -> tuple[object, ...]:
    return (
        group_id,
        stay.member_id,
        stay.kind,
        customer_id,
        stay.name,
        stay.joined_at,
        stay.left_at,
        stay.left_by,
        stay.join_scene,
        stay.invitor,
        stay.state,
        stay.is_admin,
    )
