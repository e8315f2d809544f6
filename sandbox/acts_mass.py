"""Members with their mass messages: confirming, refusing, habits; and time that passes over all of it."""

from __future__ import annotations

import time
from typing import Any

from sandbox import mass, moments
from sandbox.acts import CannotAct, Scene, act
from sandbox.corp import Corp
from sandbox.mass import DONE, HABITS, Aim, Habit, MassMessage, Task
from sandbox.moments import Moment, Posting


def the_task(scene: Scene) -> tuple[MassMessage, Task]:
    """The task of this member: of that message, or the latest that waits for him."""
    staff, mailings = scene.staff(), scene.corp.mailings
    mass.settle(scene.corp)
    wanted = scene.text("msgid")
    for message in reversed(mailings.messages.values()):
        task = message.tasks.get(staff.userid)
        if task is None or (wanted and message.msgid != wanted):
            continue
        if task.status != DONE and not message.cancelled_at:
            return message, task
        if wanted:
            raise CannotAct("企业群发已停止" if message.cancelled_at else "该群发已发送")
    raise CannotAct(f"{staff.name} 没有待发送的企业群发")


@act
def staff_confirms(scene: Scene) -> dict[str, Any]:
    """{userid, msgid?, to?: [ids left selected]}: the member presses send."""
    message, task = the_task(scene)
    only = scene.wish.get("to")
    if only is not None and not message.allow_select:
        raise CannotAct("该群发不允许重新选择客户")
    message.ready_at = min(message.ready_at, time.time())
    mass.confirm(scene.corp, message, task, None if only is None else set(only), time.time())
    statuses = [aim.status for aim in task.aims]
    return {"msgid": message.msgid, "sent": statuses.count(mass.SENT), "asked": len(statuses)}


@act
def staff_declines(scene: Scene) -> dict[str, Any]:
    """{userid, msgid?}: the member will not send it; WeCom shows it as not sent."""
    message, task = the_task(scene)
    task.declined, task.due_at = True, 0.0
    scene.corp.touch("mass", message.msgid)
    return {"msgid": message.msgid}


@act
def staff_mass_sends(scene: Scene) -> dict[str, Any]:
    """{userid, to: [external_userids] | nothing for all, text}: a member's own mass message, sent at once."""
    corp, staff, now = scene.corp, scene.staff(), time.time()
    to = [str(one) for one in scene.wish.get("to") or [follow.external_userid for follow in corp.book(staff)]]
    task = Task(staff.userid, [Aim(one) for one in to])
    number = len(corp.mailings.messages) + 1
    msgid, text = corp.new_id("msg", 40), scene.text("text", "大家好")
    message = MassMessage(msgid, number, "single", now, now, text, [], {staff.userid: task}, create_type=1)
    message.creator = staff.userid
    corp.mailings.messages[msgid] = message
    mass.confirm(corp, message, task, None, now)
    return {"msgid": msgid, "sent": sum(aim.status == mass.SENT for aim in task.aims)}


@act
def staff_publishes(scene: Scene) -> dict[str, Any]:
    """{userid, moment_id}: the member publishes a moment of the corp."""
    moment, posting = the_posting(scene)
    if posting.status == moments.PUBLISHED or moment.cancelled_at:
        raise CannotAct("朋友圈已发表或已停止")
    moments.publish(scene.corp, moment, posting)
    return {"seen_by": len(posting.seen_by)}


@act
def customer_reacts(scene: Scene) -> dict[str, Any]:
    """{userid, moment_id, external_userid, like?}: a customer who sees the moment comments on it, or likes it."""
    moment, posting = the_posting(scene)
    if scene.text("external_userid") not in posting.seen_by:
        raise CannotAct("客户看不到这条朋友圈")
    like = bool(scene.wish.get("like"))
    moments.react(scene.corp, moment, posting, scene.text("external_userid"), like=like)
    return {"comments": len(posting.comments), "likes": len(posting.likes)}


def the_posting(scene: Scene) -> tuple[Moment, Posting]:
    moment = scene.corp.moments.get(scene.text("moment_id"))
    posting = moment.postings.get(scene.staff().userid) if moment else None
    if moment is None or posting is None:
        raise CannotAct("没有这条朋友圈任务")
    moments.settle(scene.corp, moment, time.time())
    return moment, posting


@act
def mass_habit(scene: Scene) -> dict[str, Any]:
    """{userid? (nobody: everybody else), kind, seconds?, share?}: how tasks to come are treated."""
    kind, mailings = scene.text("kind"), scene.corp.mailings
    if kind not in HABITS:
        raise CannotAct(f"kind must be one of {', '.join(HABITS)}")
    key = scene.staff().userid.lower() if scene.text("userid") else ""
    seconds, share = float(scene.wish.get("seconds") or 0), float(scene.wish.get("share") or 0.5)
    mailings.habits[key] = Habit(kind, seconds, share)
    scene.corp.touch("corp", scene.corp.corp_id)
    return {"userid": key, "kind": kind}


@act
def time_passes(scene: Scene) -> dict[str, Any]:
    """{seconds}: files, codes, messages, changes of groups and what customers received become that much older."""
    corp, seconds = scene.corp, float(scene.wish.get("seconds") or 0)
    if seconds <= 0:
        raise CannotAct("seconds must be more than 0")
    for file in corp.media.values():
        file.created_at -= seconds
        corp.touch("media", file.media_id)
    for welcome in corp.welcomes.values():
        welcome.created_at -= seconds
    for sent in corp.app_messages.values():
        sent.at -= seconds
        sent.response_codes = {code: at - seconds for code, at in sent.response_codes.items()}
        corp.touch("app_message", sent.msgid)
    for way in corp.contact_ways.values():
        way.created_at -= seconds
        way.temps = {key: (userid, until - seconds) for key, (userid, until) in way.temps.items()}
        corp.touch("contact_way", way.config_id)
    for to, times in corp.mailings.received.items():
        corp.mailings.received[to] = [at - seconds for at in times]
        corp.touch("received", to)
    for moment in corp.moments.values():
        moment.created_at -= seconds
        moment.ready_at -= seconds
        for posting in moment.postings.values():
            posting.due_at = posting.due_at and max(posting.due_at - seconds, 1.0)
        corp.touch("moment", moment.moment_id)
    for group in corp.groups.values():
        group.waiting = [(at - seconds, picture) for at, picture in group.waiting]
    grow_older(corp, seconds)
    mass.settle(corp)
    for at, *_ in corp.mailings.due:
        mass.alarm(corp, at)
    return {"seconds": seconds}


def grow_older(corp: Corp, seconds: float) -> None:
    """The mass messages and what their members will do."""
    corp.mailings.due = []
    for message in corp.mailings.messages.values():
        message.created_at -= seconds
        message.ready_at -= seconds
        message.reminders = [at - seconds for at in message.reminders]
        for task in message.tasks.values():
            task.due_at = task.due_at and max(task.due_at - seconds, 1.0)
        mass.bring_back(corp, message)
        corp.touch("mass", message.msgid)
