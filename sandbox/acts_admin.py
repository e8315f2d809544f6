"""What an administrator does in the console: tags, members, departments."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sandbox import acts_staff_tags, contact_ways, conversations, mass
from sandbox.acts import CannotAct, Scene, act
from sandbox.objects import Department, Staff, Tag, TagGroup

# -- tags ------------------------------------------------------------------------------------------------------------


def the_tag(scene: Scene) -> tuple[TagGroup, Tag]:
    found = scene.corp.live_tag(scene.text("tag_id"))
    if found is None:
        raise CannotAct(f"没有这个标签：{scene.text('tag_id')}")
    return found


def the_tag_group(scene: Scene) -> TagGroup:
    found = scene.corp.tag_groups.get(scene.text("group_id"))
    if found is None or found.deleted:
        raise CannotAct(f"没有这个标签组：{scene.text('group_id')}")
    return found


def check_free(group: TagGroup, name: str) -> str:
    if not name:
        raise CannotAct("请填写名称")
    if any(tag.name == name for tag in group.live()):
        raise CannotAct(f"标签名重复：{name}")
    return name[:30]


@act
def tag_group_create(scene: Scene) -> dict[str, Any]:
    """A new group with its tags: one event for the group and one for each tag."""
    corp, now = scene.corp, int(time.time())
    names = list(dict.fromkeys(str(name) for name in scene.wish.get("tags") or ("默认标签",)))
    group = TagGroup(corp.new_id("et"), scene.text("name", "新标签组"), now)
    group.tags = [Tag(corp.new_id("et"), name, now) for name in names]
    group.strategy_id = int(scene.wish.get("strategy_id") or 0)
    corp.add_tag_group(group)
    if group.strategy_id:  # its events go to apps with the right for rule groups
        return {"group_id": group.group_id, "tags": [tag.id for tag in group.tags]}
    scene.world.sender.tag_event(corp, "create", group.group_id, "tag_group")
    for tag in group.tags:
        scene.world.sender.tag_event(corp, "create", tag.id, "tag")
    return {"group_id": group.group_id, "tags": [tag.id for tag in group.tags]}


@act
def tag_create(scene: Scene) -> dict[str, Any]:
    group = the_tag_group(scene)
    tag = Tag(scene.corp.new_id("et"), check_free(group, scene.text("name")), int(time.time()))
    scene.corp.add_tag(group, tag)
    scene.world.sender.tag_event(scene.corp, "create", tag.id, "tag")
    return {"tag_id": tag.id}


@act
def tag_rename(scene: Scene) -> dict[str, Any]:
    group, tag = the_tag(scene)
    tag.name = check_free(group, scene.text("name"))
    scene.corp.touch("tags", group.group_id)
    scene.world.sender.tag_event(scene.corp, "update", tag.id, "tag")
    return {}


@act
def tag_group_rename(scene: Scene) -> dict[str, Any]:
    group = the_tag_group(scene)
    group.group_name = scene.text("name", group.group_name)[:30]
    scene.corp.touch("tags", group.group_id)
    scene.world.sender.tag_event(scene.corp, "update", group.group_id, "tag_group")
    return {}


@act
def tag_delete(scene: Scene) -> dict[str, Any]:
    group, tag = the_tag(scene)
    emptied = scene.corp.delete_tag(group, tag)
    scene.world.sender.tag_event(scene.corp, "delete", tag.id, "tag")
    if emptied:
        scene.world.sender.tag_event(scene.corp, "delete", group.group_id, "tag_group")
    return {"group_deleted": emptied}


@act
def tag_group_delete(scene: Scene) -> dict[str, Any]:
    group = the_tag_group(scene)
    for tag in group.live():
        scene.corp.delete_tag(group, tag)
    scene.world.sender.tag_event(scene.corp, "delete", group.group_id, "tag_group")
    return {}


@act
def tag_shuffle(scene: Scene) -> dict[str, Any]:
    """The order of tags in a group (or, without one, of the groups) is changed."""
    corp = scene.corp
    if scene.text("group_id"):
        group = the_tag_group(scene)
        for tag, order in zip(group.live(), reversed([t.order for t in group.live()]), strict=True):
            tag.order = order
        corp.touch("tags", group.group_id)
        scene.world.sender.tag_event(corp, "shuffle", group.group_id, "tag_group")
        return {}
    groups = [group for group in corp.tag_groups.values() if not group.deleted]
    for group, order in zip(groups, reversed([g.order for g in groups]), strict=True):
        group.order = order
        corp.touch("tags", group.group_id)
    scene.world.sender.tag_event(corp, "shuffle", "", "")
    return {}


# -- members and departments -----------------------------------------------------------------------------------------


def comma(values: Sequence[int | str]) -> str:
    return ",".join(map(str, values))


@act
def staff_joins(scene: Scene) -> dict[str, Any]:
    corp, userid = scene.corp, scene.text("userid")
    if not userid or userid.lower() in corp.staff:
        raise CannotAct(f"账号为空或已存在：{userid}")
    departments = [int(number) for number in scene.wish.get("departments") or (1,)]
    if any(number not in corp.departments for number in departments):
        raise CannotAct("部门不存在")
    staff = Staff(userid, scene.text("name", userid), departments, scene.text("position", "客户经理"))
    staff.customer_contact = bool(scene.wish.get("customer_contact", True))
    corp.staff[userid.lower()] = staff
    corp.left.pop(userid.lower(), None)
    corp.touch("staff", userid.lower())
    corp.touch("left", userid.lower())
    scene.world.sender.contact_event(
        corp,
        "create_user",
        UserID=userid,
        Name=staff.name,
        Department=comma(departments),
        MainDepartment=departments[0],
        IsLeaderInDept=comma([0] * len(departments)),
        Position=staff.position,
        Status=1,
    )
    return {"userid": userid}


@act
def staff_updates(scene: Scene) -> dict[str, Any]:
    """Name, departments, position, status, right or userid of a member change; the event holds only what changed."""
    corp, staff, wish = scene.corp, scene.staff(), scene.wish
    fields: dict[str, Any] = {}
    new_userid = scene.text("new_userid")
    if new_userid and new_userid != staff.userid:
        fields["NewUserID"] = new_userid
    if wish.get("name"):
        fields["Name"] = staff.name = scene.text("name")
    if wish.get("departments"):
        staff.departments = [int(number) for number in wish["departments"]]
        fields |= {"Department": comma(staff.departments), "MainDepartment": staff.departments[0]}
        fields["IsLeaderInDept"] = comma([int(number in staff.leader_in) for number in staff.departments])
    if wish.get("position") is not None:
        fields["Position"] = staff.position = scene.text("position")
    if wish.get("direct_leader") is not None:
        staff.direct_leader = [scene.text("direct_leader")] if wish["direct_leader"] else []
        fields["DirectLeader"] = comma(staff.direct_leader)
    if wish.get("status") is not None:
        fields["Status"] = staff.status = int(wish["status"])
    if wish.get("customer_contact") is not None:
        staff.customer_contact = bool(wish["customer_contact"])
    old = staff.userid
    if "NewUserID" in fields:
        rename(scene, staff, new_userid)
    corp.touch("staff", staff.userid.lower())
    if fields:
        scene.world.sender.contact_event(corp, "update_user", UserID=old, **fields)
    return {"userid": staff.userid}


def rename(scene: Scene, staff: Staff, userid: str) -> None:
    corp, old = scene.corp, staff.userid
    if userid.lower() != old.lower() and userid.lower() in corp.staff:
        raise CannotAct(f"账号已存在：{userid}")
    del corp.staff[old.lower()]
    corp.touch("staff", old.lower())
    for one in corp.staff.values():
        one.direct_leader = [userid if name == old else name for name in one.direct_leader]
    acts_staff_tags.rename(corp, old, userid)
    staff.userid = userid
    corp.staff[userid.lower()] = staff
    book = corp.books.pop(old.lower(), [])
    corp.books[userid.lower()] = book
    for follow in book:
        ties = corp.customers[follow.external_userid].follows
        del ties[old]
        follow.userid = userid
        ties[userid] = follow
        corp.touch("customer", follow.external_userid)
    conversations.rename(corp, old, userid)
    contact_ways.rename(corp, old, userid)
    mass.rename(corp, old, userid)
    for group in corp.groups.values():
        seat = group.members.pop(old, None)
        if seat is not None:
            seat.userid = userid
            group.members[userid] = seat
        group.owner = userid if group.owner == old else group.owner
        corp.touch("group", group.chat_id)


@act
def staff_leaves(scene: Scene) -> dict[str, Any]:
    """A member leaves the corp; his customers and groups wait for a new owner."""
    corp, staff = scene.corp, scene.staff()
    key = staff.userid.lower()
    del corp.staff[key]
    staff.status = 5
    corp.left[key] = staff
    corp.touch("staff", key)
    corp.touch("left", key)
    acts_staff_tags.forget_member(corp, staff.userid)
    for group in corp.groups.values():
        if group.owner == staff.userid and not group.dismissed:
            group.status = 1
            corp.touch("group", group.chat_id)
    scene.world.sender.contact_event(corp, "delete_user", UserID=staff.userid)
    return {}


@act
def department_create(scene: Scene) -> dict[str, Any]:
    corp, parent = scene.corp, int(scene.wish.get("parentid") or 1)
    if parent not in corp.departments:
        raise CannotAct("上级部门不存在")
    department = Department(max(corp.departments) + 1, scene.text("name", "新部门"), parent, 100)
    corp.departments[department.id] = department
    corp.touch("department", str(department.id))
    scene.world.sender.contact_event(
        corp, "create_party", Id=department.id, Name=department.name, ParentId=str(parent), Order=department.order
    )
    return {"id": department.id}


@act
def department_update(scene: Scene) -> dict[str, Any]:
    corp = scene.corp
    department = corp.departments.get(int(scene.wish.get("id") or 0))
    if department is None:
        raise CannotAct("部门不存在")
    fields: dict[str, Any] = {"Id": department.id}
    if scene.wish.get("name"):
        fields["Name"] = department.name = scene.text("name")
    if scene.wish.get("parentid"):
        department.parentid = int(scene.wish["parentid"])
        fields["ParentId"] = str(department.parentid)
    corp.touch("department", str(department.id))
    scene.world.sender.contact_event(corp, "update_party", **fields)
    return {}


@act
def department_delete(scene: Scene) -> dict[str, Any]:
    corp, number = scene.corp, int(scene.wish.get("id") or 0)
    if number not in corp.departments or number == 1:
        raise CannotAct("部门不存在")
    if any(number in staff.departments for staff in corp.staff.values()) or len(corp.subtree([number])) > 1:
        raise CannotAct("部门内还有成员或下级部门")
    del corp.departments[number]
    acts_staff_tags.forget_department(corp, number)
    corp.touch("department", str(number))
    scene.world.sender.contact_event(corp, "delete_party", Id=number)
    return {}
