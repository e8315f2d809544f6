"""总部任务 done by a mass message: made by the room of broadcasts, settled by what WeCom says arrived."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from content import messages
from sop import tasks
from sop.models import Assignment, StaffTask

ORIGIN = "assignment"
RECEIVERS = "SELECT customer_id, staff_id FROM sop_stafftask WHERE assignment_id = %s AND state = 'open'"
"""Who still waits for it, and whose task it is."""

State = StaffTask.State


class Made(NamedTuple):
    """A broadcast of an assignment, for its page."""

    title: str
    url: str
    state: str
    words: str
    at: datetime | None


MAKE: list[Callable[[Assignment, dict[str, Any], Any], str]] = []
"""Drafts a broadcast with a content, for an operator; the address of its check. Filled by scrm/wiring.py."""

MADE: list[Callable[[Assignment], list[Made]]] = []
"""The broadcasts of an assignment, the newest first; filled by scrm/wiring.py."""


@transaction.atomic
def make(assignment: Assignment, operator: Any) -> str:
    """The address of the draft for everybody who still waits. Raises ValidationError in the user's words."""
    if assignment.state != Assignment.State.RUNNING:
        raise ValidationError(_("任务已经结束，不能再用群发完成"))
    if not StaffTask.objects.filter(assignment=assignment, state=State.OPEN).exists():
        raise ValidationError(_("没有待完成的任务"))
    content = messages.clean(assignment.content, use="mass")
    return MAKE[0](assignment, content, operator)


def made(assignment: Assignment) -> list[Made]:
    return [one for found in MADE for one in found(assignment)]


def arrived(
    customer_ids: Collection[int],
    *,
    staff_id: int,
    content: dict[str, Any],
    assignment: int | None = None,
    at: datetime,
    by: str,
) -> int:
    """A mass message was delivered to these: it settles the tasks of its assignment, and any other open one of the
    sender for them whose whole content it was. How many."""
    mine = StaffTask.objects.filter(customer__in=customer_ids)
    # WeCom tells whole seconds
    same = mine.filter(staff=staff_id, state=State.OPEN, starts_at__lt=at + timedelta(seconds=1))
    ids = {pk for pk, wanted in same.values_list("pk", "content") if covers(content, wanted)}
    if assignment is not None:
        late = Q(state__in=[State.OPEN, State.EXPIRED])
        ids |= set(mine.filter(late, assignment=assignment).values_list("pk", flat=True))
    return tasks.settled_by_mass(ids, at=at, by=by) if ids else 0


def covers(sent: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a message holds all that a task asks to send, word for word."""
    text, materials = wanted.get("text") or "", wanted.get("materials") or []
    if not text and not materials:
        return False
    return text in ("", sent.get("text")) and set(materials) <= set(sent.get("materials") or [])
