"""接收上限: how many mass messages WeCom lets one customer or group get (wecom-api.md 5.7)."""

import calendar
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import NamedTuple

from broadcasts.models import Broadcast, Receipts, ReceiveRule

Span = ReceiveRule.Span


class Limit(NamedTuple):
    """So many since that day are the most."""

    since: date
    most: int


def rule() -> ReceiveRule:
    return ReceiveRule.objects.filter(only=True).first() or ReceiveRule()


def limit_on(day: date) -> Limit:
    """Per month as many as it has days, unless the company chose seven a week or one a day."""
    span = rule().span
    if span == Span.DAY:
        return Limit(day, 1)
    if span == Span.WEEK:
        return Limit(day - timedelta(days=day.weekday()), 7)
    return Limit(day.replace(day=1), calendar.monthrange(day.year, day.month)[1])


def received(customers: Collection[int], since: date) -> Iterable[tuple[int, date, int]]:
    """(customer, day, how many): the mass messages that reached them, ours and those seen in WeCom."""
    rows = Receipts.objects.filter(kind=Broadcast.Kind.CUSTOMERS, receiver__in=customers, day__gte=since)
    return rows.values_list("receiver", "day", "count")
