"""Mass messages: making, listing, reminding and stopping them (wecom-api.md 5.7)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sandbox import conversations, cursors, mass
from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.api.attachments import check_attachments, check_text
from sandbox.errors import ApiError
from sandbox.mass import Aim, MassMessage, Task
from sandbox.objects import Customer, Follow, Staff

MOST_CUSTOMERS, MOST_GROUPS, MOST_TAGS = 10_000, 2000, 100
LONGEST_TEXT = 4000
MONTH = 31 * 86_400
REMINDERS, DAY = 3, 86_400
Plan = dict[str, list[str]]  # userid → whom he is asked to send to


@api("POST", "externalcontact/add_msg_template", SELLING_KINDS)
def add(ask: Ask) -> dict[str, Any]:
    """Makes a task for each member concerned; who cannot get it is named in fail_list."""
    corp = ask.corp
    chat_type = ask.body.get("chat_type") or "single"
    if chat_type not in ("single", "group"):
        raise ApiError(40058, "chat_type")
    sender = corp.seller(ask.body["sender"], ask.app) if ask.body.get("sender") else None
    text, attachments = check_text(ask.body, LONGEST_TEXT), check_attachments(ask, ask.body.get("attachments"))
    if not text and not attachments:
        raise ApiError(40063, "text and attachments are both empty")
    plan, failed = for_groups(ask, sender) if chat_type == "group" else for_customers(ask, sender)
    if not plan:
        raise ApiError(41048)
    tasks = {userid: Task(userid, [Aim(to) for to in aims]) for userid, aims in plan.items()}
    message = MassMessage(
        corp.new_id("msg", 40),
        len(corp.mailings.messages) + 1,
        str(chat_type),
        ask.now,
        ask.now + corp.limits.mass_dispatch_seconds,
        text,
        attachments,
        tasks,
        ask.body.get("allow_select") is True and chat_type == "single",
        app_key=ask.app.key,
    )
    mass.dispatch(corp, message)
    sizes = {userid: len(aims) for userid, aims in plan.items()}
    ask.world.effects.note(corp, "mass_message", msgid=message.msgid, chat_type=chat_type, text=text, tasks=sizes)
    return {"fail_list": failed, "msgid": message.msgid}


def for_groups(ask: Ask, sender: Staff | None) -> tuple[Plan, list[str]]:
    if sender is None:
        raise ApiError(40063, "sender is empty")
    corp = ask.corp
    asked = list(dict.fromkeys(ask.strings("chat_id_list", MOST_GROUPS)))
    own = {chat.chat_id: chat for chat in corp.groups.values() if chat.owner == sender.userid and not chat.dismissed}
    wanted = [chat for chat in asked or own if chat in own and not mass.at_limit(corp, chat, ask.now)]
    failed = [chat for chat in asked if chat not in set(wanted)]
    return ({sender.userid: wanted} if wanted else {}), failed


def for_customers(ask: Ask, sender: Staff | None) -> tuple[Plan, list[str]]:
    corp = ask.corp
    asked = list(dict.fromkeys(ask.strings("external_userid", MOST_CUSTOMERS)))
    tags = [] if asked else wanted_tags(ask)
    if not asked and not tags and sender is None:
        raise ApiError(41048)
    found: list[Customer | None]
    if asked:
        found = [corp.customers.get(external_userid) for external_userid in asked]
    elif sender is not None:
        found = [corp.customers[follow.external_userid] for follow in corp.book(sender)]
    else:
        found = list(corp.customers.values())
    plan: dict[str, list[str]] = defaultdict(list)
    failed = [external_userid for external_userid in asked if external_userid not in corp.customers]
    for customer in found:
        if customer is None:
            continue
        follow = sender_of(ask, customer, sender, tags)
        if follow is not None and not mass.at_limit(corp, customer.external_userid, ask.now):
            plan[follow.userid].append(customer.external_userid)
        elif asked:
            failed.append(customer.external_userid)
    return dict(plan), failed


def wanted_tags(ask: Ask) -> list[set[str]]:
    """Sets of tags: one of each set is needed."""
    given = ask.body.get("tag_filter")
    if given is None:
        return []
    groups = given.get("group_list") if isinstance(given, dict) else None
    if not isinstance(groups, list) or not groups:
        raise ApiError(40058, "tag_filter")
    sets = []
    for group in groups:
        tags = group.get("tag_list") if isinstance(group, dict) else None
        if not isinstance(tags, list) or not 1 <= len(tags) <= MOST_TAGS:
            raise ApiError(40058, "tag_list")
        if any(ask.corp.live_tag(tag) is None for tag in tags):
            raise ApiError(40068)
        sets.append(set(tags))
    return sets


def sender_of(ask: Ask, customer: Customer, sender: Staff | None, tags: list[set[str]]) -> Follow | None:
    """Whose friend he is for this message: the sender's, or that of the member who talked with him last."""
    corp = ask.corp
    ties = [follow for follow in customer.follows.values() if not follow.one_way]
    if sender is not None:
        ties = [follow for follow in ties if follow.userid == sender.userid]
    ties = [follow for follow in ties if all(one & set(follow.tags) for one in tags) and may_send(ask, follow)]
    if len(ties) < 2:
        return ties[0] if ties else None
    customer_id = customer.external_userid
    return max(ties, key=lambda tie: (conversations.last_of(corp, tie.userid, customer_id), tie.createtime))


def may_send(ask: Ask, follow: Follow) -> bool:
    staff = ask.corp.staff.get(follow.userid.lower())
    return staff is not None and staff.customer_contact and ask.corp.sees(ask.app, staff)


# -- looking ---------------------------------------------------------------------------------------------------------


