"""What an administrator does with the tags of contacts (通讯录标签). Only a change of members is told: update_tag."""

from __future__ import annotations

from typing import Any

from sandbox.acts import CannotAct, Scene, act
from sandbox.corp import Corp
from sandbox.objects import StaffTag


def the_staff_tag(scene: Scene) -> StaffTag:
    found = scene.corp.staff_tags.get(int(scene.wish.get("tag_id") or 0))
    if found is None:
        raise CannotAct(f"没有这个通讯录标签：{scene.text('tag_id')}")
    return found


def free_name(scene: Scene) -> str:
    name = scene.text("name").strip()[:32]
    if not name or any(tag.name == name for tag in scene.corp.staff_tags.values()):
        raise CannotAct(f"标签名为空或重复：{name}")
    return name


def users_of(scene: Scene, name: str) -> list[str]:
    members = [scene.corp.staff.get(str(userid).lower()) for userid in scene.wish.get(name) or ()]
    if None in members:
        raise CannotAct("没有这个成员")
    return [staff.userid for staff in members if staff is not None]


def parties_of(scene: Scene, name: str) -> list[int]:
    numbers = [int(number) for number in scene.wish.get(name) or ()]
    if any(number not in scene.corp.departments for number in numbers):
        raise CannotAct("部门不存在")
    return numbers


@act
def staff_tag_create(scene: Scene) -> dict[str, Any]:
    corp = scene.corp
    tag = StaffTag(max(corp.staff_tags, default=0) + 1, free_name(scene))
    tag.users, tag.parties = users_of(scene, "users"), parties_of(scene, "parties")
    corp.staff_tags[tag.id] = tag
    corp.touch("staff_tag", str(tag.id))
    return {"tag_id": tag.id}


@act
def staff_tag_rename(scene: Scene) -> dict[str, Any]:
    tag = the_staff_tag(scene)
    tag.name = free_name(scene)
    scene.corp.touch("staff_tag", str(tag.id))
    return {}


@act
def staff_tag_delete(scene: Scene) -> dict[str, Any]:
    tag = the_staff_tag(scene)
    del scene.corp.staff_tags[tag.id]
    scene.corp.touch("staff_tag", str(tag.id))
    return {}


@act
def staff_tag_members(scene: Scene) -> dict[str, Any]:
    """Members and departments are put into a tag and taken out; the event names those it changes something for."""
    corp, tag = scene.corp, the_staff_tag(scene)
    add_users = [one for one in users_of(scene, "add_users") if one not in tag.users]
    del_users = [one for one in users_of(scene, "remove_users") if one in tag.users]
    add_parties = [one for one in parties_of(scene, "add_parties") if one not in tag.parties]
    del_parties = [one for one in parties_of(scene, "remove_parties") if one in tag.parties]
    tag.users = [one for one in [*tag.users, *add_users] if one not in del_users]
    tag.parties = [one for one in [*tag.parties, *add_parties] if one not in del_parties]
    corp.touch("staff_tag", str(tag.id))
    told = {"AddUserItems": add_users, "DelUserItems": del_users}
    told |= {"AddPartyItems": [str(one) for one in add_parties], "DelPartyItems": [str(one) for one in del_parties]}
    fields = {name: ",".join(items) for name, items in told.items() if items}
    if fields:
        scene.world.sender.contact_event(corp, "update_tag", TagId=tag.id, **fields)
    return {}


def rename(corp: Corp, old: str, new: str) -> None:
    for tag in corp.staff_tags.values():
        if old in tag.users:
            tag.users = [new if one == old else one for one in tag.users]
            corp.touch("staff_tag", str(tag.id))


def forget_member(corp: Corp, userid: str) -> None:
    """Who left the corp is in no tag any more; WeCom sends no update_tag for it."""
    for tag in corp.staff_tags.values():
        if userid in tag.users:
            tag.users.remove(userid)
            corp.touch("staff_tag", str(tag.id))


def forget_department(corp: Corp, number: int) -> None:
    for tag in corp.staff_tags.values():
        if number in tag.parties:
            tag.parties.remove(number)
            corp.touch("staff_tag", str(tag.id))
