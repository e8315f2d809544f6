"""客户SOP and 任务 in the console: edited as a draft, published, tried before; the board and the lists behind it."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from contacts.models import Customer
from content.models import Material, Sending
from content.sendings import record
from sop import assignments, board, enrol, plans, tasks
from sop.models import Assignment, Enrolment, Plan, StaffTask
from tenants import outbox
from tenants.jobs import run_to_end
from tenants.models import CorpApp, Job, OutgoingCall
from tests.browser import WIDTHS, Console, console, fits
from tests.pages import assert_no_axe_faults, assert_strict
from tests.pages_of_apps.company import Company

__all__ = ["console"]

STEP = {"title": "问候", "kind": "day", "day": "1", "at": "10:00", "valid_hours": "24", "content_text": "您好"}


def made(company, client, **step):
    client.post("/console/sop/new/", {"name": "新客培育", "on": "added"})
    plan = Plan.objects.latest("pk")
    client.post(f"/console/sop/{plan.pk}/steps/new/", STEP | step)
    return plan


def test_a_plan_is_made_published_and_switched_on(company):
    wang = company.client("admin")
    assert "还没有 SOP" in wang.get("/console/sop/").text
    assert_strict(wang.get("/console/sop/new/"))
    plan = made(company, wang)
    page = wang.get(f"/console/sop/{plan.pk}/")
    assert_strict(page)
    assert "第 1 天 10:00" in page.text and "这是草稿" in page.text
    assert_strict(wang.get(f"/console/sop/{plan.pk}/steps/new/"))
    assert_strict(wang.get(f"/console/sop/{plan.pk}/settings/"))

    wang.post(f"/console/sop/{plan.pk}/publish/")
    wang.post(f"/console/sop/{plan.pk}/switch/")
    plan.refresh_from_db()
    assert (plan.enabled, plan.trigger) == (True, "added")
    listed = wang.get("/console/sop/")
    assert_strict(listed)
    assert "员工与客户成为好友" in listed.text and "已启用" in listed.text


def test_a_plan_for_others_is_changed_by_those_who_see_them(company):
    wang, li = company.client("admin"), company.client("admin", scope="self", staff="li")
    plan = made(company, wang)
    wang.post(f"/console/sop/{plan.pk}/publish/")
    page, step = li.get(f"/console/sop/{plan.pk}/"), plan.versions.get().steps.get()
    assert_strict(page)
    assert "由能看到这些员工的管理员修改" in page.text and "删除这个 SOP" not in page.text
    places = [f"{plan.pk}/{act}/" for act in ("publish", "discard", "switch", "archive", "upgrade", "settings")]
    for place in [*places, f"{plan.pk}/steps/new/", f"steps/{step.pk}/", f"steps/{step.pk}/drop/"]:
        assert "管理范围以外" in li.post(f"/console/sop/{place}", STEP, follow=True).text, place
    assert list(Plan.objects.values_list("enabled", "archived_at")) == [(False, None)]
    assert not plan.versions.filter(published_at=None).exists()

    assert li.post("/console/sop/new/", {"name": "全员", "on": "added"}).status_code == 422, (
        "all staff are not one's own"
    )
    li.post("/console/sop/new/", {"name": "我的", "on": "added", "staff": [company.staff["li"].pk]})
    own = Plan.objects.get(name="我的")
    li.post(f"/console/sop/{own.pk}/steps/new/", STEP)
    li.post(f"/console/sop/{own.pk}/publish/")
    li.post(f"/console/sop/{own.pk}/switch/")
    own.refresh_from_db()
    assert own.enabled


def test_a_change_is_a_draft_until_it_is_published(company):
    wang = company.client("admin")
    plan = made(company, wang)
    wang.post(f"/console/sop/{plan.pk}/publish/")
    step = enrol.newest(plan).steps.get()
    wang.post(f"/console/sop/steps/{step.pk}/", STEP | {"title": "新标题"})
    assert enrol.newest(plan).steps.get().title == "问候"
    assert "新标题" in wang.get(f"/console/sop/{plan.pk}/?draft=1").text
    assert "新标题" not in wang.get(f"/console/sop/{plan.pk}/").text
    wang.post(f"/console/sop/{plan.pk}/discard/")
    assert plan.versions.count() == 1
    wang.post(f"/console/sop/steps/{step.pk}/drop/")
    answer = wang.post(f"/console/sop/{plan.pk}/publish/", follow=True)
    assert "请先添加步骤" in answer.text
    wang.post(f"/console/sop/{plan.pk}/archive/")
    assert wang.get(f"/console/sop/{plan.pk}/").status_code == 404


def test_who_sees_less_of_the_staff_leaves_the_others_in_the_plan(company):
    wang = company.client("admin")
    plan = made(company, wang)
    everybody = [company.staff["wang"].pk, company.staff["li"].pk]
    form = {"name": "新客培育", "on": "added"}
    wang.post(f"/console/sop/{plan.pk}/settings/", form | {"staff": everybody})
    li = company.client("admin", "self", "li")
    li.post(f"/console/sop/{plan.pk}/settings/", form | {"staff": company.staff["li"].pk})
    assert sorted(plans.stored_draft(plan).trigger["staff"]) == sorted(everybody)


def test_a_second_tap_on_remove_takes_no_other_step(company):
    wang = company.client("admin")
    plan = made(company, wang)
    wang.post(f"/console/sop/{plan.pk}/steps/new/", STEP | {"title": "回访", "day": "3"})
    wang.post(f"/console/sop/{plan.pk}/publish/")
    first = enrol.newest(plan).steps.get(no=1)
    assert wang.post(f"/console/sop/steps/{first.pk}/drop/").status_code == 302
    assert wang.post(f"/console/sop/steps/{first.pk}/drop/").status_code == 404
    assert [step.title for step in plans.stored_draft(plan).steps.all()] == ["回访"]
    assert "/drop/" not in wang.get(f"/console/sop/{plan.pk}/").text  # what is published is changed in its draft


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"at": "23:00"}, "免打扰"),
        ({"at": ""}, "请填写时间"),
        ({"day": ""}, "请填写第几天"),
        ({"content_text": "{客户姓名}你好"}, "没有变量"),
        ({"title": ""}, "必填"),
    ],
)
def test_a_step_that_cannot_be_is_refused_beside_its_field(company, change, words):
    wang = company.client("admin")
    plan = made(company, wang)
    answer = wang.post(f"/console/sop/{plan.pk}/steps/new/", STEP | change)
    assert answer.status_code == 422
    assert words in answer.text
    assert plan.versions.get().steps.count() == 1


def test_simulation_and_dry_run_are_pages(company):
    wang = company.client("admin")
    plan = made(company, wang)
    for number in range(3):
        company.add(f"客户{number}", "wang", days=9)
    page = wang.get(f"/console/sop/{plan.pk}/simulate/?at=2026-12-01T15:20&draft=1")
    assert_strict(page)
    assert "2026-12-02 10:00" in page.text
    assert wang.get(f"/console/sop/{plan.pk}/simulate/?at=morgen").status_code == 422
    tried = wang.get(f"/console/sop/{plan.pk}/dry-run/?draft=1")
    assert_strict(tried)
    assert tried.context["run"].actions == 3
    assert "最忙的一天：员工wang" in tried.text
    assert not Enrolment.objects.exists()


def test_who_is_in_it_is_listed_by_range_and_can_be_taken_out(company, make_plan):
    plan = make_plan({"after_minutes": 60 * 24})
    for name, staff in (("韩梅梅", "wang"), ("李雷", "li")):
        company.add(name, staff)
        enrol.enrol(plan, [company.follow(name, staff).pk], "test", timezone.now())
    page = company.client("admin").get(f"/console/sop/{plan.pk}/customers/")
    assert_strict(page)
    assert "韩梅梅" in page.text and "李雷" in page.text and "0 / 1" in page.text
    own = company.client("staff", "self", "li").get(f"/console/sop/{plan.pk}/customers/")
    assert "李雷" in own.text and "韩梅梅" not in own.text
    one = Enrolment.objects.get(follow__staff=company.staff["wang"])
    company.client("owner").post(f"/console/sop/customers/{one.pk}/leave/")
    one.refresh_from_db()
    assert (one.state, one.exit_reason) == ("exited", "manual")


# -- tasks -------------------------------------------------------------------------------------------------------------


def give(company, name, staff, state="open", **more):
    now = timezone.now()
    values = {"title": "回访", "starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(days=1)} | more
    if state != "open":
        values |= {"settled_at": now}
    customer = company.customers.get(name) or company.add(name, staff)
    return StaffTask.objects.create(staff=company.staff[staff], customer=customer, state=state, **values)


def test_the_board_counts_and_each_number_opens_its_list(company):
    for number, (staff, state) in enumerate(
        [
            ("wang", "done"),
            ("wang", "open"),
            ("li", "done"),
            ("li", "skipped"),
            ("zhao", "expired"),
            ("zhao", "cancelled"),
        ]
    ):
        give(company, f"客户{number}", staff, state)
    wang = company.client("admin")
    page = wang.get("/console/tasks/")
    assert_strict(page)
    total = page.context["sum"]
    assert (total.total, total.done, total.open, total.skipped, total.expired, total.rate) == (5, 2, 1, 1, 1, 40)
    listed = wang.get(f"/console/tasks/list/?{page.context['query']}&state=done")
    assert_strict(listed)
    assert listed.context["list"].count == 2
    by = wang.get("/console/tasks/?by=department")
    assert_strict(by)
    found = {row.name: (row.done, row.total) for row in by.context["rows"]}
    assert found == {"华南": (1, 2), "门店七": (1, 2), "华北": (0, 1)}
    row = next(one for one in by.context["rows"] if one.name == "门店七")
    assert wang.get(f"/console/tasks/list/?department={row.pk}&state=done").context["list"].count == 1
    day = timezone.localdate().isoformat()
    assert wang.get(f"/console/tasks/list/?state=done&done_from={day}&done_to={day}").context["list"].count == 2


def test_the_range_cuts_board_list_and_task(company):
    mine, other = give(company, "李雷", "li"), give(company, "韩梅梅", "wang")
    li = company.client("staff", "self", "li")
    assert li.get("/console/tasks/").context["sum"].total == 1
    assert li.get("/console/tasks/list/").context["list"].count == 1
    assert_strict(li.get(f"/console/tasks/{mine.pk}/"))
    assert li.get(f"/console/tasks/{other.pk}/").status_code == 404
    assert li.post(f"/console/tasks/staff/{company.staff['wang'].pk}/urge/").status_code == 404


def test_who_sees_some_of_the_staff_does_not_stop_the_task_of_all(company):
    now = timezone.now()
    wide = Assignment.objects.create(title="全员", starts_at=now, ends_at=now + timedelta(days=1), state="running")
    for name, staff in (("李雷", "li"), ("韩梅梅", "wang")):
        give(company, name, staff, assignment=wide)
    li = company.client("admin", "self", "li")
    assert "数据范围以外" in li.post(f"/console/tasks/assignments/{wide.pk}/stop/", follow=True).text
    assert wide.tasks.filter(state="open").count() == 2
    assert "已停止" in company.client("admin").post(f"/console/tasks/assignments/{wide.pk}/stop/", follow=True).text


def test_urging_is_one_press_and_three_a_day(company, in_acme):
    CorpApp.objects.filter(tenant=in_acme, is_main=True).update(agent_id=1)
    give(company, "韩梅梅", "wang")
    url = f"/console/tasks/staff/{company.staff['wang'].pk}/urge/"
    admin = company.client("admin")
    texts = [admin.post(url, follow=True).text for _ in range(4)]
    assert all("已提醒 员工wang：1 项任务待完成" in text for text in texts[:3])
    assert "今天已经催办 员工wang 3 次" in texts[3]
    cards = [outbox.body_of(call)["textcard"] for call in OutgoingCall.objects.filter(idem_key__contains="urge")]
    assert len({card["title"] for card in cards}) == len(cards) == 3, (
        "WeCom drops a card that is equal to one of the last half hour"
    )


# -- assignments -------------------------------------------------------------------------------------------------------


def assignment_form(company, **more):
    vip = {"match": "all", "of": [{"is": "tags", "op": "any", "value": [company.tags["重要客户"].pk]}]}
    now = timezone.localtime()
    return {
        "title": "双十二预告",
        "tree": json.dumps(vip),
        "content_text": "双十二见",
        "starts_at": f"{now - timedelta(minutes=5):%Y-%m-%dT%H:%M}",
        "ends_at": f"{now + timedelta(days=2):%Y-%m-%dT%H:%M}",
        "target": "80",
    } | more


def test_headquarters_ask_and_each_customer_has_one_task(company, in_acme):
    company.add("韩梅梅", "wang", "li", tags=["重要客户"])
    company.add("李雷", "li", tags=["重要客户"])
    company.add("普通", "li")
    company.add("没人了", "zhao", tags=["重要客户"])
    company.staff["zhao"].left_at = timezone.now()
    company.staff["zhao"].save()
    admin = company.client("admin")
    assert_strict(admin.get("/console/tasks/assignments/new/"))
    answer = admin.post("/console/tasks/assignments/new/", assignment_form(company))
    draft = Assignment.objects.get()
    assert answer.url == reverse("sop:assignment", args=[draft.pk])
    page = admin.get(answer.url)
    assert_strict(page)
    assert "符合条件的客户 3 位" in page.text

    admin.post(f"{answer.url}publish/")
    admin.post(f"{answer.url}publish/")
    run_to_end(Job.objects.get(kind="assignment"))
    assert sorted(StaffTask.objects.values_list("customer__name", flat=True)) == ["李雷", "韩梅梅"]
    assert assignments.split_to(draft, list(Customer.objects.values_list("pk", flat=True)[:0])) == 0
    page = admin.get(answer.url)
    assert_strict(page)
    assert "1 位客户没有在职的好友员工" in page.text
    assert_strict(admin.get("/console/tasks/assignments/"))

    task = StaffTask.objects.get(customer__name="李雷")
    sending, _new = record("k1", company.staff["li"], customer=task.customer, task_id=task.pk)
    assert tasks.task_sent(task, "text", sending)
    assert board.sum_of(board.tasks_of(company.operator())).rate == 50
    admin.post(f"{answer.url}stop/")
    assert sorted(StaffTask.objects.values_list("state", flat=True)) == ["cancelled", "done"]


def test_an_assignment_without_people_content_or_time_is_refused(company):
    admin = company.client("admin")
    for change, words in (
        ({"tree": ""}, "请选择人群包"),
        ({"content_text": ""}, "请填写内容"),
        ({"ends_at": "2020-01-01T10:00"}, "截止时间"),
    ):
        answer = admin.post("/console/tasks/assignments/new/", assignment_form(company, **change))
        assert answer.status_code == 422
        assert words in answer.text
    assert not Assignment.objects.exists()


def test_what_is_sent_proves_the_task_without_opening_it(company):
    material = Material.objects.create(kind="link", title="新品", body={"url": "https://example.com"})
    task = give(company, "韩梅梅", "wang", content={"text": "", "materials": [material.pk]})
    record("k2", company.staff["wang"], customer=task.customer, material=material)
    task.refresh_from_db()
    assert (task.state, task.proof) == ("done", "sidebar")
    assert Sending.objects.count() == 1


def test_the_result_of_a_mass_message_proves_it_too(company):
    task = give(company, "韩梅梅", "wang", content={"text": "您好", "materials": []})
    assert tasks.settled_by_mass([task.pk], at=timezone.now()) == 1
    assert tasks.settled_by_mass([task.pk], at=timezone.now()) == 0
    task.refresh_from_db()
    assert (task.state, task.proof) == ("done", "mass")


# -- seen --------------------------------------------------------------------------------------------------------------

SHOTS = os.environ.get("SHOTS", "")


def shoot(page, name):
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}-{page.viewport_size['width']}.png", full_page=True)


@pytest.fixture
def lived_in(db_commits, acme, clean_cache):
    """Committed, for a browser."""
    with acme:
        company = Company(acme).found()
        now = timezone.now()
        for number in range(12):
            company.add(f"顾客{number:02}", ("wang", "li", "zhao")[number % 3], days=number, tags=["重要客户"])
            state = ("done", "open", "done", "skipped", "expired", "open")[number % 6]
            give(company, f"顾客{number:02}", ("wang", "li", "zhao")[number % 3], state, title="第 3 天 · 发案例")
        admin = company.client("admin")
        plan = made(company, admin, content_text="{客户昵称}您好，我是您的专属顾问，之后有任何问题随时找我～")
        admin.post(
            f"/console/sop/{plan.pk}/steps/new/", STEP | {"title": "发案例", "day": "3", "content_text": "分享一个案例"}
        )
        later = {"title": "邀约到店", "kind": "after", "hours": "168", "content_text": ""}
        admin.post(f"/console/sop/{plan.pk}/steps/new/", STEP | later)
        admin.post(f"/console/sop/{plan.pk}/publish/")
        admin.post(f"/console/sop/{plan.pk}/switch/")
        for name in ("顾客00", "顾客01"):
            follow = company.customers[name].follows.get()
            enrol.enrol(Plan.objects.get(), [follow.pk], "test", now)
        admin.post("/console/tasks/assignments/new/", assignment_form(company))
        assignments.publish(Assignment.objects.get(), by="wang")
        run_to_end(Job.objects.get(kind="assignment"))
        yield plan.pk


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_in_a_browser(lived_in, acme, console: Console, width):
    pages = {
        "plans": "/console/sop/",
        "plan": f"/console/sop/{lived_in}/",
        "plan-form": "/console/sop/new/",
        "step-form": f"/console/sop/{lived_in}/steps/new/",
        "simulate": f"/console/sop/{lived_in}/simulate/?at=2026-12-01T15:20",
        "dry-run": f"/console/sop/{lived_in}/dry-run/",
        "enrolments": f"/console/sop/{lived_in}/customers/",
        "board": "/console/tasks/",
        "board-departments": "/console/tasks/?by=department",
        "tasks": "/console/tasks/list/",
        "assignments": "/console/tasks/assignments/",
        "assignment-form": "/console/tasks/assignments/new/",
    }
    with acme:
        pages["assignment"] = f"/console/tasks/assignments/{Assignment.objects.get().pk}/"
    page = console.open(acme, "/console/", role="owner", width=width)
    for name, url in pages.items():
        page.goto(url)
        shoot(page, name)
        assert fits(page), name
        assert_no_axe_faults(page)
