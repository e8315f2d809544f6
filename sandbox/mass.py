"""Mass messages 企业群发: a task for each member, who confirms it his own way, and its results (wecom-api.md 5.7)."""

from __future__ import annotations

import asyncio
import calendar
import heapq
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from sandbox import conversations

if TYPE_CHECKING:
    from sandbox.corp import Corp

CHINA = timezone(timedelta(hours=8))
NOT_SENT, SENT, NOT_FRIEND, LIMIT_REACHED = 0, 1, 2, 3
DONE = 2  # of a task
HABITS = {
    "at_once": "confirms as soon as it comes",
    "after": "confirms after `seconds`",
    "reminded": "confirms `seconds` after the first reminder",
    "by_hand": "waits for the act staff_confirms",
    "never": "does not look at it",
    "partly": "after `seconds`, deselects all but a `share` of the customers where the message allows it",
    "decline": "refuses it",
}


@dataclass(slots=True)
class Habit:
    """How a member treats the tasks he gets."""

    kind: str = "after"
    seconds: float = 15.0
    share: float = 0.5


@dataclass(slots=True)
class Aim:
    """One customer, or group, a member is asked to send to."""

    to: str
    status: int = NOT_SENT
    send_time: int = 0


@dataclass(slots=True)
class Task:
    userid: str
    aims: list[Aim]
    status: int = 0
    send_time: int = 0
    due_at: float = 0.0  # when he confirms by himself; 0: he does not
    declined: bool = False


@dataclass(slots=True)
class MassMessage:
    msgid: str
    number: int  # in order of creation, for cursors
    chat_type: str  # single | group
    created_at: float
    ready_at: float  # until then WeCom is still dispatching it (41063)
    text: str
    attachments: list[dict[str, Any]]
    tasks: dict[str, Task]
    allow_select: bool = False
    create_type: int = 0  # 0 of the corp, 1 of a member
    creator: str = ""
    app_key: str = ""
    cancelled_at: float = 0.0
    reminders: list[float] = field(default_factory=list)


class Mailings:
    """All mass messages of a corp, what customers received this month, and the habits of members."""

    def __init__(self) -> None:
        self.messages: dict[str, MassMessage] = {}
        self.received: dict[str, list[float]] = defaultdict(list)  # external_userid or chat_id → when
        self.habits: dict[str, Habit] = {}  # by lower-cased userid; "" for everybody else
        self.due: list[tuple[float, str, str]] = []

    def habit(self, userid: str) -> Habit:
        return self.habits.get(userid.lower()) or self.habits.get("") or Habit()


def wake(corp: Corp, message: MassMessage, task: Task, at: float) -> None:
    """The member will confirm at that moment, if nothing comes in between."""
    task.due_at = at
    heapq.heappush(corp.mailings.due, (at, message.msgid, task.userid))
    alarm(corp, at)


def alarm(corp: Corp, at: float) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # while a saved corp is read: the next question settles it
        return
    loop.call_later(max(0.0, at - time.time()), settle, corp)


def dispatch(corp: Corp, message: MassMessage) -> None:
    """The tasks reach their members."""
    mailings = corp.mailings
    mailings.messages[message.msgid] = message
    for task in message.tasks.values():
        habit = mailings.habit(task.userid)
        task.declined = habit.kind == "decline"
        if habit.kind in ("at_once", "after", "partly"):
            wake(corp, message, task, message.ready_at + (0 if habit.kind == "at_once" else habit.seconds))
    corp.touch("mass", message.msgid)


def settle(corp: Corp, now: float | None = None) -> None:
    """Lets the members confirm whose time has come."""
    now = time.time() if now is None else now
    due = corp.mailings.due
    while due and due[0][0] <= now:
        at, msgid, userid = heapq.heappop(due)
        message = corp.mailings.messages.get(msgid)
        task = message.tasks.get(userid) if message else None
        if message is None or task is None or task.due_at != at or task.status == DONE or message.cancelled_at:
            continue
        if userid.lower() in corp.staff:
            confirm(corp, message, task, chosen(corp, message, task), at)