def the_message(ask: Ask, dispatched: bool = True) -> MassMessage:
    msgid = ask.text("msgid", 64)
    if not msgid:
        raise ApiError(41046)
    message = ask.corp.mailings.messages.get(msgid)
    if message is None:
        raise ApiError(41047)
    if dispatched and ask.now < message.ready_at:
        raise ApiError(41063)
    mass.settle(ask.corp, ask.now)
    return message


@api("POST", "externalcontact/get_groupmsg_list_v2", SELLING_KINDS)
def message_list(ask: Ask) -> dict[str, Any]:
    """Records of at most a month, the latest first."""
    corp = ask.corp
    chat_type = ask.body.get("chat_type")
    if chat_type not in ("single", "group"):
        raise ApiError(40058, "chat_type")
    start, end = ask.number("start_time", 0, 2**40), ask.number("end_time", 0, 2**40)
    if not 0 <= end - start <= MONTH:
        raise ApiError(40058, "start_time and end_time are more than a month apart")
    limit, kind = ask.number("limit", 1, 100, 50), ask.number("filter_type", 0, 2, 2)
    creator = ask.text("creator", 64)
    asked = cursors.question("mass", chat_type, start, end, kind, creator)
    (before,) = cursors.take(corp, asked, ask.body.get("cursor"), 1)
    found = [
        message
        for message in reversed(corp.mailings.messages.values())
        if (not before or message.number < before)
        and message.chat_type == chat_type
        and start <= int(message.created_at) <= end
        and message.ready_at <= ask.now
        and kind in (2, message.create_type)
        and (not creator or message.creator == creator)
    ]
    page = found[:limit]
    more = cursors.give(corp, asked, page[-1].number) if len(found) > limit else ""
    return {"group_msg_list": [message_view(message) for message in page], "next_cursor": more}


def message_view(message: MassMessage) -> dict[str, Any]:
    """The creator is named only when a person made it in the client or the console."""
    view: dict[str, Any] = {
        "msgid": message.msgid,
        "create_time": int(message.created_at),
        "create_type": message.create_type,
        "attachments": message.attachments,
    }
    if message.text:
        view["text"] = {"content": message.text}
    if message.creator:
        view["creator"] = message.creator
    return view


def page_of(ask: Ask, rows: list[dict[str, Any]], *question: str) -> tuple[list[dict[str, Any]], str]:
    limit = ask.number("limit", 1, 1000, 500)
    asked = cursors.question("mass rows", *question)
    (start,) = cursors.take(ask.corp, asked, ask.body.get("cursor"), 1)
    size = cursors.page_size(ask.corp, limit, start)
    more = cursors.give(ask.corp, asked, start + size) if start + size < len(rows) else ""
    return rows[start : start + size], more


@api("POST", "externalcontact/get_groupmsg_task", SELLING_KINDS)
def task_list(ask: Ask) -> dict[str, Any]:
    message = the_message(ask)
    rows: list[dict[str, Any]] = []
    for task in message.tasks.values():
        row: dict[str, Any] = {"userid": task.userid, "status": task.status}
        rows.append(row | ({"send_time": task.send_time} if task.send_time else {}))
    page, more = page_of(ask, rows, message.msgid)
    return {"task_list": page, "next_cursor": more}


@api("POST", "externalcontact/get_groupmsg_send_result", SELLING_KINDS)
def send_result(ask: Ask) -> dict[str, Any]:
    """What each customer of that member's task got; groups show only when they have it."""
    userid = ask.text("userid", 64)
    if not userid:
        raise ApiError(41009)
    message = the_message(ask)
    task = next((task for key, task in message.tasks.items() if key.lower() == userid.lower()), None)
    if task is None:
        raise ApiError(40003)
    grouped = message.chat_type == "group"
    rows: list[dict[str, Any]] = []
    for aim in task.aims:
        if grouped and aim.status == mass.NOT_SENT:
            continue
        row: dict[str, Any] = {"chat_id" if grouped else "external_userid": aim.to}
        row |= {"userid": task.userid, "status": aim.status}
        rows.append(row | ({"send_time": aim.send_time} if aim.send_time else {}))
    page, more = page_of(ask, rows, message.msgid, task.userid)
    return {"send_list": page, "next_cursor": more}


# -- reminding and stopping ------------------------------------------------------------------------------------------


@api("POST", "externalcontact/remind_groupmsg_send", SELLING_KINDS)
def remind(ask: Ask) -> dict[str, Any]:
    message = the_message(ask)
    if message.cancelled_at:
        raise ApiError(41093)
    if sum(ask.now - at < DAY for at in message.reminders) >= REMINDERS:
        raise ApiError(41094)
    message.reminders.append(ask.now)
    reminded = [task for task in message.tasks.values() if task.status != mass.DONE]
    for task in reminded:
        habit = ask.corp.mailings.habit(task.userid)
        if habit.kind == "reminded":
            mass.wake(ask.corp, message, task, ask.now + habit.seconds)
    ask.corp.touch("mass", message.msgid)
    userids = [task.userid for task in reminded]
    ask.world.effects.note(ask.corp, "mass_reminder", msgid=message.msgid, userids=userids)
    return {}


@api("POST", "externalcontact/cancel_groupmsg_send", SELLING_KINDS)
def cancel(ask: Ask) -> dict[str, Any]:
    """Stops what nobody has sent yet."""
    message = the_message(ask, dispatched=False)
    if message.cancelled_at:
        raise ApiError(41093)
    message.cancelled_at = ask.now
    ask.corp.touch("mass", message.msgid)
    ask.world.effects.note(ask.corp, "mass_cancelled", msgid=message.msgid)
    return {}
