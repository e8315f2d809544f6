"""自动排班: who serves at which hours, over midnight too, and WeCom is told at each turn, once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from acquisition import codes, shifts
from acquisition.models import ChannelCode, CodeShift, CodeStaff
from console.models import AuditEntry
from members.models import Staff
from tenants import due
from tenants.models import DueRow, OutgoingCall, Tenant
from tests.pages import assert_strict
from tests.people import add_operator, signed_in

CHINA = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, tzinfo=CHINA)
WORKDAYS, WEEKEND, EVERY_DAY = [1, 2, 3, 4, 5], [6, 7], [1, 2, 3, 4, 5, 6, 7]


@dataclass
class Hours:
    weekdays: list[int]
    begins: time
    ends: time
    staff_ids: list[int] = field(default_factory=lambda: [1])


DAY = Hours(WORKDAYS, time(9), time(18))
NIGHT = Hours([1], time(22), time(6))
WHOLE = Hours([7], time(0), time(0))


def at(text: str, day: int = 0) -> datetime:
    return datetime.combine((MONDAY + timedelta(days=day)).date(), time.fromisoformat(text), CHINA)


@pytest.mark.parametrize(
    ("own", "moment", "serves"),
    [
        ([], at("03:00"), True),
        ([DAY], at("08:59"), False),
        ([DAY], at("09:00"), True),
        ([DAY], at("17:59"), True),
        ([DAY], at("18:00"), False),
        ([DAY], at("12:00", 5), False),
        ([NIGHT], at("23:00"), True),
        ([NIGHT], at("05:59", 1), True),
        ([NIGHT], at("06:00", 1), False),
        ([NIGHT], at("23:00", 1), False),
        ([NIGHT], at("05:00"), False),
        ([WHOLE], at("00:00", 6), True),
        ([WHOLE], at("23:59", 6), True),
        ([WHOLE], at("00:00", 7), False),
        ([DAY, NIGHT], at("22:30"), True),
        ([Hours(EVERY_DAY, time(0), time(23), [2])], at("23:30"), True),
    ],
)
def test_who_has_shifts_serves_in_them_and_who_has_none_always(
    own: Sequence[Hours], moment: datetime, serves: bool
) -> None:
    assert shifts.on_duty(own, 1, moment, CHINA) is serves


@pytest.mark.parametrize(
    ("own", "after", "turn"),
    [
        ([], at("12:00"), None),
        ([DAY], at("08:00"), at("09:00")),
        ([DAY], at("09:00"), at("18:00")),
        ([DAY], at("18:00", 4), at("09:00", 7)),
        ([NIGHT], at("23:00"), at("06:00", 1)),
        ([NIGHT], at("06:00", 1), at("22:00", 7)),
        ([DAY, Hours([3], time(12), time(13))], at("10:00", 2), at("12:00", 2)),
        ([WHOLE], at("00:00", 6), at("00:00", 7)),
    ],
)
def test_the_next_turn_is_the_next_begin_or_end(own: Sequence[Hours], after: datetime, turn: datetime | None) -> None:
    assert shifts.next_turn(own, after, CHINA) == turn


@pytest.mark.parametrize(
    ("days", "begins", "ends", "words"),
    [
        (WORKDAYS, 9, 18, "周一至周五 09:00–18:00"),
        (EVERY_DAY, 0, 0, "每天 00:00–次日 00:00"),
        (WEEKEND, 22, 6, "周六、周日 22:00–次日 06:00"),
        ([1, 3, 5], 9, 12, "周一、周三、周五 09:00–12:00"),
    ],
)
def test_hours_are_said_in_words(days: list[int], begins: int, ends: int, words: str) -> None:
    assert CodeShift(weekdays=days, begins=time(begins), ends=time(ends)).in_words == words


# -- at WeCom ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def staff(in_acme: Tenant) -> dict[str, Staff]:
    return {
        name: Staff.objects.create(userid=name, userid_key=name, name=name, can_follow=True)
        for name in ("zhang", "li", "wu")
    }


@pytest.fixture
def code(staff: dict[str, Staff]) -> ChannelCode:
    """Behind it zhang and li, wu as a backup."""
    made = ChannelCode.objects.create(
        name="展会", status="active", config_id="cfg", pushed={"user": ["li", "zhang"], "skip_verify": True}
    )
    for name, backup in (("zhang", False), ("li", False), ("wu", True)):
        CodeStaff.objects.create(code=made, staff=staff[name], backup=backup)
    return made


def shift(code: ChannelCode, *names: str, days: Sequence[int] = WORKDAYS, begins: int = 9, ends: int = 18) -> CodeShift:
    ids = list(Staff.objects.filter(userid__in=names).order_by("pk").values_list("pk", flat=True))
    return code.shifts.create(weekdays=list(days), begins=time(begins), ends=time(ends), staff_ids=ids)


def told() -> list[list[str]]:
    """The staff that WeCom was told of, time after time; it takes each."""
    calls = OutgoingCall.objects.filter(purpose="code_update").order_by("pk")
    for call in calls.filter(state="pending"):
        call.state = "ok"
        call.save(update_fields=["state"])
        codes.code_updated(call)
    return [call.context["pushed"]["user"] for call in calls]


def turn(tenant: Tenant) -> datetime:
    """What is due next happens; when that was to be."""
    row = DueRow.objects.get(kind=shifts.DUE)
    wanted: datetime = row.due_at
    DueRow.objects.filter(pk=row.pk).update(due_at="2020-01-01T00:00Z")  # the database's clock does not travel
    with time_machine.travel(wanted, tick=False):
        assert due.run_due(tenant) == 1
        told()
    return wanted


def test_wecom_is_told_at_each_turn_and_the_next_one_is_awaited(code: ChannelCode, in_acme: Tenant) -> None:
    shift(code, "zhang", begins=9, ends=18)
    shift(code, "li", days=EVERY_DAY, begins=18, ends=22)
    with time_machine.travel(at("10:00"), tick=False):
        codes.shifts_changed(code, by="lin")
        assert told() == [["zhang"]]
    assert [turn(in_acme) for _ in range(3)] == [at("18:00"), at("22:00"), at("09:00", 1)]
    assert told() == [["zhang"], ["li"], ["wu"], ["zhang"]]
    assert DueRow.objects.get(kind=shifts.DUE).due_at == at("18:00", 1)


def test_between_shifts_without_backups_the_last_set_stays_and_the_code_says_so(
    code: ChannelCode, in_acme: Tenant
) -> None:
    code.places.filter(backup=True).delete()
    shift(code, "zhang", "li", begins=9, ends=18)
    with time_machine.travel(at("10:00"), tick=False):
        codes.shifts_changed(code, by="lin")
    assert turn(in_acme) == at("18:00")
    code.refresh_from_db()
    assert "没有可接待的员工" in code.error
    turn(in_acme)
    code.refresh_from_db()
    assert (code.error, told()) == ("", [])


def test_a_code_can_be_changed_at_an_hour_when_nobody_serves(code: ChannelCode, staff: dict[str, Staff]) -> None:
    night = shift(code, "zhang", "li", days=WEEKEND)
    with time_machine.travel(at("03:00"), tick=False):
        codes.set_staff(code, [staff["li"]], [])
    night.refresh_from_db()
    assert night.staff_ids == [staff["li"].pk]
    codes.set_staff(code, [staff["wu"]], [])
    assert not code.shifts.exists()
    assert not DueRow.objects.filter(kind=shifts.DUE).exists()


def test_a_stopped_code_has_no_turns(code: ChannelCode) -> None:
    shift(code, "zhang")
    codes.shifts_changed(code, by="lin")
    codes.archive(code, by="lin")
    assert not DueRow.objects.filter(kind=shifts.DUE).exists()


# -- on the page -------------------------------------------------------------------------------------------------------


@pytest.fixture
def manager(in_acme: Tenant) -> Client:
    client = signed_in(in_acme, add_operator(in_acme, "the-admin", "admin"), staying=True)
    connection.set_tenant(in_acme)
    return client


def wish(*staff: Staff, **more: Any) -> dict[str, Any]:
    return {"weekdays": ["1", "2"], "begins": "22:00", "ends": "06:00", "staff": [one.pk for one in staff], **more}


def test_hours_are_written_changed_and_deleted_on_the_page_of_the_code(
    manager: Client, code: ChannelCode, staff: dict[str, Staff]
) -> None:
    home = f"/console/codes/{code.pk}/"
    assert "没有排班" in manager.get(home).content.decode()
    assert_strict(manager.get(f"{home}shifts/new/"))
    assert manager.post(f"{home}shifts/new/", wish(staff["zhang"])).url == home
    stored = code.shifts.get()
    page = manager.get(home)
    assert_strict(page)
    assert "周一、周二 22:00–次日 06:00" in page.content.decode()
    due_at = DueRow.objects.get(kind=shifts.DUE, ref=code.pk).due_at
    assert due_at > timezone.now()

    assert_strict(manager.get(f"{home}shifts/{stored.pk}/"))
    everyone = wish(staff["zhang"], staff["li"], weekdays=EVERY_DAY, begins="09:00", ends="18:00")
    manager.post(f"{home}shifts/{stored.pk}/", everyone)
    assert "每天 09:00–18:00" in manager.get(home).content.decode()

    assert manager.post(f"{home}shifts/{stored.pk}/delete/").url == home
    assert not code.shifts.exists()
    assert not DueRow.objects.filter(kind=shifts.DUE).exists()
    assert AuditEntry.objects.filter(action="code.shift").count() == 3


@pytest.mark.parametrize("change", [{"weekdays": []}, {"weekdays": ["8"]}, {"begins": "25:00"}, {"staff": []}])
def test_hours_that_make_no_sense_are_refused(
    manager: Client, code: ChannelCode, staff: dict[str, Staff], change: dict[str, Any]
) -> None:
    answer = manager.post(f"/console/codes/{code.pk}/shifts/new/", wish(staff["zhang"], **change))
    assert answer.status_code == 422
    assert not code.shifts.exists()


def test_a_backup_has_no_hours_of_his_own(manager: Client, code: ChannelCode, staff: dict[str, Staff]) -> None:
    assert manager.post(f"/console/codes/{code.pk}/shifts/new/", wish(staff["wu"])).status_code == 422
