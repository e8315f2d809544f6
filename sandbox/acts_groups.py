"""What happens in customer groups. Reads show it a moment after the event (wecom-api.md 2.2)."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sandbox import conversations
from sandbox.acts import CannotAct, Scene, act, the_customer
from sandbox.api.groups import group_view, settled
from sandbox.corp import Corp
from sandbox.objects import GroupChat, GroupMember


def the_group(scene: Scene) -> GroupChat:
    group = scene.corp.groups.get(scene.text("chat_id"))
    if group is None or group.dismissed:
        raise CannotAct(f"没有这个群：{scene.text('chat_id')}")
    return group


def lag(corp: Corp, group: GroupChat, new: bool = False) -> None:
    """Called before a change: reads will show it a moment later, each change in its turn."""
    now = time.time()
    picture = None if new else group_view(group)
    if settled(group, now):
        group.before = picture
    else:
        group.waiting[-1] = (group.waiting[-1][0], picture)
    group.waiting.append((now + corp.limits.group_delay, None))
    corp.touch("group", group.chat_id)


def update(scene: Scene, group: GroupChat, detail: str, **fields: Any) -> dict[str, Any]:
    scene.world.sender.group_event(scene.corp, "update", group, UpdateDetail=detail, **fields)
    return {"chat_id": group.chat_id}


def members_changed(
    scene: Scene, group: GroupChat, detail: str, changed: list[str], join: int, quit_: int
) -> dict[str, Any]:
    last, group.version = group.version, secrets.token_hex(16)
    fields: dict[str, Any] = {
        "JoinScene": join,
        "QuitScene": quit_,
        "MemChangeCnt": len(changed),
        "MemChangeList": changed,
    }
    update(scene, group, detail, **fields, LastMemVer=last, CurMemVer=group.version)
    return {"chat_id": group.chat_id, "changed": changed}


@act
def group_create(scene: Scene) -> dict[str, Any]:
    corp, owner, now = scene.corp, scene.staff("owner"), int(time.time())
    group = GroupChat(corp.new_id("wr"), scene.text("name"), owner.userid, now, version=secrets.token_hex(16))
    group.members[owner.userid] = GroupMember(owner.userid, 1, now, 1, owner.name)
    for member in scene.wish.get("members") or ():
        take_seat(scene, group, str(member), 1, owner.userid)
    lag(corp, group, new=True)
    corp.groups[group.chat_id] = group
    scene.world.sender.group_event(corp, "create", group)
    return {"chat_id": group.chat_id}


def take_seat(scene: Scene, group: GroupChat, member: str, join_scene: int, invitor: str) -> str:
    corp = scene.corp
    staff = corp.staff.get(member.lower())
    if staff is not None:
        seat = GroupMember(staff.userid, 1, int(time.time()), join_scene, staff.name)
    else:
        customer = corp.customers.get(member)
        if customer is None:
            raise CannotAct(f"没有这个人：{member}")
        seat = GroupMember(member, 2, int(time.time()), join_scene, customer.name, unionid=customer.unionid)
    if seat.userid in group.members:
        raise CannotAct(f"{seat.name} 已在群内")
    seat.invitor = invitor
    group.members[seat.userid] = seat
    return seat.userid


@act
def group_join(scene: Scene) -> dict[str, Any]:
    """People join: `members` (any ids), or one new or known customer; `scan`: by the QR code of the group."""
    group = the_group(scene)
    scan = bool(scene.wish.get("scan", True))
    asked = [str(member) for member in scene.wish.get("members") or ()] or [the_customer(scene).external_userid]
    lag(scene.corp, group)
    joined = [take_seat(scene, group, member, 3 if scan else 1, "" if scan else group.owner) for member in asked]
    for member in joined:
        if scan and scene.text("state"):
            group.members[member].state = scene.text("state")
        if member in scene.corp.customers:
            scene.corp.touch("customer", member)
            greet(scene, group, member)
    return members_changed(scene, group, "add_member", joined, 3 if scan else 0, 0)


def greet(scene: Scene, group: GroupChat, member: str) -> None:
    """The group's welcome template, with the newcomer's name in it."""
    template = scene.corp.group_welcomes.get(group.welcome)
    if template is None:
        return
    for kind, payload in template.content.items():
        text = str(payload.get("content") or "").replace("%NICKNAME%", group.members[member].name)
        said = {"content": text} if kind == "text" else payload
        conversations.say(scene.corp, group.owner, (), kind, said, chat_id=group.chat_id, via="welcome")


@act
def group_welcome_choose(scene: Scene) -> dict[str, Any]:
    """{chat_id, template_id}: the owner chooses a template in the client; without one, none."""
    group, template_id = the_group(scene), scene.text("template_id")
    if template_id and template_id not in scene.corp.group_welcomes:
        raise CannotAct("没有这个入群欢迎语")
    group.welcome = template_id
    scene.corp.touch("group", group.chat_id)
    return {"chat_id": group.chat_id}


def leave_seats(scene: Scene, quit_scene: int) -> dict[str, Any]:
    group = the_group(scene)
    asked = [str(member) for member in scene.wish.get("members") or ()] or [
        scene.text("external_userid") or scene.text("userid")
    ]
    missing = [member for member in asked if member not in group.members]
    if missing:
        raise CannotAct(f"不在群内：{', '.join(missing)}")
    lag(scene.corp, group)
    for member in asked:
        del group.members[member]
    group.admins = [admin for admin in group.admins if admin not in asked]
    return members_changed(scene, group, "del_member", asked, 0, quit_scene)


@act
def group_leave(scene: Scene) -> dict[str, Any]:
    return leave_seats(scene, 0)


@act
def group_kick(scene: Scene) -> dict[str, Any]:
    return leave_seats(scene, 1)


@act
def group_rename(scene: Scene) -> dict[str, Any]:
    group = the_group(scene)
    lag(scene.corp, group)
    group.name = scene.text("name")
    return update(scene, group, "change_name")


@act
def group_notice(scene: Scene) -> dict[str, Any]:
    group = the_group(scene)
    lag(scene.corp, group)
    group.notice = scene.text("notice")
    return update(scene, group, "change_notice")


@act
def group_owner(scene: Scene) -> dict[str, Any]:
    group, owner = the_group(scene), scene.staff("owner")
    lag(scene.corp, group)
    if owner.userid not in group.members:
        take_seat(scene, group, owner.userid, 1, group.owner)
    group.owner = owner.userid
    return update(scene, group, "change_owner")


@act
def group_dismiss(scene: Scene) -> dict[str, Any]:
    group = the_group(scene)
    lag(scene.corp, group)
    group.dismissed = True
    scene.world.sender.group_event(scene.corp, "dismiss", group)
    return {"chat_id": group.chat_id}
