"""How much one customer gets of all plans together, and on which days, whichever worker comes first."""

import threading
from collections import Counter
from datetime import date, time, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from broadcasts.models import Receipts
from console.models import AuditEntry
from members import quiet
from sop import enrol, plans, rules, steps, timing
from sop.models import Assignment, Enrolment, SendRule, StaffTask, StepRun
from sop.pace import Pace
from tenants.models import DueRow, Tenant
from tests.pages import assert_strict
from tests.pages_of_apps.company import Company
from tests.sop.conftest import at, let_fall_due, step_of

NINE = {"day": 1, "at": time(9), "valid_hours": 24}
FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 12, day) for day in (4, 5, 6, 7))


def states() -> dict[str, tuple[str, str]]:
    rows = StepRun.objects.values_list("enrolment__plan__name", "state", "reason")
    return {name: (state, reason) for name, state, reason in rows}


def test_two_plans_at_one_hour_are_one_task_a_day(company, make_plan, clock, in_acme):
    rules.change(per_day=1)
    clock(at(1, 15, 20))
    company.add("韩梅梅", "wang")
    company.add("李雷", "wang")
    for name in ("甲", "乙"):
        plan = make_plan(NINE, name=name)
        enrol.enrol(plan, [company.follow(who, "wang").pk for who in ("韩梅梅", "李雷")], "test", at(1, 15, 20))
    clock(at(2, 9, 2))
    let_fall_due(in_acme, at(2, 9, 3))

    assert Counter(StaffTask.objects.values_list("customer__name", flat=True)) == {"韩梅梅": 1, "李雷": 1}
    later = StepRun.objects.filter(reason="crowded", state="waiting")
    assert later.count() == 2
    assert all(abs(run.due_at - at(3, 9)) <= timedelta(minutes=1) for run in later)
    assert set(DueRow.objects.filter(kind="sop.step").values_list("ref", "due_at")) == set(
        later.values_list("pk", "due_at")
    )
    page = company.client("admin").get(f"/console/sop/{later[0].enrolment.plan_id}/customers/")
    assert "客户收到的已达上限，顺延" in page.text

    clock(at(3, 9, 2))
    let_fall_due(in_acme, at(3, 9, 3))
    assert StaffTask.objects.count() == 4
    assert not StepRun.objects.filter(state="waiting").exists()


def test_a_full_week_goes_on_on_monday_and_without_any_room_the_step_is_left_out(company, make_plan, clock, in_acme):
    rules.change(per_week=1)
    clock(at(2, 15))
    company.add("韩梅梅", "wang")
    for name in ("甲", "乙"):
        enrol.enrol(make_plan(NINE, name=name), [company.follow("韩梅梅", "wang").pk], "test", at(2, 15))
    clock(at(3, 9, 2))
    let_fall_due(in_acme, at(3, 9, 3))
    waiting = StepRun.objects.get(state="waiting")
    assert timezone.localdate(waiting.due_at) == MONDAY

    def another(day: int) -> None:
        """Of another plan, just before."""
        plan = make_plan({"after_minutes": 0}, name=f"第 {day} 天")
        enrol.enrol(plan, [company.follow("韩梅梅", "wang").pk], "test", at(day, 8, 30))
        let_fall_due(in_acme, at(day, 8, 31))

    for day in (7, 14):
        clock(at(day, 8, 31))
        another(day)
        clock(at(day, 9, 2))
        let_fall_due(in_acme, at(day, 9, 3))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("skipped", "no_room")
    assert waiting.enrolment.state == "done"
    page = company.client("admin").get(f"/console/sop/{waiting.enrolment.plan_id}/customers/")
    assert "“问候”已跳过：客户收到的已达上限，14 天内没有空位" in page.text


