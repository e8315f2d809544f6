"""The demo company's losses: in a month some customers deleted a member of the staff, and members some customers."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from contacts import bulk
from contacts.bulk.told import Heard, Told
from contacts.daily import last_days, start_of
from contacts.events import announce
from contacts.friendship import News
from contacts.models import Follow, TimelineEntry

DAYS = 30
SHARE = 0.04
AT_LEAST = 6
YOUNG = timedelta(days=60)  # half of those who go came not long ago
KINDS = {
    News.DELETED_BY_CUSTOMER: TimelineEntry.Kind.DELETED_BY_CUSTOMER,
    News.DELETED_BY_STAFF: TimelineEntry.Kind.DELETED_BY_STAFF,
}
CALLBACK = TimelineEntry.Source.CALLBACK


@dataclass(frozen=True, slots=True)
class Loss:
    external_userid: str
    userid: str
    news: News


def lose() -> list[Loss]:
    """Ends some friendships as WeCom's events would have; says which, so that WeCom can be told. Made once."""
    if Follow.objects.exclude(ended_at=None).exists():
        return []
    chance = random.Random(11)
    follows = list(Follow.objects.living().filter(half=False).select_related("customer", "staff").order_by("pk"))
    told = Told()
    losses: list[Loss] = []
    for at in _moments(chance, max(round(len(follows) * SHARE), AT_LEAST)):
        follow = _who(chance, follows, at)
        if follow is None:
            continue
        follows.remove(follow)
        news = News.DELETED_BY_STAFF if len(losses) % 3 == 1 else News.DELETED_BY_CUSTOMER
        losses.append(Loss(follow.customer.external_userid, follow.staff.userid, news))
        told.add_heard(losses[-1].external_userid, losses[-1].userid, Heard(news, at, {}, KINDS[news]))
    with transaction.atomic():
        announce(bulk.write_told(told, at=timezone.now(), source=CALLBACK), CALLBACK)
    return losses


def _moments(chance: random.Random, count: int) -> list[datetime]:
    """Spread over the days that a month's chart shows, until some minutes ago."""
    first = start_of(last_days(DAYS)[0])
    month = timezone.now() - timedelta(minutes=10) - first
    return sorted(first + month * chance.random() for _ in range(count))


def _who(chance: random.Random, follows: list[Follow], at: datetime) -> Follow | None:
    known = [follow for follow in follows if follow.added_at is not None and follow.added_at < at - timedelta(hours=1)]
    young = [follow for follow in known if follow.added_at > at - YOUNG]
    chosen = young if young and chance.random() < 0.5 else known
    return chance.choice(chosen) if chosen else None