def chosen(corp: Corp, message: MassMessage, task: Task) -> set[str] | None:
    """Whom a member who sends only partly leaves selected; None: all."""
    habit = corp.mailings.habit(task.userid)
    if habit.kind != "partly" or not message.allow_select:
        return None
    return {aim.to for aim in task.aims[: max(1, round(len(task.aims) * habit.share))]}


def confirm(corp: Corp, message: MassMessage, task: Task, only: set[str] | None, now: float) -> None:
    """The member presses send: each customer gets it, or does not and the status says why."""
    spoken = conversations.bubbles(message.text, message.attachments)
    for aim in task.aims:
        if aim.status != NOT_SENT or (only is not None and aim.to not in only):
            continue
        aim.status = fate(corp, message, task, aim, now)
        if aim.status != SENT:
            continue
        aim.send_time = int(now)
        corp.mailings.received[aim.to].append(now)
        corp.touch("received", aim.to)
        chat_id = aim.to if message.chat_type == "group" else ""
        for kind, payload in spoken:
            receivers = [] if chat_id else [aim.to]
            conversations.say(corp, task.userid, receivers, kind, payload, chat_id=chat_id, at=now, via="mass")
    task.status, task.send_time = DONE, int(now)
    corp.touch("mass", message.msgid)


def fate(corp: Corp, message: MassMessage, task: Task, aim: Aim, now: float) -> int:
    if message.chat_type == "group":
        group = corp.groups.get(aim.to)
        if group is None or group.dismissed or group.owner != task.userid:
            return NOT_SENT
    else:
        customer = corp.customers.get(aim.to)
        follow = customer.follows.get(task.userid) if customer else None
        if follow is None or follow.one_way or follow.deleted_by_customer:
            return NOT_FRIEND
    return LIMIT_REACHED if at_limit(corp, aim.to, now) else SENT


# -- how much a customer may get ------------------------------------------------------------------------------------


def span(corp: Corp, now: float) -> tuple[float, int]:
    """From when on it is counted, and how many one may get: a message a day over the month, 7 a week, or 1 a day."""
    today = datetime.fromtimestamp(now, CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    rule = corp.limits.mass_rule
    if rule == "day":
        start, most = today, 1
    elif rule == "week":
        start, most = today - timedelta(days=today.weekday()), 7
    else:
        start, most = today.replace(day=1), calendar.monthrange(today.year, today.month)[1]
    return start.timestamp(), corp.limits.mass_most or most


def at_limit(corp: Corp, to: str, now: float) -> bool:
    got = corp.mailings.received.get(to)
    if not got:
        return False
    start, most = span(corp, now)
    return sum(at >= start for at in got) >= most


def rename(corp: Corp, old: str, new: str) -> None:
    """A member's userid changed: his tasks and his habit go with him."""
    mailings = corp.mailings
    if old.lower() in mailings.habits:
        mailings.habits[new.lower()] = mailings.habits.pop(old.lower())
    for message in mailings.messages.values():
        task = message.tasks.pop(old, None)
        if task is None:
            continue
        task.userid = new
        message.tasks[new] = task
        if task.due_at and task.status != DONE:
            wake(corp, message, task, task.due_at)
        corp.touch("mass", message.msgid)


# -- what is written down -------------------------------------------------------------------------------------------


def opened(written: dict[str, Any]) -> MassMessage:
    tasks = {
        userid: Task(**task | {"aims": [Aim(**aim) for aim in task["aims"]]})
        for userid, task in written["tasks"].items()
    }
    return MassMessage(**written | {"tasks": tasks})


def bring_back(corp: Corp, message: MassMessage) -> None:
    """Takes up a saved message, with the members who were about to confirm it."""
    corp.mailings.messages[message.msgid] = message
    for task in message.tasks.values():
        if task.due_at and task.status != DONE:
            heapq.heappush(corp.mailings.due, (task.due_at, message.msgid, task.userid))