def test_what_staff_skipped_or_was_cancelled_leaves_its_place_to_the_next(company, make_plan, clock, in_acme):
    rules.change(per_day=1)
    clock(at(2, 9))
    company.add("韩梅梅", "wang")
    for number, name in enumerate(("甲", "乙", "丙")):
        plan = make_plan({"after_minutes": 0}, name=name)
        enrol.enrol(plan, [company.follow("韩梅梅", "wang").pk], "test", at(2, 9, number))
        let_fall_due(in_acme, at(2, 9, number))
        if name == "甲":
            StaffTask.objects.update(state="skipped")
    assert states() == {"甲": ("tasked", ""), "乙": ("tasked", ""), "丙": ("waiting", "crowded")}


def test_what_headquarters_sent_and_mass_messages_take_places_too(company, make_plan, clock, in_acme):
    rules.change(per_day=2)
    clock(at(2, 9))
    span = {"starts_at": at(1, 9), "ends_at": at(4, 18)}
    sent = {"state": "done", "proof": "sidebar", "settled_at": at(2, 8, 30)}
    given = {  # mass messages of today, and what became of headquarters' tasks
        "两条群发": (2, []),
        "一条群发和一个任务": (1, [sent]),
        "两个任务": (0, [sent, {}]),
        "用群发完成": (1, [sent | {"proof": "mass"}]),
        "昨天完成": (1, [sent | {"settled_at": at(1, 18)}]),
        "跳过": (1, [sent | {"state": "skipped", "proof": ""}]),
    }
    for name, (messages, tasks) in given.items():
        customer = company.add(name, "wang")
        Receipts.objects.create(kind="customers", receiver=customer.pk, day=at(2, 9).date(), count=messages)
        for task in tasks:
            facts = span | ({} if task else {"starts_at": at(2, 8)})
            of = Assignment.objects.create(title="回访", **span)
            StaffTask.objects.create(assignment=of, staff=company.staff["wang"], customer=customer, **facts, **task)
    follows = {company.follow(name, "wang").pk: name for name in given}
    enrol.enrol(make_plan({"after_minutes": 0}), follows, "test", at(2, 9))
    let_fall_due(in_acme, at(2, 9))
    late = StepRun.objects.filter(reason="crowded").values_list("enrolment__follow", flat=True)
    assert {follows[pk] for pk in late} == {"两条群发", "一条群发和一个任务", "两个任务"}


@pytest.mark.usefixtures("db_commits", "clean_cache")
def test_two_workers_do_not_both_take_the_last_place(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "FROM", time.max)  # whatever the hour of the test
    monkeypatch.setattr(quiet, "TO", time.min)
    made, go_on = threading.Event(), threading.Event()
    with acme:
        company = Company(acme).found()
        company.add("韩梅梅", "wang")
        for name in ("甲", "乙"):
            plan = plans.create(name=name, trigger={"on": "added"}, exits={}, by="wang")
            plans.save_step(plan, step_of(after_minutes=0), by="wang")
            plans.publish(plan, by="wang")
            enrol.enrol(plan, [company.follow("韩梅梅", "wang").pk], "test", timezone.now())
        first, second = StepRun.objects.order_by("pk").values_list("pk", flat=True)
        rules.change(per_day=1)

    def work(run: int, *, hold: bool) -> None:
        with Tenant.objects.get(pk=acme.pk), transaction.atomic():
            steps.fall_due([run])
            if hold:
                made.set()
                assert go_on.wait(10)
        connection.close()

    holder = threading.Thread(target=work, args=[first], kwargs={"hold": True})
    other = threading.Thread(target=work, args=[second], kwargs={"hold": False})
    holder.start()
    assert made.wait(10)
    other.start()
    other.join(0.2)
    assert other.is_alive()  # it waits to be told
    go_on.set()
    holder.join(10)
    other.join(10)
    with acme:
        assert states() == {"甲": ("tasked", ""), "乙": ("waiting", "crowded")}


# -- days of work ------------------------------------------------------------------------------------------------------

CHINESE = Pace(holidays=frozenset({FRIDAY, MONDAY}), workdays=frozenset({SUNDAY}))


