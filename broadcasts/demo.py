"""The demo's month of broadcasts: planned as any other, the results of the past ones made up as WeCom tells them."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from broadcasts import audience, results
from broadcasts.models import Broadcast, BroadcastSender, Delivery
from broadcasts.planning import insert_senders
from contacts.models import Customer, GroupChat, Stage
from content.models import Material
from tagging.models import Segment

Step = BroadcastSender.State


BY = "演示"
FRIENDS = {"is": "lost", "op": "no"}
# title, days ago, hour, text, titles of materials, added how many days before and in which stages, share of staff who
# sent it, share of customers missed
PAST: tuple[tuple[str, int, int, str, list[str], tuple[int, str] | None, float, float], ...] = (
    ("秋冬新品上市通知", 24, 10, "秋冬新品到店啦！成分和搭配都在手册里，喜欢哪款直接告诉我～",
     ["秋冬新品手册"], (30, "意向 报价 成交"), 1.0, 0.03),
    ("会员日 9 折提醒", 16, 11, "会员日就在本周六：全场 9 折，积分双倍，免邮门槛也降了。",
     ["会员权益说明"], (90, "成交"), 1.0, 0.05),
    ("社群福利周预告", 11, 19, "本周群福利：周三晚 8 点上新，群内下单立减 20 元。",
     [], None, 1.0, 0.0),
    ("老客户换季护肤提醒", 8, 15, "换季皮肤容易干，给您整理了一份三步护肤指南，需要我帮您搭配就回我一声。",
     ["换季护肤怎么选"], (180, "意向 成交"), 0.8, 0.04),
    ("周末门店体验预约", 2, 10, "这周末旗舰店有新品体验，到店送小样，要不要给您留一个时段？",
     [], (60, "意向 报价"), 1.0, 0.02),
)  # fmt: skip
"""Without customers: to all groups."""
DRAFT = ("双十二预热", "双十二提前看：老客户专享 85 折，喜欢的我先帮您留着～")
REGULARS = "添加超过半年的老客"


def seed_broadcasts() -> None:
    """Repeatable: a company that has broadcasts is left as it is."""
    if Broadcast.objects.exists():
        return
    for number, (title, days, hour, text, names, customers, confirmed, missed) in enumerate(PAST):
        past_broadcast(
            title,
            _content(text, names),
            sent_at=_at(days, hour),
            by=BY,
            kind=Broadcast.Kind.CUSTOMERS if customers else Broadcast.Kind.GROUPS,
            tree=_tree(*customers) if customers else {},
            confirmed=confirmed,
            missed=missed,
            seed=number,
        )
    segment = Segment.objects.filter(name=REGULARS, archived_at=None).first()
    tree = {} if segment else {"match": "all", "of": [FRIENDS]}
    Broadcast.objects.create(
        title=DRAFT[0], content=_content(DRAFT[1], []), segment=segment, tree=tree, created_by=BY, remind_after=4
    )


def _tree(added: int, stages: str) -> dict[str, Any]:
    of: list[dict[str, Any]] = [FRIENDS, {"is": "added", "op": "before", "value": added}]
    if ids := list(Stage.objects.filter(name__in=stages.split()).order_by("pk").values_list("pk", flat=True)):
        of.append({"is": "stage", "op": "any", "value": ids})
    return {"match": "all", "of": of}


def _content(text: str, names: Sequence[str]) -> dict[str, Any]:
    found = Material.objects.filter(title__in=names, archived_at=None).values_list("pk", flat=True)
    return {"text": text, "materials": list(found)}


def _at(days: int, hour: int) -> datetime:
    today = timezone.localtime().replace(minute=0, second=0, microsecond=0)
    return today.replace(hour=hour) - timedelta(days=days)


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
    """`confirmed` is the share of staff who sent it, some hours after, until it was stopped for the others; `missed`
    that of customers whom it did not reach. Made once per title. No call to WeCom is made."""
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
            sender.state = Step.STOPPED
        sender.save()
        if sender.confirmed_at is not None:
            results.note_results(row, sender, told_of(row, sender, chance, missed))
            results.count([sender.pk])
    stopped = row.senders.filter(state=Step.STOPPED).exists()
    row.polled_at = row.ended_at = min(sent_at + timedelta(days=2), timezone.now())
    row.state = Broadcast.State.STOPPED if stopped else Broadcast.State.ENDED
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
