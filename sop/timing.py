"""When a step falls due, and what becomes of one that comes late. Pure: no clock, no database."""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import Protocol, TypeVar

from members.quiet import is_quiet, next_window
from sop.pace import Pace

ANY = Pace()
"""No limit, and no holidays but the weekends."""

LATE = timedelta(hours=2)
"""So late a step may be without being put off to the next window."""

SPREAD = 60
"""Seconds around its hour over which the steps of many customers are spread."""

CATCH_UP = 1800
"""Seconds over which steps that were put off begin, so that they do not all come at eight."""


class When(Protocol):
    """A step: either an hour of the Nth day after the beginning, or some minutes after it."""

    @property
    def day(self) -> int | None: ...
    @property
    def at(self) -> time | None: ...
    @property
    def after_minutes(self) -> int | None: ...
    @property
    def workdays_only(self) -> bool: ...


S = TypeVar("S", bound=When)


class Act(StrEnum):
    SEND = "send"
    LATER = "later"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Fall:
    at: datetime
    reason: str = ""  # of `sop.words`: why it is not at its own hour
    missed: bool = False  # never: its hour was over when it all began, or no day has room for it


@dataclass(frozen=True, slots=True)
class Verdict:
    act: Act
    at: datetime | None = None  # of LATER


def falls(step: When, anchor: datetime, zone: tzinfo, seed: str = "", pace: Pace = ANY) -> Fall:
    """When the step falls due for a beginning. Without a seed the exact hour, for simulations."""
    begun, reason = anchor.astimezone(zone), ""
    if step.after_minutes is not None:
        wanted = begun + timedelta(minutes=step.after_minutes)
    else:
        day = begun.date() + timedelta(days=step.day or 0)
        if step.workdays_only and not pace.is_workday(day):
            day, reason = pace.workday_from(day), "workday"
        wanted = datetime.combine(day, step.at or time(9), zone)
        if wanted <= begun:
            return Fall(wanted, "before", missed=True)
        spread = wanted + timedelta(seconds=spread_of(seed))
        wanted = spread if seed and spread > begun and not is_quiet(spread, zone) else wanted
    if is_quiet(wanted, zone):
        wanted, reason = next_window(wanted, zone) + timedelta(seconds=abs(spread_of(seed))), "moved"
    if step.workdays_only and not pace.is_workday(wanted.date()):
        wanted, reason = on_day(wanted, pace.workday_from(wanted.date()), zone), "workday"
    return Fall(wanted, reason)


def on_day(moment: datetime, day: date, zone: tzinfo) -> datetime:
    """The same hour of another day."""
    return datetime.combine(day, moment.astimezone(zone).time(), zone)


def course(steps: Iterable[S], anchor: datetime, zone: tzinfo, pace: Pace) -> list[tuple[S, Fall]]:
    """When each step becomes a task for somebody who is in no other plan, the limits of the company included."""
    found = [(step, falls(step, anchor, zone, pace=pace)) for step in steps]
    had, begun = Counter[date](), [fall.at for _step, fall in found]
    coming = [(fall.at, number) for number, (_step, fall) in enumerate(found) if not fall.missed]
    heapify(coming)
    while coming:
        at, number = heappop(coming)
        step, today = found[number][0], at.astimezone(zone).date()
        planned = begun[number].astimezone(zone).date()
        day = pace.day_for(planned, today, had, workdays_only=step.workdays_only)
        if day is None:
            found[number] = step, Fall(at, "no_room", missed=True)
        elif day.day == today:
            had[today] += 1
        else:
            found[number] = step, Fall(on_day(begun[number], day.day, zone), day.reason)
            heappush(coming, (found[number][1].at, number))
    return found


def spread_of(seed: str) -> int:
    return zlib.crc32(seed.encode()) % (2 * SPREAD + 1) - SPREAD if seed else 0


def judge(due: datetime, now: datetime, deadline: datetime, zone: tzinfo, seed: str = "") -> Verdict:
    """A step is sent up to two hours late; later, or in quiet hours, it waits for the next window or is over."""
    if not is_quiet(now, zone) and now - due <= LATE:
        return Verdict(Act.SEND)
    at = next_window(now, zone) + timedelta(seconds=zlib.crc32(seed.encode()) % CATCH_UP if seed else 0)
    return Verdict(Act.LATER, at) if at < deadline else Verdict(Act.EXPIRED)
