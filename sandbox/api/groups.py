"""Customer groups (wecom-api.md 5.4)."""

from __future__ import annotations

from typing import Any

from sandbox import cursors
from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.corp import Corp
from sandbox.errors import ApiError
from sandbox.objects import App, GroupChat, GroupMember


def visible_group(corp: Corp, app: App, group: GroupChat) -> bool:
    owner = corp.staff.get(group.owner.lower()) or corp.left.get(group.owner.lower())
    return owner is not None and corp.sees(app, owner)


@api("POST", "externalcontact/groupchat/list", SELLING_KINDS)
def group_list(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    limit = ask.number("limit", 1, 1000)
    status = ask.number("status_filter", 0, 3, 0)
    owners = asked_owners(ask)
    if owners is None and len(corp.visible_staff(ask.app)) > 1000:
        raise ApiError(81017)
    asked = cursors.question("groups", status, sorted(owners or ()))
    (start,) = cursors.take(corp, asked, ask.body.get("cursor"), 1)
    wanted = cursors.page_size(corp, limit, start)
    rows: list[dict[str, Any]] = []
    place = 0
    for position, group in enumerate(corp.groups.values()):  # dismissed groups stay in it, so places hold
        if position < start or not there(group, ask.now) or not visible_group(corp, ask.app, group):
            continue
        if (status and group.status != status) or (owners is not None and group.owner.lower() not in owners):
            continue
        if len(rows) == wanted:
            place = position
            break
        rows.append({"chat_id": group.chat_id, "status": group.status})
    answer: dict[str, Any] = {"group_chat_list": rows}
    if place:
        answer["next_cursor"] = cursors.give(corp, asked, place)
    return answer


def asked_owners(ask: Ask) -> set[str] | None:
    asked = ask.body.get("owner_filter")
    if not asked:
        return None
    if not isinstance(asked, dict):
        raise ApiError(40058, "owner_filter")
    userids = asked.get("userid_list") or []
    if not isinstance(userids, list) or len(userids) > 100:
        raise ApiError(40058, "userid_list exceed max size 100")
    return {str(userid).lower() for userid in userids} or None


def settled(group: GroupChat, now: float) -> bool:
    """Whether reads show the group as it is; else they show `before`, the picture of some seconds ago."""
    while group.waiting and group.waiting[0][0] <= now:
        _, group.before = group.waiting.pop(0)
    return not group.waiting


def there(group: GroupChat, now: float) -> bool:
    return not group.dismissed if settled(group, now) else group.before is not None


def seat_view(member: GroupMember) -> dict[str, Any]:
    view: dict[str, Any] = {
        "userid": member.userid,
        "type": member.type,
        "join_time": member.join_time,
        "join_scene": member.join_scene,
        "group_nickname": member.group_nickname,
        "name": member.name,
    }
    if member.unionid:
        view["unionid"] = member.unionid
    if member.state:
        view["state"] = member.state
    if member.invitor:
        view["invitor"] = {"userid": member.invitor}
    return view


def group_view(group: GroupChat) -> dict[str, Any]:
    return {
        "chat_id": group.chat_id,
        "name": group.name,
        "owner": group.owner,
        "create_time": group.create_time,
        "notice": group.notice,
        "member_list": [seat_view(member) for member in group.members.values()],
        "admin_list": [{"userid": userid} for userid in group.admins],
        "member_version": group.version,
    }


@api("POST", "externalcontact/groupchat/get", SELLING_KINDS)
def group_get(ask: Ask) -> dict[str, Any]:
    chat_id = ask.text("chat_id", 64)
    if not chat_id:
        raise ApiError(40063, "chat_id")
    group = ask.corp.groups.get(chat_id)
    if group is None or not visible_group(ask.corp, ask.app, group):
        raise ApiError(40058, "invalid chat_id")
    if not there(group, ask.now):
        raise ApiError(49008 if group.dismissed else 40058, "invalid chat_id")
    view = group_view(group) if settled(group, ask.now) or group.before is None else group.before
    if not ask.number("need_name", 0, 1, 0):
        view = view | {"member_list": [{k: v for k, v in seat.items() if k != "name"} for seat in view["member_list"]]}
    return {"group_chat": view}
