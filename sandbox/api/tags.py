"""Corp tags (wecom-api.md 5.2)."""

from __future__ import annotations

from typing import Any

from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.errors import ApiError
from sandbox.objects import App, Tag, TagGroup

LONGEST_NAME = 30
MAX_ORDER = 2**32 - 1


def tag_view(tag: Tag) -> dict[str, Any]:
    view: dict[str, Any] = {"id": tag.id, "name": tag.name, "create_time": tag.create_time, "order": tag.order}
    return view | {"deleted": True} if tag.deleted else view


def group_view(group: TagGroup, tags: list[Tag]) -> dict[str, Any]:
    tags = sorted(tags, key=lambda tag: -tag.order)
    view: dict[str, Any] = {
        "group_id": group.group_id,
        "group_name": group.group_name,
        "create_time": group.create_time,
        "order": group.order,
        "tag": [tag_view(tag) for tag in tags],
    }
    return view | {"deleted": True} if group.deleted else view


@api("POST", "externalcontact/get_corp_tag_list", SELLING_KINDS)
def tag_list(ask: Ask) -> dict[str, Any]:
    """All live tags; what was deleted shows only when asked for by id. group_id wins over tag_id."""
    group_ids, tag_ids = ask.strings("group_id", 3000), ask.strings("tag_id", 3000)
    listed = [group for group in ask.corp.tag_groups.values() if not group.strategy_id]
    groups = sorted(listed, key=lambda group: -group.order)
    if group_ids:
        return {"tag_group": [group_view(group, group.tags) for group in groups if group.group_id in set(group_ids)]}
    if tag_ids:
        wanted = set(tag_ids)
        picked = [(group, [tag for tag in group.tags if tag.id in wanted]) for group in groups]
        return {"tag_group": [group_view(group, tags) for group, tags in picked if tags]}
    return {"tag_group": [group_view(group, group.live()) for group in groups if not group.deleted]}


