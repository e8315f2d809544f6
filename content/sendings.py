"""What staff sent with our help: once per tap, counted, on the timeline, and told to whoever waits for the proof."""

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from contacts.bulk.timeline import Entry, write_timeline
from contacts.models import Customer, GroupChat, TimelineEntry
from content import signals
from content.models import Material, Script, Sending
from members.models import Staff

Via = Sending.Via
PART = re.compile(r":(text|m\d+)$")  # as `content.messages` names them and `sending.js` puts them behind the tap
SOURCES = {Via.SIDEBAR: TimelineEntry.Source.SIDEBAR, Via.MASS: TimelineEntry.Source.SYSTEM}


@transaction.atomic
def record(
    key: str,
    staff: Staff | None,
    *,
    customer: Customer | None = None,
    chat: GroupChat | None = None,
    material: Material | None = None,
    script: Script | None = None,
    task_id: int | None = None,
    via: str = Via.SIDEBAR,
    at: datetime | None = None,
) -> tuple[Sending, bool]:
    """The sending of that key and whether it is new: told twice it is one, counts once and stands there once."""
    at = at or timezone.now()
    wanted = Sending(
        key=key[:64],
        staff=staff,
        customer=customer,
        chat=chat,
        material=material,
        script=script,
        task_id=task_id,
        via=via,
        at=at,
    )
    Sending.objects.bulk_create([wanted], ignore_conflicts=True)
    sending = Sending.objects.select_for_update().get(key=key[:64])
    made = _count(sending)
    if made:
        signals.sent.send(Sending, sending_ids=[sending.pk])
    return sending, made


def tap_of(key: str) -> str:
    """The parts of a script or task go out one by one, and were one tap all the same."""
    return PART.sub("", key)


def _count(sending: Sending) -> bool:
    """The entry on the timeline is there once, so it says whether this was counted."""
    entry = Entry(
        key=f"sent:{tap_of(sending.key)}",
        kind=TimelineEntry.Kind.CONTENT_SENT,
        at=sending.at,
        customer_id=sending.customer_id,
        chat_id=sending.chat_id,
        staff_id=sending.staff_id,
        payload={
            "material": sending.material.title if sending.material else "",
            "script": sending.script.title if sending.script else "",
            "via": sending.via,
            "task": sending.task_id,
        },
    )
    if not write_timeline([entry], source=SOURCES.get(Via(sending.via), TimelineEntry.Source.SYSTEM)):
        return False
    if sending.material_id:
        Material.objects.filter(pk=sending.material_id).update(uses=F("uses") + 1)
    if sending.script_id:
        Script.objects.filter(pk=sending.script_id).update(uses=F("uses") + 1)
    return True


def recent_of(staff: Staff, limit: int = 10) -> Iterable[Sending]:
    """What this person sent last, newest first: 最近 of the sidebar."""
    return Sending.objects.filter(staff=staff).select_related("material", "script").order_by("-at")[:limit]
