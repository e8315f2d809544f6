"""A past broadcast for the demo's month of history: planned as any other, its results made up as WeCom tells them."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from broadcasts import audience, results
from broadcasts.models import Broadcast, BroadcastSender, Delivery
from broadcasts.planning import insert_senders
from contacts.models import Customer, GroupChat

Step = BroadcastSender.State


@transaction.atomic
def past_broadcast(
    title: str,
    content: dict[str, Any],
    *,
    sent_at: datetime,
    by: str,
    kind: str = Broadcast.Kind.CUSTOMERS,
    tree: dict[str, Any] | None = None,
    confirmed: float = 0.85,
    missed: float = 0.04,
    seed: int = 1,
) -> Broadcast:
    """`confirmed` is the share of staff who sent it, some hours after; `missed` that of customers whom it did not
    reach. Made once per title. No call to WeCom is made."""
    found = Broadcast.objects.filter(title=title, created_by=by).first()
    if found is not None:
        return found
    chance = random.Random(seed)
    row = Broadcast(kind=kind, title=title, content=content, tree=tree or {}, created_by=by)
    row.preflight = audience.preflight(row).kept
    row.sent_at, row.state = sent_at, Broadcast.State.SENDING
    row.save()
    Broadcast.objects.filter(pk=row.pk).update(created_at=sent_at - timedelta(minutes=20))
    insert_senders(row)
    for sender in row.senders.select_related("staff").order_by("id"):
        sender.msgid, sender.created_at = f"demo-{row.pk}-{sender.pk}", sent_at + timedelta(seconds=20)
        if chance.random() < confirmed:
            sender.confirmed_at = sent_at + timedelta(minutes=chance.randrange(2, 500))
            sender.state = Step.CONFIRMED
        else:
            sender.state = Step.CREATED
        sender.save()
        if sender.confirmed_at is not None:
            results.note_results(row, sender, told_of(row, sender, chance, missed))
            results.count([sender.pk])
    row.polled_at = row.ended_at = min(sent_at + timedelta(days=30), timezone.now())
    row.state = Broadcast.State.ENDED
    row.save(update_fields=["polled_at", "ended_at", "state"])
    return row


def told_of(
    row: Broadcast, sender: BroadcastSender, chance: random.Random, missed: float
) -> list[tuple[str, str, datetime | None]]:
    """What get_groupmsg_send_result would list."""
    groups = row.kind == Broadcast.Kind.GROUPS
    model, name = (GroupChat, "chat_id") if groups else (Customer, "external_userid")
    keys: Mapping[int, str] = dict(model.objects.filter(pk__in=sender.receivers).values_list("pk", name))
    rows: list[tuple[str, str, datetime | None]] = []
    for key in keys.values():
        if chance.random() >= missed:
            rows.append((key, str(Delivery.State.SENT), sender.confirmed_at))
        else:
            why = Delivery.State.AT_LIMIT if groups or chance.random() < 0.6 else Delivery.State.NOT_FRIEND
            rows.append((key, str(why), None))
    return rows
