"""Who is and was in a group: the listing of now compared with the stays we know and the events we heard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wecom.objects import GroupChatInfo, GroupMemberInfo

SAME_JOINING = timedelta(seconds=60)
LEFT_BY = {"0": "self", "1": "removed"}  # QuitScene


@dataclass(frozen=True, slots=True)
class GroupHeard:
    """One event about one group."""

    change: str  # create, update, dismiss
    at: datetime
    detail: str = ""
    members: tuple[str, ...] = ()
    quit_scene: str = ""


@dataclass(slots=True)
class Stay:
    """One stay of one person; `id` is 0 until it is stored."""

    member_id: str
    joined_at: datetime
    id: int = 0
    left_at: datetime | None = None
    left_by: str = ""
    kind: int = 2
    name: str = ""
    join_scene: int | None = None
    invitor: str = ""
    state: str = ""
    is_admin: bool = False
    changed: bool = False


@dataclass(slots=True)
class Turnover:
    """What a comparison found."""

    changed: list[Stay] = field(default_factory=list)
    joined: list[Stay] = field(default_factory=list)
    left: list[Stay] = field(default_factory=list)


def compare(
    info: GroupChatInfo, stays: Iterable[Stay], heard: Sequence[GroupHeard], *, staff: set[str], at: datetime
) -> Turnover:
    """`stays` of this group, `staff` the lower-case userids among the people named by the events."""
    known = {(stay.member_id, stay.joined_at): stay for stay in stays}
    living = {stay.member_id: stay for stay in known.values() if stay.left_at is None}
    found = Turnover()
    listed = {member.id for member in info.members}
    for member in info.members:
        _listed(info, member, known, living, found, at)
    for stay in list(living.values()):
        if stay.member_id not in listed:
            stay.left_at, stay.left_by = _leaving(stay, heard, at)
            stay.changed = True
            found.left.append(stay)
    _told_late(known.values(), heard)
    _passed_through(listed, known, heard, staff, found, at)
    found.changed = [stay for stay in known.values() if stay.changed]
    return found


def _listed(
    info: GroupChatInfo,
    member: GroupMemberInfo,
    known: dict[tuple[str, datetime], Stay],
    living: dict[str, Stay],
    found: Turnover,
    at: datetime,
) -> None:
    joined_at = member.joined_at or info.created_at or at
    is_admin = member.id in info.admins
    name = (member.name or member.nickname)[:128]
    stay = known.get((member.id, joined_at))
    if stay is None:
        before = living.pop(member.id, None)
        if before is not None:
            before.left_at, before.changed = joined_at, True
            found.left.append(before)
        stay = Stay(
            member.id,
            joined_at,
            kind=1 if member.type == 1 else 2,
            join_scene=member.join_scene or None,
            invitor=member.invitor[:64],
            state=member.state[:64],
            changed=True,
        )
        known[member.id, joined_at] = stay
        found.joined.append(stay)
    elif (stay.left_at, stay.name, stay.is_admin) != (None, name, is_admin):
        stay.changed = True
    stay.left_at, stay.left_by, stay.name, stay.is_admin = None, "", name, is_admin
    living[member.id] = stay


def _leaving(stay: Stay, heard: Sequence[GroupHeard], at: datetime) -> tuple[datetime, str]:
    for one in reversed(heard):
        if one.detail == "del_member" and stay.member_id in one.members and one.at >= stay.joined_at:
            return one.at, LEFT_BY.get(one.quit_scene, "")
    return max([stay.joined_at, *(one.at for one in heard)]) if heard else at, ""


def _told_late(stays: Iterable[Stay], heard: Sequence[GroupHeard]) -> None:
    """The event of a leaving that a comparison had noticed before says when and how."""
    for stay in stays:
        if stay.left_at is None or stay.left_by:
            continue
        for one in heard:
            if (
                one.detail == "del_member"
                and stay.member_id in one.members
                and stay.joined_at <= one.at <= stay.left_at
            ):
                stay.left_at, stay.left_by, stay.changed = one.at, LEFT_BY.get(one.quit_scene, ""), True


def _passed_through(
    listed: set[str],
    known: dict[tuple[str, datetime], Stay],
    heard: Sequence[GroupHeard],
    staff: set[str],
    found: Turnover,
    at: datetime,
) -> None:
    """Who came and went between two readings is known from the events alone."""
    for one in heard:
        if one.detail != "add_member":
            continue
        for member_id in one.members:
            near = [key for key in known if key[0] == member_id and abs(key[1] - one.at) <= SAME_JOINING]
            if member_id in listed or near:
                continue
            stay = Stay(member_id, one.at, kind=1 if member_id.lower() in staff else 2, changed=True)
            leavings = [
                later
                for later in heard
                if later.detail == "del_member" and member_id in later.members and later.at >= one.at
            ]
            stay.left_at = leavings[0].at if leavings else max(at, one.at)
            stay.left_by = LEFT_BY.get(leavings[0].quit_scene, "") if leavings else ""
            known[member_id, one.at] = stay
            found.joined.append(stay)
            found.left.append(stay)
