"""The kit as a person meets it: with a mouse, with a keyboard only, on a phone, with a screen reader."""

import re

import pytest
from playwright.sync_api import expect

from tenants.models import Tenant
from tests.browser import WIDTHS, Console, fits
from tests.cast import PASSWORD
from tests.pages import assert_no_axe_faults
from tests.people import add_operator

PAGES = [
    "account/",
    "account/password/",
    "account/second-factor/",
    "operators/",
    "operators/new/",
    "audit/",
    "nothing/",
]


@pytest.mark.parametrize("width", WIDTHS)
def test_our_pages_have_no_barriers_and_fit(console: Console, acme: Tenant, width: int) -> None:
    page = console.open(acme, "/console/account/", width=width)
    for path in PAGES:
        page.goto(f"/console/{path}")
        assert_no_axe_faults(page)
        assert fits(page), path


@pytest.mark.parametrize("width", WIDTHS)
def test_the_sign_in_has_no_barriers(console: Console, acme: Tenant, width: int) -> None:
    page = console.open(acme, "/console/", role="", width=width)
    page.keyboard.press("Enter")
    expect(page.get_by_text("请输入密码")).to_be_visible()

    assert_no_axe_faults(page)
    assert fits(page)


def test_signing_in_and_making_an_operator_takes_no_mouse(console: Console, acme: Tenant) -> None:
    add_operator(acme, "wang")
    page = console.open(acme, "/console/operators/", role="")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    for part in ("wang", "Tab", PASSWORD, "Enter", "Enter"):
        page.keyboard.press(part) if part in {"Tab", "Enter"} else page.keyboard.type(part)
    expect(page.get_by_role("heading", name="操作员", level=1)).to_be_visible()
    assert asked.count("POST") == 1, "sent once, however often Enter was pressed"

    page.get_by_role("link", name="新建操作员").focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_be_visible()
    drawer.get_by_label("姓名").focus()
    page.keyboard.type("赵敏")
    page.keyboard.press("Tab")
    page.keyboard.type("wang")
    page.keyboard.press("Enter")
    expect(drawer.get_by_text("这个账号已存在")).to_be_visible()
    expect(drawer.get_by_label("账号")).to_be_focused()
    assert_no_axe_faults(page)

    page.keyboard.press("Control+A")
    page.keyboard.type("zhaomin")
    page.keyboard.press("Enter")
    expect(drawer.get_by_role("heading", name="初始密码")).to_be_focused()
    page.keyboard.press("Escape")

    expect(drawer).to_be_hidden()
    expect(page.get_by_role("cell", name="zhaomin")).to_be_visible()


def test_focus_stays_in_the_drawer_while_it_is_open(console: Console, acme: Tenant) -> None:
    page = console.open(acme, "/console/operators/")
    page.get_by_role("link", name="新建操作员").click()
    expect(page.get_by_role("dialog")).to_be_visible()

    for _tab in range(12):
        page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert page.evaluate(inside)


def test_filters_change_the_table_and_the_address(console: Console, acme: Tenant) -> None:
    add_operator(acme, "zhang", "staff")
    page = console.open(acme, "/console/operators/")

    page.get_by_label("角色").select_option("staff")
    expect(page).to_have_url(re.compile(r"/console/operators/\?role=staff$"))
    expect(page.get_by_role("row")).to_have_count(2)

    page.reload()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="清空条件").click()
    expect(page.get_by_role("row")).to_have_count(3)


def test_a_dangerous_act_asks_first_and_can_be_undone(console: Console, acme: Tenant) -> None:
    add_operator(acme, "zhang", "staff")
    page = console.open(acme, "/console/operators/")
    row = page.get_by_role("row").filter(has_text="zhang")

    row.get_by_role("cell").nth(1).click()
    page.get_by_role("button", name="停用").click()
    question = page.get_by_role("dialog", name="停用账号？")
    question.get_by_role("button", name="取消").click()
    expect(question).to_be_hidden()
    page.get_by_role("button", name="停用").click()
    question.get_by_role("button", name="停用").click()

    expect(row.get_by_text("已停用")).to_be_visible()
    page.get_by_role("button", name="撤销").click()
    expect(row.get_by_text("使用中")).to_be_visible()


def test_on_a_phone_the_rail_opens_over_the_page_and_closes_with_escape(console: Console, acme: Tenant) -> None:
    page = console.open(acme, "/console/audit/", width=375)
    link = page.locator("#rail").get_by_role("link", name="操作员")
    expect(link).to_be_hidden()

    page.get_by_role("button", name="打开导航").click()
    expect(link).to_be_visible()
    assert_no_axe_faults(page)
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()


@pytest.mark.parametrize(("language", "state"), [("zh-CN", "使用中"), ("en", "Active")])
def test_on_a_phone_the_state_of_an_operator_is_in_sight(
    console: Console, acme: Tenant, language: str, state: str
) -> None:
    add_operator(acme, "ouyang.nana.regional.manager", "admin", name="欧阳娜娜（华南大区经理）")
    page = console.open(acme, "/console/operators/", width=375, language=language)

    shown = page.get_by_role("cell").get_by_text(state, exact=True).all()
    assert len(shown) == 2
    for words in shown:
        box = words.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 375


@pytest.mark.parametrize(
    ("path", "width", "separators"),
    [
        ("account/second-factor/", 1440, [False, True]),
        ("account/second-factor/", 375, [False, True]),
        ("operators/new/", 1440, [False, True, True]),
        ("operators/new/", 375, [False, True]),
        ("operators/", 375, [False]),
    ],
)
def test_the_parts_of_a_place_are_kept_apart(
    console: Console, acme: Tenant, path: str, width: int, separators: list[bool]
) -> None:
    page = console.open(acme, f"/console/{path}", width=width)

    drawn = page.locator(".crumbs li:visible").evaluate_all(
        "all => all.map(li => getComputedStyle(li, '::before').content)"
    )
    assert [content not in ("none", "normal") for content in drawn] == separators


def test_ctrl_k_finds_a_page(console: Console, acme: Tenant) -> None:
    page = console.open(acme, "/console/account/")

    page.keyboard.press("Control+K")
    page.keyboard.type("审计")
    hit = page.get_by_role("dialog").get_by_role("link", name="审计日志")
    expect(hit).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("/console/audit/$"))


def test_a_request_that_fails_says_so_with_its_number(console: Console, acme: Tenant) -> None:
    page = console.open(acme, "/console/operators/")
    failed = {"status": 500, "headers": {"X-Request-ID": "8F3K2"}, "body": "no"}
    page.route("**/operators/new/", lambda route: route.fulfill(**failed))

    page.get_by_role("link", name="新建操作员").click()

    expect(page.get_by_role("alert")).to_contain_text("请求号 8F3K2")
    console.faults.clear()  # the browser noted the 500, as it should
