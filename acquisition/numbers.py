"""渠道数据: who came by a code, who left again, counted from the friendships themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from acquisition.models import ChannelCode
from contacts.daily import last_days, per_day, start_of
from contacts.models import Follow


@dataclass(frozen=True, slots=True)
class Totals:
    """Friendships by way of one code, of the staff one may see."""

    added: int = 0
    today: int = 0
    lost: int = 0

    @property
    def net(self) -> int:
        return self.added - self.lost

    @property
    def loss_rate(self) -> int | None:
        """Per cent; None while nobody came."""
        return round(100 * self.lost / self.added) if self.added else None


def totals(codes: Iterable[ChannelCode], operator: Any) -> dict[str, Totals]:
    """Of the friendships that the operator may see."""
    return counted(codes, Follow.objects.visible_to(operator))


def counted(codes: Iterable[ChannelCode], follows: QuerySet[Follow]) -> dict[str, Totals]:
    """By the state of each code; a code that brought nobody is not in it."""
    today = start_of(timezone.localdate())
    rows = (
        follows.filter(state__in=[code.state for code in codes], half=False)
        .order_by()
        .values("state")
        .annotate(
            added=Count("id"),
            today=Count("id", filter=Q(added_at__gte=today)),
            lost=Count("id", filter=Q(ended_at__isnull=False)),
        )
    )
    return {row["state"]: Totals(row["added"], row["today"], row["lost"]) for row in rows}


@dataclass(frozen=True, slots=True)
class Days:
    """Adds and losses of each of the last days; a loss counts on the day it happened."""

    days: list[date]
    added: list[int]
    lost: list[int]

    @property
    def net(self) -> list[int]:
        return [added - lost for added, lost in zip(self.added, self.lost, strict=True)]


def by_day(code: ChannelCode, operator: Any, *, days: int = 30) -> Days:
    follows = Follow.objects.visible_to(operator).filter(state=code.state, half=False)
    chosen = last_days(days)
    return Days(chosen, per_day(follows, "added_at", chosen), per_day(follows, "ended_at", chosen))