def check_name(name: Any, what: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ApiError(40063, f"{what} is empty")
    if len(name) > LONGEST_NAME:
        raise ApiError(40058, f"{what} exceed max length {LONGEST_NAME}")
    return name


def check_order(order: Any) -> int:
    if order is None:
        return 0
    if not isinstance(order, int) or isinstance(order, bool) or not 0 <= order <= MAX_ORDER:
        raise ApiError(40058, "order out of range")
    return order


def asked_tags(ask: Ask) -> dict[str, int]:
    """Names with their order; the same name twice is one tag."""
    given = ask.body.get("tag")
    if not isinstance(given, list) or not given:
        raise ApiError(40063, "tag is empty")
    wanted: dict[str, int] = {}
    for item in given:
        if not isinstance(item, dict):
            raise ApiError(40058, "tag is not a list of objects")
        wanted.setdefault(check_name(item.get("name"), "tag name"), check_order(item.get("order", 0)))
    return wanted


def target_group(ask: Ask) -> TagGroup:
    """The group the new tags go to: the one of that id, the one of that name, or a new one."""
    group_id = ask.text("group_id", 64)
    if group_id:
        found = ask.corp.tag_groups.get(group_id)
        if found is None or found.deleted:
            raise ApiError(40068, "invalid group_id")
        return found
    name = check_name(ask.body.get("group_name"), "group_name")
    for group in ask.corp.tag_groups.values():
        if group.group_name == name and not group.deleted:
            return group
    order = check_order(ask.body.get("order", 0))
    return TagGroup(ask.corp.new_id("et"), name, int(ask.now), order, ask.app.key)


@api("POST", "externalcontact/add_corp_tag", SELLING_KINDS)
def tag_add(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    wanted = asked_tags(ask)
    group = target_group(ask)
    known = {tag.name: tag for tag in group.live()}
    if corp.live_tags() + len(wanted.keys() - known.keys()) > corp.limits.max_tags:
        raise ApiError(40126)
    events = []
    if group.group_id not in corp.tag_groups:
        corp.add_tag_group(group)
        events.append((group.group_id, "tag_group"))
    for name, order in wanted.items():
        if name not in known:
            known[name] = Tag(corp.new_id("et"), name, int(ask.now), order)
            corp.add_tag(group, known[name])
            events.append((known[name].id, "tag"))
    for tag_id, kind in events:
        ask.world.sender.tag_event(corp, "create", tag_id, kind, by=ask.app)
    ask.world.effects.note(corp, "add_corp_tag", group=group.group_name, tags=list(wanted))
    return {"tag_group": group_view(group, [known[name] for name in wanted])}


def check_owner(app: App, group: TagGroup) -> None:
    """Apps change only tags of their own making; the 客户联系 secret changes all."""
    if app.kind != "contact" and group.owner != app.key:
        raise ApiError(81011)


@api("POST", "externalcontact/edit_corp_tag", SELLING_KINDS)
def tag_edit(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    wanted = ask.text("id", 64)
    if not wanted:
        raise ApiError(40063, "id is empty")
    group = corp.tag_groups.get(wanted)
    live = corp.live_tag(wanted)
    if live is None and (group is None or group.deleted):
        raise ApiError(40068)
    name = check_name(ask.body["name"], "name") if ask.body.get("name") is not None else None
    order = check_order(ask.body["order"]) if ask.body.get("order") is not None else None
    if live is not None:
        group, tag = live
        check_owner(ask.app, group)
        if name is not None and any(other.name == name and other is not tag for other in group.live()):
            raise ApiError(40071)
        tag.name, tag.order = name or tag.name, tag.order if order is None else order
    elif group is not None:
        check_owner(ask.app, group)
        others = [other for other in corp.tag_groups.values() if not other.deleted and other is not group]
        if name is not None and any(other.group_name == name for other in others):
            raise ApiError(40071)
        group.group_name, group.order = name or group.group_name, group.order if order is None else order
    if group is not None:
        corp.touch("tags", group.group_id)
    ask.world.effects.note(corp, "edit_corp_tag", tag_id=wanted, name=name)
    ask.world.sender.tag_event(corp, "update", wanted, "tag" if live else "tag_group", by=ask.app)
    return {}


@api("POST", "externalcontact/del_corp_tag", SELLING_KINDS)
def tag_delete(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    tag_ids, group_ids = ask.strings("tag_id", 3000), ask.strings("group_id", 3000)
    if not tag_ids and not group_ids:
        raise ApiError(40063, "tag_id and group_id are both empty")
    doomed: dict[str, tuple[TagGroup, Tag]] = {}
    for group_id in group_ids:
        group = corp.tag_groups.get(group_id)
        if group is None or group.deleted:
            raise ApiError(40068)
        doomed |= {tag.id: (group, tag) for tag in group.live()}
    for tag_id in tag_ids:
        live = corp.live_tag(tag_id)
        if live is None:
            raise ApiError(40068)
        doomed[tag_id] = live
    for group, _ in doomed.values():
        check_owner(ask.app, group)
    for group, tag in doomed.values():
        emptied = corp.delete_tag(group, tag)
        ask.world.sender.tag_event(corp, "delete", tag.id, "tag", by=ask.app)
        if emptied:
            ask.world.sender.tag_event(corp, "delete", group.group_id, "tag_group", by=ask.app)
    ask.world.effects.note(corp, "del_corp_tag", tags=list(doomed))
    return {}


@api("POST", "externalcontact/mark_tag", SELLING_KINDS)
def tag_mark(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    staff = corp.seller(ask.body.get("userid"), ask.app)
    follow = corp.follow(staff, ask.body.get("external_userid"))
    add, remove = ask.strings("add_tag", 3000), ask.strings("remove_tag", 3000)
    if not add and not remove:
        raise ApiError(40063, "add_tag and remove_tag are both empty")
    for tag_id in (*add, *remove):
        live = corp.live_tag(tag_id)
        if live is None or (live[0].strategy_id and live[0].owner != ask.app.key):
            raise ApiError(40068)
    kept = [tag_id for tag_id in follow.tags if tag_id not in remove]
    tags = list(dict.fromkeys([*kept, *add]))
    if len(tags) > corp.limits.max_tags:
        raise ApiError(40126)
    changed = tags != follow.tags
    follow.tags = tags
    corp.touch("customer", follow.external_userid)
    ask.world.effects.note(
        corp,
        "mark_tag",
        userid=staff.userid,
        external_userid=follow.external_userid,
        add=add,
        remove=remove,
        changed=changed,
    )
    ask.world.sender.customer_event(corp, "edit_external_contact", follow, by=ask.app)
    return {}
