"""What is watched for ends at a named person, once, with a message in WeCom."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.utils import timezone

from archive import overdue
from archive.models import Alert, Conversation, ReplyRule, SensitiveWord
from console.models import AuditEntry
from members.models import Staff, StaffDepartment
from members.reach import manager_of
from tenants import due
from tenants.models import DueRow, OutgoingCall


@pytest.fixture
def manager(archive):
    """Someone leads the department of the member who talks."""
    staff = Staff.objects.get(userid=archive.pair[0])
    head = Staff.objects.exclude(pk=staff.pk).order_by("pk")[0]
    StaffDepartment.objects.update(is_leader=False)
    department = staff.placements.order_by("id")[0].department
    StaffDepartment.objects.update_or_create(staff=head, department=department, defaults={"is_leader": True})
    assert manager_of(staff) == head
    return head


def told():
    return list(OutgoingCall.objects.filter(purpose="tell").values_list("idem_key", flat=True))


def test_a_sensitive_word_alerts_the_manager_once(archive, manager):
    SensitiveWord.objects.create(word="私下转账")
    archive.answers("这单您私下转账给我就行")
    archive.says("私下转账？")
    archive.pull()

    alerts = Alert.objects.order_by("id")
    assert [(one.staff.userid, one.assigned_to) for one in alerts] == [(archive.pair[0], manager)] * 2
    assert len(told()) == 2
    archive.pull()
    assert Alert.objects.count() == 2 and len(told()) == 2


def test_a_word_may_concern_the_staff_alone(archive, manager):
    SensitiveWord.objects.create(word="返现", by="staff")
    archive.says("有返现吗")
    archive.pull()
    assert not Alert.objects.exists()


def test_a_customer_who_waits_too_long_is_told_of(archive, manager):
    ReplyRule.objects.create(
        enabled=True, minutes=15, weekdays=[1, 2, 3, 4, 5, 6, 7], from_time=time(0), to_time=time(23, 59)
    )
    archive.says("在吗？我想问一下")
    archive.pull()
    talk = Conversation.objects.get()
    assert talk.waiting_since is not None and DueRow.objects.filter(kind=overdue.DUE).count() == 1

    Conversation.objects.update(waiting_since=timezone.now() - timedelta(hours=30))
    DueRow.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    due.run_due(archive.tenant)

    alert = Alert.objects.get()
    assert (alert.kind, alert.assigned_to, alert.message.text) == ("overdue", manager, "在吗？我想问一下")


def test_an_answer_ends_the_waiting_and_thanks_begin_none(archive):
    ReplyRule.objects.create(enabled=True, weekdays=[1, 2, 3, 4, 5, 6, 7], from_time=time(0), to_time=time(23, 59))
    archive.says("在吗？")
    archive.answers("在的")
    archive.says("谢谢！")
    archive.pull()

    assert Conversation.objects.get().waiting_since is None
    assert not DueRow.objects.filter(kind=overdue.DUE).exists()


CHINESE = overdue.DaysOff({date(2026, 11, 20), date(2026, 11, 23)}, {date(2026, 11, 21)})


@pytest.mark.parametrize(
    ("since", "until", "off"),
    [
        ("2026-11-20 10:00", "2026-11-20 10:30", overdue.DaysOff()),  # a Friday
        ("2026-11-20 17:50", "2026-11-23 09:20", overdue.DaysOff()),  # the rest on Monday
        ("2026-11-21 12:00", "2026-11-23 09:30", overdue.DaysOff()),
        ("2026-11-23 03:00", "2026-11-23 09:30", overdue.DaysOff()),
        ("2026-11-20 10:00", "2026-11-21 09:30", CHINESE),  # a holiday, and a Saturday on which people work
        ("2026-11-21 17:50", "2026-11-24 09:20", CHINESE),
    ],
)
def test_only_working_time_counts(since, until, off):
    rule = ReplyRule(minutes=30, weekdays=[1, 2, 3, 4, 5], from_time=time(9), to_time=time(18))
    zone = timezone.get_default_timezone()
    start = datetime.fromisoformat(since).replace(tzinfo=zone)

    assert overdue.deadline(rule, start.astimezone(UTC), off) == datetime.fromisoformat(until).replace(tzinfo=zone)


def test_the_holidays_of_the_company_hold_for_who_waits_already(archive, owner):
    hours = {"enabled": "on", "minutes": 15, "weekdays": list("1234567"), "from_time": "00:00", "to_time": "23:59"}
    owner.post("/console/archive/rule/", hours)
    archive.says("在吗？我想问一下")
    archive.pull()
    first, today = DueRow.objects.get(kind=overdue.DUE).due_at, timezone.localdate()

    days = f"{today} ~ {today + timedelta(days=2)}"
    assert (
        "已在节假日中"
        in owner.post("/console/archive/rule/", hours | {"holidays": days, "workdays": today}).content.decode()
    )
    owner.post("/console/archive/rule/", hours | {"holidays": days})
    assert timezone.localdate(DueRow.objects.get(kind=overdue.DUE).due_at) == today + timedelta(days=3)
    assert AuditEntry.objects.order_by("-pk")[0].detail == {"holidays": days}

    assert days in owner.get("/console/sop/rule/").content.decode(), "one list for both rooms"
    owner.post("/console/sop/rule/", {"holidays": ""})
    assert DueRow.objects.get(kind=overdue.DUE).due_at == first


def test_an_alert_is_settled_once_on_its_page(archive, manager, owner):
    SensitiveWord.objects.create(word="返现")
    archive.answers("给您返现")
    archive.pull()
    alert = Alert.objects.get()
    page = f"/console/archive/alerts/{alert.pk}/"
    assert "给您返现" in owner.get(page).content.decode()

    owner.post(page, {"state": "handled", "note": "已提醒员工"})
    owner.post(page, {"state": "waived"})

    alert.refresh_from_db()
    assert (alert.state, alert.note) == ("handled", "已提醒员工")
