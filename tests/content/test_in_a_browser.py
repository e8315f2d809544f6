"""The library and the composer in a real browser, at the width of a desk and of a phone."""

import pytest
from playwright.sync_api import Page, expect

from content import demo
from content.models import Material, Script, TrackedLink
from tenants.models import Tenant
from tests.browser import WIDTHS, Console, fits
from tests.content.made import material, png
from tests.pages import assert_no_axe_faults

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def library(acme: Tenant) -> Tenant:
    with acme:
        demo.fill()
    return acme


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_fit_and_speak_to_everybody(width: int, console: Console, library: Tenant) -> None:
    with library:
        script = Script.objects.get(title="价格能便宜吗").pk
    page = console.open(library, "/console/materials/", width=width)
    for path in (
        *("/console/materials/", "/console/materials/?view=list", "/console/materials/new/link/"),
        *("/console/materials/upload/", "/console/scripts/", f"/console/scripts/{script}/", "/console/scripts/new/"),
    ):
        page.goto(path)
        assert fits(page), path
        assert_no_axe_faults(page)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_message_is_composed_with_what_the_customer_will_see_beside_it(
    width: int, console: Console, library: Tenant
) -> None:
    page = console.open(library, "/console/scripts/new/", width=width)
    page.get_by_label("标题").fill("新品问候")
    page.get_by_label("文字内容").fill("您好，")
    page.get_by_role("button", name="客户昵称").click()
    expect(page.locator("[data-composer-count]")).to_have_text("69 / 4000 字节")  # a name counts as long as it may get
    expect(page.locator(".phone .bubble-text")).to_have_text("您好，「客户昵称」")

    pick(page, "秋冬新品手册")
    pick(page, "秋冬新品主视觉")
    expect(page.locator(".phone-row:visible")).to_have_count(3)
    page.get_by_role("button", name="上移").last.click()
    assert "bubble-image" in (page.locator("[data-bubble]").first.inner_html())
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("话术已保存")).to_be_visible()

    with library:
        made = Script.objects.get(title="新品问候")
        assert made.text == "您好，{客户昵称}"
        assert [part.material.title for part in made.parts.order_by("order")] == ["秋冬新品主视觉", "秋冬新品手册"]


def pick(page: Page, title: str) -> None:
    page.get_by_role("button", name="添加素材").click()
    picker = page.get_by_role("dialog", name="选择素材")
    picker.get_by_label("搜索标题").fill(title)
    picker.get_by_role("button", name=title).click()
    expect(picker).to_be_hidden()


def test_a_text_material_is_written_into_the_text(console: Console, library: Tenant) -> None:
    page = console.open(library, "/console/scripts/new/")
    page.get_by_label("文字内容").fill("欢迎到店：")
    pick(page, "门店地址与营业时间")
    assert page.get_by_label("文字内容").input_value().startswith("欢迎到店：\n人民路旗舰店")
    assert page.locator("[data-part]").count() == 0


def test_too_long_a_text_is_seen_before_it_is_sent(console: Console, library: Tenant) -> None:
    page = console.open(library, "/console/scripts/new/")
    page.get_by_label("文字内容").fill("字" * 1400)
    expect(page.locator("[data-composer-count]")).to_have_class("composer-count is-over")


def test_files_are_uploaded_and_those_too_large_are_told_before(console: Console, library: Tenant) -> None:
    page = console.open(library, "/console/materials/")
    page.get_by_role("link", name="上传").click()
    chooser = page.locator("#id_files")
    chooser.set_input_files([{"name": "大.png", "mimeType": "image/png", "buffer": bytes(11 * 1024 * 1024)}])
    expect(page.get_by_text("大.png 太大：最多 10 MB")).to_be_visible()
    expect(page.locator("#drawer").get_by_role("button", name="上传")).to_be_disabled()

    chooser.set_input_files(
        [
            {"name": "新海报.png", "mimeType": "image/png", "buffer": png(shade=77)},
            {"name": "假.png", "mimeType": "image/png", "buffer": b"<html>"},
        ]
    )
    page.locator("#drawer").get_by_role("button", name="上传").click()
    expect(page.get_by_text("已上传 1 个")).to_be_visible()
    expect(page.get_by_text("可能已损坏或被改名")).to_be_visible()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_text("新海报")).to_be_visible()


def test_a_material_is_deleted_and_taken_back(console: Console, library: Tenant) -> None:
    page = console.open(library, "/console/materials/")
    page.get_by_role("link", name="到店路线图").click()
    page.locator("#drawer").get_by_role("link", name="删除").click()
    expect(page.locator("#drawer").get_by_text("删除后，以下内容将不再包含它")).to_be_visible()
    page.locator("#drawer").get_by_role("button", name="删除").click()
    expect(page.locator(".cards").get_by_text("到店路线图")).to_have_count(0)
    page.get_by_role("button", name="撤销").click()
    expect(page.locator(".cards").get_by_text("到店路线图")).to_be_visible()


def test_a_tracked_link_leads_on_without_a_script(console: Console, library: Tenant) -> None:
    with library:
        link = TrackedLink.objects.create(material=Material.objects.filter(kind="link").order_by("pk")[0])
    page = console.open(library, "/healthz", role="", width=375)
    page.route("https://www.example.com/**", lambda route: route.fulfill(body="arrived", content_type="text/plain"))
    page.goto(f"/t/{link.token}", wait_until="commit")
    expect(page.get_by_text("arrived")).to_be_visible()
    assert page.url == "https://www.example.com/qinghe/autumn"


def test_the_page_behind_a_link_fits_a_phone(console: Console, library: Tenant) -> None:
    with library:
        row = material("link", "一个很长的标题" * 3)
        link = TrackedLink.objects.create(material=row)
    page = console.open(library, "/healthz", role="", width=375)
    page.route("https://shop.example.com/**", lambda route: route.fulfill(status=204))  # stays where it is
    page.goto(f"/t/{link.token}")
    assert fits(page)
    expect(page.get_by_role("link", name="打开网页")).to_be_visible()
