"""The demo company's pipeline, custom fields and some 跟进记录: what a salesperson would have noted in two weeks."""

import random
from datetime import timedelta

from django.utils import timezone

from contacts.custom_fields import add_field
from contacts.models import Customer, CustomField, Follow, FollowUp, Stage, TimelineEntry
from contacts.profile import change_fields, write_follow_up
from contacts.stages import add_stage, move_to_stage

STAGES = (("新客户", "open"), ("意向", "open"), ("报价", "open"), ("成交", "won"), ("放弃", "lost"))
SHARES = (0.46, 0.24, 0.12, 0.13, 0.05)
CITIES = ("深圳", "广州", "东莞", "佛山", "珠海", "惠州")
SOURCES = ("门店", "朋友介绍", "小红书", "视频号")
NOTES = (
    "想给家里换一套餐具，喜欢素色，预算不高，先发了两款图。",
    "孩子对花粉过敏，问了香薰的成分，答应发检测报告。",
    "上次买的杯子很满意，想再订六个送同事，要开发票。",
    "周末带朋友来店里看样品，已经留好位置。",
    "对价格有点犹豫，等双十二活动再联系。",
    "收到样品了，说颜色比图上深一点，考虑换一款。",
    "要给新房配一套收纳，量好尺寸后再报价。",
)
NOTED, FOLLOWED = 60, 24
BY, SOURCE = "演示", TimelineEntry.Source.SYSTEM


def seed_profile() -> None:
    """Repeatable: a company that has a pipeline is left as it is."""
    if Stage.objects.exists() or CustomField.objects.exists():
        return
    stages = [add_stage(name, outcome) for name, outcome in STAGES]
    add_field("预算", "number")
    add_field("生日", "date")
    add_field("所在城市", "text")
    add_field("来源渠道", "choice", choices=SOURCES)
    chance = random.Random(7)
    customers = list(Customer.objects.exclude(first_added_at=None).order_by("-last_added_at", "-id"))
    by_stage: dict[int, list[int]] = {}
    for customer in customers:
        by_stage.setdefault(chance.choices(range(len(stages)), SHARES)[0], []).append(customer.pk)
    for number, ids in by_stage.items():
        move_to_stage(ids, stages[number], by=BY, source=SOURCE)
    reached_in_time(customers, chance)
    for customer in customers[:NOTED]:
        change_fields(customer, values(chance), by=BY, source=SOURCE)
    follow_up(customers[:NOTED], chance)


def reached_in_time(customers: list[Customer], chance: random.Random) -> None:
    """Nobody was moved today: each customer reached the stage some days after the first adding."""
    now = timezone.now()
    for customer in customers:
        added = customer.first_added_at
        assert added is not None  # they were asked for
        customer.stage_at = added + (now - added) * chance.random()
    Customer.objects.bulk_update(customers, ["stage_at"], batch_size=1000)
    entries = list(TimelineEntry.objects.filter(kind=TimelineEntry.Kind.STAGE_CHANGED))
    since = {customer.pk: customer.stage_at for customer in customers}
    for entry in entries:
        entry.at = since.get(entry.customer_id or 0) or entry.at
    TimelineEntry.objects.bulk_update(entries, ["at"], batch_size=1000)


def values(chance: random.Random) -> dict[str, object]:
    """Some of the fields: nobody fills in all of them."""
    found: dict[str, object] = {
        "预算": chance.choice((500, 800, 1200, 2000, 5000)),
        "生日": f"{chance.randint(1972, 2003)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "所在城市": chance.choice(CITIES),
        "来源渠道": chance.choice(SOURCES),
    }
    return {name: value for name, value in found.items() if chance.random() < 0.7}


def follow_up(customers: list[Customer], chance: random.Random) -> None:
    """Told by those who are friends with the customers; some are overdue, some done, most are still to come."""
    today = timezone.localtime().replace(minute=0, second=0, microsecond=0)
    follows = Follow.objects.living().filter(customer__in=customers).select_related("staff", "customer")
    once = {follow.customer_id: follow for follow in follows.order_by("id")}
    for number, follow in enumerate(list(once.values())[:FOLLOWED]):
        next_at = (today + timedelta(days=number % 6 + 1)).replace(hour=chance.randint(9, 18)) if number % 4 else None
        row = write_follow_up(
            follow.customer,
            text=NOTES[number % len(NOTES)],
            next_at=next_at,
            staff=follow.staff,
            by=str(follow.staff),
            source=TimelineEntry.Source.SIDEBAR,
        )
        first = max(follow.added_at or today, timezone.now() - timedelta(days=number % 13, hours=number))
        said_at = min(first + timedelta(minutes=20), timezone.now())
        late = {"next_at": today - timedelta(days=1)} if number % 8 == 1 else {}
        FollowUp.objects.filter(pk=row.pk).update(created_at=said_at, **late)
        TimelineEntry.objects.filter(key=f"followed_up:{row.pk}").update(at=said_at)
