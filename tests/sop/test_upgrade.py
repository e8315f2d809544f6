"""应用到进行中: what the new version changes for those on the way is told before, and done once."""

from datetime import time, timedelta

import pytest
from django.urls import reverse

from sop import enrol, plans, upgrade
from sop.models import Enrolment, StaffTask, StepRun
from tenants.jobs import run_to_end
from tenants.models import DueRow, Job
from tests.pages import assert_strict
from tests.sop.conftest import at, let_fall_due, step_of


@pytest.fixture
def changed(company, make_plan, clock, in_acme):
    """韩梅梅 has had the first of three steps; then the first is moved to later, the second reworded, the third
    dropped, and two are new, one of them too late for her."""
    clock(at(1, 9))
    plan = make_plan(
        {"day": 1, "at": time(10), "title": "问候"},
        {"day": 5, "at": time(10), "title": "案例", "content": {"text": "看看案例", "materials": []}},
        {"day": 7, "at": time(10), "title": "邀约", "content": {"text": "来店里", "materials": []}},
    )
    company.add("韩梅梅", "wang", days=0)
    enrol.enrol(plan, [company.follow("韩梅梅", "wang").pk], "test", at(1, 9))
    clock(at(3, 12))
    StepRun.objects.filter(step__title="问候").update(due_at=at(3, 12))
    let_fall_due(in_acme, at(3, 13))
    assert StaffTask.objects.get().title == "问候"
    version = enrol.newest(plan)
    steps = {step.title: step for step in version.steps.all()}
    steps["问候"].day, steps["案例"].content = 4, {"text": "新的案例", "materials": []}
    plans.save_step(plan, steps["问候"], by="wang")
    draft = plans.draft_of(plan, by="wang")
    own = draft.steps.get(title="案例")
    own.content = {"text": "新的案例", "materials": []}
    plans.save_step(plan, own, by="wang")
    plans.drop_step(plan, draft.steps.get(title="邀约"), by="wang")
    new = {"content": {"text": "没见过", "materials": []}}
    plans.save_step(plan, step_of(day=2, at=time(10), title="太晚", **new), by="wang")
    plans.save_step(plan, step_of(day=9, at=time(10), title="回访", **new), by="wang")
    plans.publish(plan, by="wang")
    return plan


def waiting():
    runs = StepRun.objects.filter(state="waiting").order_by("due_at").select_related("step")
    assert set(DueRow.objects.filter(kind=enrol.STEP).values_list("ref", flat=True)) == {run.pk for run in runs}
    return [(run.step.title, run.step.content["text"], run.due_at.astimezone(at(1, 0).tzinfo).day) for run in runs]


def test_the_preview_says_what_becomes_of_each_step_and_it_comes_true(changed, company):
    version = enrol.newest(changed)
    before = waiting()
    found = upgrade.preview(version)
    assert (found.customers, found.over, found.dropped) == (1, 0, [("邀约", 1)])
    told = {line.step.title: (line.coming, line.had, line.past) for line in found.lines}
    assert told == {"问候": (0, 1, 0), "案例": (1, 0, 0), "太晚": (0, 0, 1), "回访": (1, 0, 0)}
    assert waiting() == before

    wang = company.client("admin")
    assert "应用到进行中" in wang.get(f"/console/sop/{changed.pk}/").text
    page = wang.get(reverse("sop:upgrade", args=[changed.pk]))
    assert_strict(page)
    assert "新版中没有" in page.text
    wang.post(reverse("sop:upgrade", args=[changed.pk]))
    run_to_end(Job.objects.get(kind=upgrade.JOB))

    assert waiting() == [("案例", "新的案例", 6), ("回访", "没见过", 10)]
    assert Enrolment.objects.get().version == version
    assert StaffTask.objects.get().state == "open"
    assert "没有客户在执行较早的版本" in wang.post(reverse("sop:upgrade", args=[changed.pk]), follow=True).text
    assert company.client("staff").get(reverse("sop:upgrade", args=[changed.pk])).status_code == 403


def test_who_has_nothing_left_is_done_and_others_go_on_in_chunks(company, make_plan, clock, monkeypatch):
    monkeypatch.setattr(upgrade, "CHUNK", 2)
    clock(at(1, 9))
    plan = make_plan({"day": 5, "at": time(10)})
    for number in range(5):
        company.add(f"顾客{number}", "wang", days=0)
        begun = at(1, 9) - timedelta(days=number)
        enrol.enrol(plan, [company.follow(f"顾客{number}", "wang").pk], "test", begun)
    step = enrol.newest(plan).steps.get()
    step.day, step.title, step.content = 2, "更早", {"text": "更早的一步", "materials": []}
    plans.save_step(plan, step, by="wang")
    plans.publish(plan, by="wang")
    found = upgrade.preview(enrol.newest(plan))
    upgrade.start(plan, by="wang")
    run_to_end(Job.objects.get(kind=upgrade.JOB))
    assert [one.state for one in Enrolment.objects.order_by("-anchor_at")] == ["active"] * 3 + ["done"] * 2
    assert found.over == 2 and len(waiting()) == 3
    assert Job.objects.get(kind=upgrade.JOB).done == 5


def test_a_version_that_is_published_meanwhile_is_not_taken_back(changed, company, clock):
    """Each upgrade that was asked for is made, whichever job comes last."""
    second = upgrade.start(changed, by="wang")
    company.add("李雷", "wang", days=0)
    plans.save_step(changed, step_of(day=20, at=time(10), title="一月后"), by="wang")
    plans.publish(changed, by="wang")
    enrol.enrol(changed, [company.follow("李雷", "wang").pk], "test", at(3, 9))
    third = upgrade.start(changed, by="wang")
    assert third != second
    for job in (third, second):
        run_to_end(job)
    assert {one.version for one in Enrolment.objects.all()} == {enrol.newest(changed)}
