"""A step at its time: exits asked again, one task, one card for a burst; and what outages and leavers do to it."""

from datetime import time, timedelta

import pytest
from django.utils import timezone

from contacts.models import Follow, FollowTag
from contacts.stages import add_stage
from members.models import Staff, StaffDepartment
from members.signals import staff_left
from sop import enrol, remind, steps, tasks
from sop.models import Enrolment, StaffTask, StepRun
from tenants.models import CorpApp, DueRow, OutgoingCall
from tests.sop.conftest import at, let_fall_due

NINE = {"day": 1, "at": time(9), "valid_hours": 24}


@pytest.fixture
def entered(company, make_plan, clock):
    """韩梅梅 was added on December 1, 15:20; her step is due on the 2nd at nine."""

    def enter(*wanted, staff=("wang",), **more):
        clock(at(1, 15, 20))
        plan = make_plan(*wanted or (NINE,), **more)
        company.add("韩梅梅", *staff)
        enrol.enrol(plan, [company.follow("韩梅梅", staff[0]).pk], "test", at(1, 15, 20))
        return company

    return enter


def test_a_step_becomes_one_task_with_its_end(entered, clock, in_acme):
    entered()
    clock(at(2, 9, 1))
    assert let_fall_due(in_acme, at(2, 9, 2)) == 1

    task = StaffTask.objects.get()
    assert (task.title, task.staff.userid, task.customer.name, task.state) == ("问候", "wang", "韩梅梅", "open")
    assert task.ends_at == at(3, 9, 1)
    assert DueRow.objects.get(kind="sop.task").due_at == task.ends_at
    assert StepRun.objects.get().state == "tasked"
    steps.fall_due([task.step_run_id])  # the same row again
    assert StaffTask.objects.count() == 1


@pytest.mark.parametrize("why", ["customer", "tag", "stage", "archived"])
def test_what_happened_meanwhile_is_seen_at_the_moment_of_sending(entered, clock, in_acme, why):
    company = entered(exits={"tags": [], "stages": []})
    version = enrol.newest(Enrolment.objects.get().plan)
    follow = company.follow("韩梅梅", "wang")
    match why:
        case "customer":
            Follow.objects.filter(pk=follow.pk).update(ended_at=at(2, 1), ended_by="customer")
        case "tag":
            version.exits = {"tags": [company.tags["重要客户"].pk]}
            FollowTag.objects.create(follow=follow, tag=company.tags["重要客户"])
        case "stage":
            deal = add_stage("成交")
            version.exits = {"stages": [deal.pk]}
            follow.customer.stage = deal
            follow.customer.save()
        case "archived":
            version.plan.archived_at = at(2, 1)
            version.plan.save()
    version.save()
    clock(at(2, 9, 1))
    let_fall_due(in_acme, at(2, 9, 2))

    assert not StaffTask.objects.exists()
    one = Enrolment.objects.get()
    assert (one.state, one.exit_reason, StepRun.objects.get().state) == ("exited", why, "cancelled")


def test_and_it_is_asked_once_more_when_the_member_taps(entered, clock, in_acme):
    company = entered()
    clock(at(2, 9, 1))
    let_fall_due(in_acme, at(2, 9, 2))
    task = StaffTask.objects.get()
    assert tasks.ask_to_send(task) == ""

    version = enrol.newest(Enrolment.objects.get().plan)
    version.exits = {"tags": [company.tags["重要客户"].pk]}
    version.save()
    FollowTag.objects.create(follow=company.follow("韩梅梅", "wang"), tag=company.tags["重要客户"])
    assert "客户已有结束标签" in tasks.ask_to_send(task)
    task.refresh_from_db()
    assert (task.state, Enrolment.objects.get().exit_reason) == ("cancelled", "tag")


def test_a_colleague_writes_when_the_friend_has_left(entered, clock, in_acme):
    company = entered(staff=("wang", "li"))
    Staff.objects.filter(userid="wang").update(left_at=at(1, 20), status=5)
    clock(at(2, 9, 1))
    let_fall_due(in_acme, at(2, 9, 2))
    assert StaffTask.objects.get().staff == company.staff["li"]


