"""自动排班: who behind a code serves at an instant, and when that changes next. Pure: no clock, no database."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Protocol

DUE = "acquisition.shift"
"""The kind of the due rows; their ref is the code, whose shifts turn at that time."""

WEEK = 7


class Hours(Protocol):
    """Hours of some days of the week, Monday being 1. What ends no later than it begins ends the day after."""

    weekdays: list[int]
    begins: time
    ends: time
    staff_ids: list[int]


def on_duty(shifts: Sequence[Hours], staff_id: int, at: datetime, zone: tzinfo) -> bool:
    """Within one of the shifts of that staff member; who has none serves at any hour."""
    own = [shift for shift in shifts if staff_id in shift.staff_ids]
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    return not own or any(begin <= at < end for shift in own for begin, end in _spans(shift, yesterday, 2, zone))


def next_turn(shifts: Sequence[Hours], after: datetime, zone: tzinfo) -> datetime | None:
    """The first moment after that one at which a shift begins or ends; None without shifts."""
    yesterday = after.astimezone(zone).date() - timedelta(days=1)
    turns = (turn for shift in shifts for span in _spans(shift, yesterday, WEEK + 2, zone) for turn in span)
    return min((turn for turn in turns if turn > after), default=None)


def _spans(shift: Hours, first: date, days: int, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    for day in (first + timedelta(days=number) for number in range(days)):
        if day.isoweekday() in shift.weekdays:
            last = day if shift.ends > shift.begins else day + timedelta(days=1)
            yield datetime.combine(day, shift.begins, zone), datetime.combine(last, shift.ends, zone)
