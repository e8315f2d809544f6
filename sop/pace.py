"""发送规则: how much one customer gets of all plans together, and on which days. Pure: no clock, no database."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

MOST = timedelta(days=14)
"""So long a step waits for a day with room for it; then the customer does not get it."""

A_YEAR = 366


class Day(NamedTuple):
    day: date
    reason: str = ""  # of `sop.words`: why it is not the day that was asked for


@dataclass(frozen=True, slots=True)
class Pace:
    per_day: int | None = None
    per_week: int | None = None
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()  # 调休: weekends on which people work

    @property
    def limits(self) -> bool:
        return self.per_day is not None or self.per_week is not None

    def is_workday(self, day: date) -> bool:
        return day in self.workdays or (day.weekday() < 5 and day not in self.holidays)

    def workday_from(self, day: date) -> date:
        """This day or the next workday; where the list leaves none in a year, the day itself."""
        return next((one for one in days_from(day, A_YEAR) if self.is_workday(one)), day)

    def has_room(self, day: date, had: Counter[date]) -> bool:
        """`had`: how much the customer got on which days."""
        if self.per_day is not None and had[day] >= self.per_day:
            return False
        if self.per_week is None:
            return True
        return sum(had[one] for one in days_from(monday_of(day), 6)) < self.per_week

    def day_for(self, planned: date, today: date, had: Counter[date], *, workdays_only: bool) -> Day | None:
        """Today or the first day after it on which the customer may get one more; None when that is too late."""
        for day in days_from(today, max((planned + MOST - today).days, 0)):
            if (self.is_workday(day) or not workdays_only) and self.has_room(day, had):
                rest = workdays_only and not self.is_workday(today)
                return Day(day, "" if day == today else "workday" if rest else "crowded")
        return None


def days_from(day: date, more: int) -> Iterator[date]:
    return (day + timedelta(days=number) for number in range(more + 1))


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())
