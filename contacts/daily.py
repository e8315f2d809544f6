"""Numbers by day, in the company's own calendar."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone


def last_days(count: int) -> list[date]:
    """The last `count` days, today being the last."""
    today = timezone.localdate()
    return [today - timedelta(days=back) for back in range(count - 1, -1, -1)]


def start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def per_day(rows: QuerySet[Any], moment: str, days: Sequence[date]) -> list[int]:
    """How many rows have their `moment` on each of the days, which follow one another."""
    chosen = rows.order_by().filter(
        **{f"{moment}__gte": start_of(days[0]), f"{moment}__lt": start_of(days[-1] + timedelta(days=1))}
    )
    found = dict(chosen.annotate(day=TruncDate(moment)).values_list("day").annotate(count=Count("pk", distinct=True)))
    return [found.get(day, 0) for day in days]
