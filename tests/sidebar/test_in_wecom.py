"""The demo's story in the imitation client: our sidebar with the real JS-SDK, one person playing both sides."""

from collections.abc import Iterator
from datetime import time
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.models import QuerySet
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from acquisition import codes
from acquisition.models import ChannelCode, Welcome
from contacts.models import Customer, Follow, Stage, Tag
from content.models import Script
from members import quiet
from members.models import Staff
from sop import plans
from sop.models import StaffTask, Step
from tenants.jobs import run_to_end, start
from tenants.models import Tenant
from tests.at_work import at_work, door, work_until
from tests.browser import Console, console, fits
from tests.pages import assert_no_axe_faults
from tests.sandbox_server import Sandbox

__all__ = ["at_work", "console", "door"]


@pytest.fixture
def wecom(at_work: Tenant, sandbox: Sandbox, live_server: LiveServer, browser: Browser, settings) -> Iterator[Page]:
    """WeCom's window, in which our sidebar stands beside the chats."""
    settings.WECOM_OAUTH_BASE = sandbox.url
    assert sandbox.url == django_settings.WECOM_API_BASE
    host = f"acme.localhost:{live_server.thread.port}"
    page = f"http://{host}/sidebar/"
    sandbox.app(sidebar_url=page, home_url=page, trusted_domains=[host])
    port = sandbox.url.rsplit(":", 1)[1]
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    faults: list[str] = []
    shown = context.new_page()
    shown.on("pageerror", lambda error: faults.append(str(error)))
    shown.goto(f"http://acme.localhost:{port}/chat/")
    yield shown
    context.close()
    assert not faults, faults


def made_code(acme: Tenant) -> ChannelCode:
    with acme:
        run_to_end(start("sync"))
        staff = list(Staff.objects.filter(can_follow=True).order_by("pk")[:1])
        tag, stage = Tag.objects.filter(deleted_at=None).first(), Stage.objects.create(name="新客户")
        Stage.objects.create(name="意向")
        welcome = Welcome.objects.create(reach="code", text="{客户昵称}您好，欢迎来到艾可美")
        code = codes.create(
            ChannelCode(name="门店海报", tag_ids=[tag.pk], stage=stage, welcome=welcome), staff, [], by="lin"
        )
        Script.objects.create(title="报价说明", text="{客户昵称}，这是报价。")

    def active() -> bool:
        with acme:
            code.refresh_from_db()
        return code.status == "active"

    work_until(acme, active)
    return code


def come_by(acme: Tenant, sandbox: Sandbox, code: ChannelCode) -> Follow:
    """A customer scans the code; the company has heard of it, greeted and tagged them."""
    sandbox.act("customer_scans", config_id=code.config_id, name="路过的小林")
    found: list[Follow] = []

    def arrived() -> bool:
        with acme:
            rows = Follow.objects.filter(state=code.state, tag_links__isnull=False).select_related("customer", "staff")
            found[:] = list(rows)
        return bool(found)

    work_until(acme, arrived)
    work_until(acme, lambda: bool(sandbox.effects("welcome")))
    return found[0]


def open_chat(wecom: Page, follow: Follow) -> None:
    wecom.reload()
    wecom.locator("select").nth(1).select_option(follow.staff.userid)
    wecom.locator("#list li", has_text=follow.customer.name).first.click()


def enrols_who_comes(acme: Tenant) -> None:
    """A plan in use, whose first step is due at once."""
    with acme:
        plan = plans.create(name="新客培育", trigger={"on": "added"}, exits={}, by="lin")
        plans.save_step(plan, Step(title="新客关怀", content={"text": "今天有新品到店"}, after_minutes=0), by="lin")
        plans.publish(plan, by="lin")
        plans.switch(plan, on=True)


def task_of(acme: Tenant, follow: Follow) -> StaffTask:
    found: list[StaffTask] = []

    def made() -> bool:
        with acme:
            found[:] = StaffTask.objects.filter(customer=follow.customer)
        return bool(found)

    work_until(acme, made)
    return found[0]


def exists(acme: Tenant, rows: QuerySet[Any]) -> bool:
    with acme:
        return rows.exists()


