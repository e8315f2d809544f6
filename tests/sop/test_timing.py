"""When steps fall due: by day and hour or by minutes, outside of quiet hours, and what lateness does."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from members.quiet import awake, is_quiet
from sop import timing
from sop.timing import Act, Fall

CHINA = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class At:
    day: int | None = None
    at: time | None = None
    after_minutes: int | None = None
    workdays_only: bool = False


def moment(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=CHINA)


BEGUN = moment(1, 15, 20)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (At(day=1, at=time(9)), Fall(moment(2, 9))),
        (At(day=7, at=time(20, 30)), Fall(moment(8, 20, 30))),
        (At(day=0, at=time(18)), Fall(moment(1, 18))),
        (At(day=0, at=time(9)), Fall(moment(1, 9), "before", missed=True)),
        (At(after_minutes=0), Fall(BEGUN)),
        (At(after_minutes=30), Fall(moment(1, 15, 50))),
        (At(after_minutes=7 * 60), Fall(moment(2, 8), reason="moved")),  # 22:20 is quiet
        (At(day=2, at=time(6)), Fall(moment(3, 8), reason="moved")),
        (At(day=0, at=time(23)), Fall(moment(2, 8), reason="moved")),
    ],
)
def test_a_step_falls_due_in_the_companys_own_time(step, expected):
    assert timing.falls(step, BEGUN, CHINA) == expected


def test_the_zone_decides_which_day_it_is():
    late = datetime(2026, 12, 1, 17, tzinfo=ZoneInfo("UTC"))  # one o'clock of the 2nd in China
    assert timing.falls(At(day=1, at=time(9)), late, CHINA).at == moment(3, 9)


def test_the_steps_of_many_customers_are_spread_around_their_hour_and_stay_outside_of_quiet_hours():
    nine = {timing.falls(At(day=1, at=time(9)), BEGUN, CHINA, seed=f"{n}:1").at for n in range(500)}
    assert len(nine) > 80
    assert all(abs(one - moment(2, 9)) <= timedelta(seconds=60) for one in nine)
    eight = [timing.falls(At(day=1, at=time(8)), BEGUN, CHINA, seed=f"{n}:1").at for n in range(500)]
    assert all(not is_quiet(one, CHINA) for one in eight)
    same = [timing.falls(At(day=1, at=time(9)), BEGUN, CHINA, seed="7:1") for _ in range(2)]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (moment(5, 21, 59), moment(5, 21, 59)),
        (moment(5, 22), moment(6, 8)),
        (moment(5, 2, 30), moment(5, 8)),
        (moment(5, 8), moment(5, 8)),
    ],
)
def test_the_quiet_hours_end_at_eight(now, then):
    assert awake(now, CHINA) == then


DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("now", "deadline", "act", "at"),
    [
        (moment(2, 9), DAY, Act.SEND, None),
        (moment(2, 11), DAY, Act.SEND, None),
        (moment(2, 11, 1), DAY, Act.LATER, moment(3, 8)),
        (moment(2, 23), DAY, Act.LATER, moment(3, 8)),
        (moment(3, 3), DAY, Act.LATER, moment(3, 8)),
        (moment(3, 8, 30), DAY, Act.EXPIRED, None),
        (moment(2, 11, 1), timedelta(hours=4), Act.EXPIRED, None),
    ],
)
def test_a_late_step_is_sent_put_off_or_over(now, deadline, act, at):
    verdict = timing.judge(moment(2, 9), now, moment(2, 9) + deadline, CHINA)
    assert (verdict.act, verdict.at) == (act, at)


def test_what_an_outage_put_off_does_not_all_begin_at_eight():
    times = {timing.judge(moment(2, 9), moment(2, 23), moment(4, 9), CHINA, seed=str(n)).at for n in range(200)}
    assert len(times) > 100
    assert all(one is not None and moment(3, 8) <= one < moment(3, 8, 30) for one in times)
