"""Headquarters' tasks and broadcasts, which do not know each other: one is made for the other, and proves it."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from broadcasts import audience, origins
from broadcasts.models import Broadcast, BroadcastSender
from broadcasts.origins import Origin
from content import messages
from sop import mass
from sop.models import Assignment

ORIGIN = Origin(mass.RECEIVERS, _("总部任务中还没完成的客户，由各自负责的员工发送"))
SHOWN = 20


def make(assignment: Assignment, content: dict[str, Any], operator: Any) -> str:
    row = origins.draft(
        f"{mass.ORIGIN}:{assignment.pk}",
        title=assignment.title,
        content=content,
        by=operator.get_username(),
        scope=audience.reach_of(operator),
    )
    messages.want(row.content)
    return reverse("broadcasts:check", args=[row.pk])


def made(assignment: Assignment) -> list[mass.Made]:
    rows = Broadcast.objects.filter(origin=f"{mass.ORIGIN}:{assignment.pk}").order_by("-pk")
    return [
        mass.Made(
            row.title,
            reverse("broadcasts:broadcast", args=[row.pk]),
            row.state,
            row.get_state_display(),
            row.sent_at or row.send_at,
        )
        for row in rows[:SHOWN]
    ]


def was_delivered(sender_id: int, customer_ids: list[int], at: datetime, **_: object) -> None:
    """In the transaction that records the results."""
    sender = BroadcastSender.objects.select_related("broadcast", "staff").get(pk=sender_id)
    name, _colon, number = sender.broadcast.origin.partition(":")
    mass.arrived(
        customer_ids,
        staff_id=sender.staff_id,
        content=sender.broadcast.content,
        assignment=int(number) if name == mass.ORIGIN else None,
        at=at,
        by=str(sender.staff),
    )