@pytest.mark.parametrize(
    ("pace", "values", "begun", "then", "reason"),
    [
        (Pace(), {"day": 1, "at": time(9)}, at(3, 15), at(4, 9), ""),
        (Pace(), {"day": 2, "at": time(9)}, at(3, 15), at(7, 9), "workday"),
        (Pace(), {"day": 0, "at": time(9)}, at(5, 15), at(7, 9), "workday"),  # not missed: its day comes
        (Pace(), {"after_minutes": 60}, at(5, 15), at(7, 16), "workday"),
        (Pace(), {"after_minutes": 60}, at(4, 21, 30), at(7, 8), "workday"),  # quiet until eight on Saturday
        (CHINESE, {"day": 1, "at": time(9)}, at(3, 15), at(6, 9), "workday"),  # a Sunday on which people work
        (CHINESE, {"day": 4, "at": time(9)}, at(3, 15), at(8, 9), "workday"),
    ],
)
def test_a_step_for_workdays_waits_for_one(pace, values, begun, then, reason):
    zone = timezone.get_current_timezone()
    fall = timing.falls(step_of(workdays_only=True, **values), begun, zone, pace=pace)
    assert (fall.at, fall.reason, fall.missed) == (then, reason, False)


def test_a_holiday_that_is_entered_later_holds_for_who_is_on_the_way(company, make_plan, clock, in_acme):
    clock(at(3, 15))
    company.add("韩梅梅", "wang")
    plan = make_plan(NINE | {"workdays_only": True})
    enrol.enrol(plan, [company.follow("韩梅梅", "wang").pk], "test", at(3, 15))
    rules.change(holidays=[FRIDAY])
    clock(at(4, 9, 2))
    let_fall_due(in_acme, at(4, 9, 3))
    run = StepRun.objects.get()
    assert (run.state, run.reason, timezone.localdate(run.due_at)) == ("waiting", "workday", MONDAY)
    clock(at(7, 9, 2))
    let_fall_due(in_acme, at(7, 9, 3))
    assert StaffTask.objects.get().starts_at == at(7, 9, 2)
    assert Enrolment.objects.get().state == "active"


def test_the_rule_is_kept_told_and_tried(company, make_plan):
    admin = company.client("admin")
    for wrong, words in (
        ({"per_day": "3", "per_week": "2"}, "每周上限不能小于每天上限"),
        ({"holidays": "2026-13-01"}, "不是日期"),
        ({"holidays": "2026-12-05 ~ 2026-12-01"}, "不是日期"),
        ({"holidays": "2026-12-05", "workdays": "2026-12-05"}, "2026-12-05 已在节假日中"),
    ):
        answer = admin.post("/console/sop/rule/", wrong)
        assert words in answer.text and not SendRule.objects.exists()
    rule = {"per_day": "1", "per_week": "", "holidays": "2026-12-04 ~ 2026-12-05\n2026-12-07", "workdays": "2026-12-06"}
    admin.post("/console/sop/rule/", rule)
    assert rules.pace() == Pace(1, None, frozenset({FRIDAY, SATURDAY, MONDAY}), frozenset({SUNDAY}))
    told = AuditEntry.objects.get(action="sop.rule").detail
    assert told["per_day"] == [None, 1] and told["holidays"] == [[], ["2026-12-04 ~ 2026-12-05", "2026-12-07"]]
    form = admin.get("/console/sop/rule/")
    assert_strict(form)
    assert "2026-12-04 ~ 2026-12-05\n2026-12-07" in form.text

    later = {"day": 2, "at": time(8, 30), "title": "邀约"}
    plan = make_plan(NINE, NINE | {"title": "发案例"}, later, NINE | {"title": "回访", "workdays_only": True})
    assert "每位客户每天最多 1 条，所有 SOP、总部任务和收到的群发合计" in admin.get(f"/console/sop/{plan.pk}/").text
    page = admin.get(f"/console/sop/{plan.pk}/simulate/?at=2026-12-03T15:20")
    assert [f"{fall.at:%d %H} {why}" for _step, _when, fall, why in page.context["falls"]] == [
        "04 09 ",
        "06 09 客户收到的已达上限，顺延",  # on the 5th another comes before
        "08 09 客户收到的已达上限，顺延",  # for workdays only: the 7th is none
        "05 08 ",
    ]
    assert_strict(page)
