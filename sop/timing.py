"""When a step falls due, and what becomes of one that comes late. Pure: no clock, no database."""

import zlib
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Protocol

QUIET_FROM, QUIET_TO = time(22), time(8)
"""免打扰: nobody is asked to write to customers between these hours."""

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


class Act(StrEnum):
    SEND = "send"
    LATER = "later"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Fall:
    at: datetime
    moved: bool = False  # out of the quiet hours
    missed: bool = False  # its hour was over when it all began


@dataclass(frozen=True, slots=True)
class Verdict:
    act: Act
    at: datetime | None = None  # of LATER


def falls(step: When, anchor: datetime, zone: tzinfo, seed: str = "") -> Fall:
    """When the step falls due for a beginning. Without a seed the exact hour, for simulations."""
    begun = anchor.astimezone(zone)
    if step.after_minutes is not None:
        wanted = begun + timedelta(minutes=step.after_minutes)
    else:
        day = begun.date() + timedelta(days=step.day or 0)
        wanted = datetime.combine(day, step.at or time(9), zone)
        if wanted <= begun:
            return Fall(wanted, missed=True)
        spread = wanted + timedelta(seconds=spread_of(seed))
        wanted = spread if seed and spread > begun and not is_quiet(spread, zone) else wanted
    if is_quiet(wanted, zone):
        return Fall(next_window(wanted, zone) + timedelta(seconds=abs(spread_of(seed))), moved=True)
    return Fall(wanted)


def spread_of(seed: str) -> int:
    return zlib.crc32(seed.encode()) % (2 * SPREAD + 1) - SPREAD if seed else 0


def is_quiet(moment: datetime, zone: tzinfo) -> bool:
    hour = moment.astimezone(zone).time()
    return hour >= QUIET_FROM or hour < QUIET_TO


def next_window(moment: datetime, zone: tzinfo) -> datetime:
    """The next time that the quiet hours end."""
    local = moment.astimezone(zone)
    ends = datetime.combine(local.date(), QUIET_TO, zone)
    return ends if ends > local else datetime.combine(local.date() + timedelta(days=1), QUIET_TO, zone)


def judge(due: datetime, now: datetime, deadline: datetime, zone: tzinfo, seed: str = "") -> Verdict:
    """A step is sent up to two hours late; later, or in quiet hours, it waits for the next window or is over."""
    if not is_quiet(now, zone) and now - due <= LATE:
        return Verdict(Act.SEND)
    at = next_window(now, zone) + timedelta(seconds=zlib.crc32(seed.encode()) % CATCH_UP if seed else 0)
    return Verdict(Act.LATER, at) if at < deadline else Verdict(Act.EXPIRED)