@pytest.fixture
def by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the hour of the test, nobody sleeps."""
    monkeypatch.setattr(quiet, "FROM", time.max)
    monkeypatch.setattr(quiet, "TO", time.min)


@pytest.mark.usefixtures("by_day")
def test_a_scan_becomes_a_customer_whom_sales_serve_in_few_taps(
    at_work: Tenant, sandbox: Sandbox, wecom: Page, console: Console
) -> None:
    code = made_code(at_work)
    enrols_who_comes(at_work)
    follow = come_by(at_work, sandbox, code)
    task = task_of(at_work, follow)
    with at_work:
        assert task.step_run is not None
        other_tag = Tag.objects.filter(deleted_at=None).exclude(links__follow=follow).first()
    open_chat(wecom, follow)
    pane = wecom.frame_locator("iframe[name=pane]")

    # who it is, at a glance
    expect(pane.get_by_role("heading", name="路过的小林")).to_be_visible(timeout=60_000)
    expect(pane.get_by_label("客户阶段")).to_contain_text("新客户")
    expect(wecom.locator(".phone .bubble", has_text="路过的小林您好，欢迎来到艾可美")).to_be_visible()

    # a tag: +, the tag
    pane.get_by_role("button", name="添加标签").click()
    pane.locator(".sheet").get_by_role("button", name=other_tag.name, exact=True).click()
    expect(pane.locator(".chip-coming", has_text=other_tag.name)).to_be_visible()

    # a script: its tab, 发送
    pane.get_by_role("button", name="内容", exact=True).click()
    pane.get_by_role("button", name="发送 报价说明").click()
    expect(wecom.locator(".phone .bubble", has_text="路过的小林，这是报价。")).to_be_visible()

    # today's step of the plan: its tab, 发送; done without a tick
    expect(pane.locator("[data-tab=tasks] .count")).to_have_text("1")
    pane.get_by_role("button", name="任务", exact=False).last.click()
    pane.get_by_role("button", name="发送 新客关怀").click()
    expect(wecom.locator(".phone .bubble", has_text="今天有新品到店")).to_be_visible()

    def settled() -> bool:
        with at_work:
            task.refresh_from_db()
            tagged = follow.tag_links.filter(tag=other_tag).exists()
        return task.state == "done" and task.proof == "sidebar" and tagged

    work_until(at_work, settled)

    # the operator sees it
    with at_work:
        enrolment = task.step_run.enrolment
        assert (enrolment.plan.name, enrolment.state) == ("新客培育", "done")
    board = console.open(at_work, "/console/tasks/")
    expect(board.get_by_role("row").filter(has_text=follow.staff.name)).to_contain_text("100%")


def test_a_draft_survives_the_pane(at_work: Tenant, sandbox: Sandbox, wecom: Page) -> None:
    follow = come_by(at_work, sandbox, made_code(at_work))
    open_chat(wecom, follow)
    pane = wecom.frame_locator("iframe[name=pane]")
    pane.get_by_role("button", name="写跟进").click()
    pane.get_by_label("跟进内容").fill("周五看样品")
    open_chat(wecom, follow)
    expect(pane.get_by_label("跟进内容")).to_have_value("周五看样品", timeout=60_000)
    pane.get_by_role("button", name="添加标签").click()
    expect(pane.get_by_label("搜索标签")).to_be_visible()
    expect(pane.get_by_label("跟进内容")).to_be_hidden()
    pane.get_by_role("button", name="写跟进").click()
    expect(pane.get_by_label("搜索标签")).to_have_count(0)
    pane.get_by_role("button", name="保存").click()
    expect(pane.locator(".note")).to_have_text("周五看样品")
    pane.get_by_role("button", name="写跟进").click()
    pane.get_by_label("跟进内容").fill("下周再约")
    pane.get_by_text("动态", exact=True).click()  # a part of the card that comes meanwhile takes no words away
    expect(pane.locator(".fold")).to_contain_text("周五看样品")
    expect(pane.get_by_label("跟进内容")).to_have_value("下周再约")

    with at_work:
        tag = Tag.objects.filter(deleted_at=None).exclude(links__follow=follow).first()
        links = follow.tag_links.filter(tag=tag)
    pane.get_by_role("button", name="添加标签").click()
    pane.locator(".sheet").get_by_role("button", name=tag.name, exact=True).click()
    expect(pane.locator(".chip-coming", has_text=tag.name)).to_be_visible()
    work_until(at_work, lambda: exists(at_work, links))
    expect(pane.locator(".chip-coming")).to_have_count(0)  # by itself
    expect(pane.locator("#tags .chip", has_text=tag.name)).to_be_visible()
    expect(pane.get_by_label("跟进内容")).to_have_value("下周再约")
    with at_work:
        assert Customer.objects.get(pk=follow.customer_id).follow_ups.count() == 1


def test_a_refused_signature_says_what_to_do(at_work: Tenant, sandbox: Sandbox, wecom: Page) -> None:
    follow = come_by(at_work, sandbox, made_code(at_work))
    sandbox.app(trusted_domains=["elsewhere.example.com"])
    open_chat(wecom, follow)
    pane = wecom.frame_locator("iframe[name=pane]")
    expect(pane.locator("body")).to_contain_text("可信域名", timeout=60_000)


@pytest.mark.parametrize("width", [375, 300])
def test_every_panel_fits_and_can_be_used_by_everyone(
    at_work: Tenant, sandbox: Sandbox, wecom: Page, browser: Browser, width: int
) -> None:
    follow = come_by(at_work, sandbox, made_code(at_work))
    open_chat(wecom, follow)
    pane = wecom.frame_locator("iframe[name=pane]")
    expect(pane.get_by_role("heading", name="路过的小林")).to_be_visible(timeout=60_000)
    alone = wecom.context.new_page()
    alone.set_viewport_size({"width": width, "height": 740})
    alone.goto(wecom.url.split("/chat/")[0] + "/sidebar/")
    for tab in ("客户", "内容", "任务"):
        alone.get_by_role("button", name=tab, exact=False).first.click()
        alone.wait_for_load_state("networkidle")
        assert fits(alone), f"{tab} scrolls sideways at {width}"
        assert_no_axe_faults(alone)