def test_without_a_colleague_it_waits_tells_the_manager_and_is_over_after_a_week(entered, clock, in_acme):
    company = entered(staff=("li",))
    CorpApp.objects.filter(tenant=in_acme, is_main=True).update(agent_id=1)
    StaffDepartment.objects.filter(staff=company.staff["wang"]).update(is_leader=True)
    Staff.objects.filter(userid="li").update(left_at=at(1, 20), status=5)
    for day in range(2, 10):
        clock(at(day, 9, 2))
        let_fall_due(in_acme, at(day, 9, 3))
        run = StepRun.objects.get()
        assert run.reason == "staff_left"
        assert run.state == ("waiting" if day < 9 else "expired")
    assert not StaffTask.objects.exists()
    assert OutgoingCall.objects.filter(idem_key__contains="ownerless").count() == 8
    assert Enrolment.objects.get().state == "done"


def test_an_outage_over_the_quiet_hours_sends_nothing_at_night(entered, clock, in_acme):
    """F31: due at 20:00, the workers come back at 2 in the night."""
    entered({"day": 1, "at": time(20), "valid_hours": 24}, {"day": 1, "at": time(19), "valid_hours": 6})
    clock(at(3, 2))
    let_fall_due(in_acme, at(3, 2))
    assert not StaffTask.objects.exists()
    assert dict(StepRun.objects.values_list("step__valid_hours", "state")) == {24: "waiting", 6: "expired"}
    late = StepRun.objects.get(state="waiting")
    assert at(3, 8) <= late.due_at < at(3, 8, 30)
    assert DueRow.objects.get(kind="sop.step").due_at == late.due_at

    clock(late.due_at + timedelta(seconds=5))
    let_fall_due(in_acme, late.due_at)
    assert StaffTask.objects.count() == 1


def test_one_card_for_a_burst_and_none_at_night(company, make_plan, clock, in_acme):
    CorpApp.objects.filter(tenant=in_acme, is_main=True).update(agent_id=1)
    clock(at(1, 21, 0))
    plan = make_plan({"after_minutes": 0})
    for number in range(6):
        company.add(f"客户{number}", "wang")
    enrol.enrol(plan, [one.pk for one in Follow.objects.all()], "burst", at(1, 21))
    let_fall_due(in_acme, at(1, 21))
    assert StaffTask.objects.count() == 6

    clock(at(1, 21, 1))
    let_fall_due(in_acme, at(1, 21, 1), remind.DIGEST)
    calls = OutgoingCall.objects.filter(idem_key__startswith="tell:task:")
    assert calls.count() == 1
    assert not StaffTask.objects.filter(reminded_at=None).exists()

    clock(at(1, 21, 55))
    remind.soon([company.staff["wang"].pk])
    assert DueRow.objects.get(kind=remind.DIGEST).due_at == at(1, 21, 55) + remind.SETTLES
    DueRow.objects.filter(kind=remind.DIGEST).delete()
    clock(at(1, 22, 30))
    remind.soon([company.staff["wang"].pk])
    assert DueRow.objects.get(kind=remind.DIGEST).due_at == at(2, 8)


def test_the_time_of_a_task_ends_and_with_it_the_plan(entered, clock, in_acme):
    entered()
    clock(at(2, 9, 1))
    let_fall_due(in_acme, at(2, 9, 2))
    clock(at(3, 9, 2))
    let_fall_due(in_acme, at(3, 9, 2), tasks.DUE)
    assert StaffTask.objects.get().state == "expired"
    assert StepRun.objects.get().state == "expired"
    assert Enrolment.objects.get().state == "done"


def test_open_tasks_of_a_leaver_go_to_a_colleague_or_are_cancelled(company, in_acme):
    company.add("韩梅梅", "wang", "li")
    company.add("李雷", "wang")
    now = timezone.now()
    for name in ("韩梅梅", "李雷"):
        StaffTask.objects.create(
            staff=company.staff["wang"], customer=company.customers[name], title="回访", starts_at=now,
            ends_at=now + timedelta(days=1),
        )  # fmt: skip
    staff_left.send(Staff, staff_ids=[company.staff["wang"].pk])
    moved, over = StaffTask.objects.order_by("pk")
    assert (moved.state, moved.staff.userid) == ("open", "li")
    assert (over.state, over.skip_reason) == ("cancelled", "员工已离职，客户没有其他好友")
