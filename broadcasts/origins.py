"""A broadcast that another room asked for: whom it is for and through whom, as that room knows it now."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext as _

from broadcasts.models import Broadcast
from tenants.staging import one_writer

State = Broadcast.State
UNDER_WAY = (State.SCHEDULED, State.PLANNING, State.SENDING)


class Origin(NamedTuple):
    """What a room declares; its rows are asked by number."""

    receivers: str  # a SELECT of (customer_id, staff_id) with the number as its one parameter
    words: Any  # to whom, as a sentence


ORIGINS: dict[str, Origin] = {}
"""By name; filled by scrm/wiring.py. A broadcast keeps "name:number"."""


def origin_of(broadcast: Broadcast) -> tuple[Origin, int] | None:
    """None for those that stand for themselves. Of a room that is not there any more nobody gets it."""
    if not broadcast.origin:
        return None
    name, _colon, number = broadcast.origin.partition(":")
    return ORIGINS.get(name, NOBODY), int(number or 0)


NOBODY = Origin("SELECT 0::bigint AS customer_id, %s::bigint AS staff_id WHERE false", "")


def draft(origin: str, *, title: str, content: Mapping[str, Any], by: str, scope: list[int] | None) -> Broadcast:
    """The draft of an origin: the one that is there, as it is, or a new one."""
    with connection.cursor() as cursor:
        one_writer(cursor, f"broadcast {origin}")
    found = Broadcast.objects.filter(origin=origin, state=State.DRAFT).order_by("-pk").first()
    if found is not None:
        return found
    return Broadcast.objects.create(origin=origin, title=title, content=content, created_by=by, scope_staff_ids=scope)


def refuse_second(broadcast: Broadcast) -> None:
    """Whoever was asked and has not sent yet would get it twice. In the transaction that sends it."""
    if not broadcast.origin:
        return
    with connection.cursor() as cursor:
        one_writer(cursor, f"broadcast {broadcast.origin}")
    if Broadcast.objects.filter(origin=broadcast.origin, state__in=UNDER_WAY).exclude(pk=broadcast.pk).exists():
        raise ValidationError(_("同一任务的另一条群发正在进行，请等它结束或先停止它"))
