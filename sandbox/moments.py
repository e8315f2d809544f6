"""客户朋友圈: a task for each member to publish, and what customers made of it (wecom-api.md 5.9)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.corp import Corp
    from sandbox.objects import Staff

UNPUBLISHED, PUBLISHED = 0, 1


@dataclass(slots=True)
class Posting:
    """One member's part of a moment."""

    userid: str
    customers: list[str]  # chosen to see it
    status: int = UNPUBLISHED
    due_at: float = 0.0
    seen_by: list[str] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    likes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Moment:
    moment_id: str
    jobid: str
    app_key: str
    created_at: float
    ready_at: float  # until then the task is worked on
    text: str
    attachments: list[dict[str, Any]]
    postings: dict[str, Posting]
    everybody: bool = True
    invalid: dict[str, Any] = field(default_factory=dict)
    cancelled_at: float = 0.0


def plan(corp: Corp, senders: list[Staff], tags: set[str]) -> dict[str, Posting]:
    """Each member shows it to his customers: to all, or to those with one of the tags."""
    postings = {}
    for staff in senders:
        ties = [tie for tie in corp.book(staff) if not tie.one_way and (not tags or tags & set(tie.tags))]
        if ties or not tags:
            postings[staff.userid] = Posting(staff.userid, [tie.external_userid for tie in ties])
    return postings


def dispatch(corp: Corp, moment: Moment) -> None:
    """Members treat it as they treat mass messages."""
    for posting in moment.postings.values():
        habit = corp.mailings.habit(posting.userid)
        if habit.kind in ("at_once", "after", "partly"):
            posting.due_at = moment.ready_at + (0 if habit.kind == "at_once" else habit.seconds)
    corp.moments[moment.moment_id] = moment
    corp.touch("moment", moment.moment_id)


def settle(corp: Corp, moment: Moment, now: float) -> None:
    for posting in moment.postings.values():
        waiting = posting.status == UNPUBLISHED and 0 < posting.due_at <= now and not moment.cancelled_at
        if waiting and posting.userid.lower() in corp.staff:
            publish(corp, moment, posting)


def publish(corp: Corp, moment: Moment, posting: Posting) -> None:
    """Those see it who still are friends on both sides."""
    posting.status = PUBLISHED
    for external_userid in posting.customers:
        customer = corp.customers.get(external_userid)
        tie = customer.follows.get(posting.userid) if customer else None
        if tie is not None and not tie.deleted_by_customer and not tie.one_way:
            posting.seen_by.append(external_userid)
    corp.touch("moment", moment.moment_id)


def react(corp: Corp, moment: Moment, posting: Posting, external_userid: str, *, like: bool) -> None:
    reaction = {"external_userid": external_userid, "create_time": int(time.time())}
    (posting.likes if like else posting.comments).append(reaction)
    corp.touch("moment", moment.moment_id)


def opened(written: dict[str, Any]) -> Moment:
    return Moment(**written | {"postings": {key: Posting(**one) for key, one in written["postings"].items()}})
