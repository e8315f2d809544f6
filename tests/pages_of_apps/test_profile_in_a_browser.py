"""Stage, fields and follow-ups as a person uses them: one choice, one drawer, and the page tells what was done."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from contacts.custom_fields import add_field
from contacts.models import Customer
from contacts.profile import write_follow_up
from contacts.stages import add_stage
from tenants.models import CorpApp, Tenant
from tests.browser import WIDTHS, Console, console, fits
from tests.pages import assert_no_axe_faults
from tests.pages_of_apps.company import Company

__all__ = ["console"]


@pytest.fixture
def mei(transactional_db: None, acme: Tenant, clean_cache: None) -> Customer:
    with acme:
        CorpApp.objects.filter(tenant=acme).update(state=CorpApp.State.OK)
        company = Company(acme).found()
        for name in ("新客户", "意向"):
            add_stage(name)
        add_field("预算", "number")
        add_field("意向度", "choice", choices=["高", "低"])
        customer = company.add("韩梅梅", "wang", days=3)
        at = timezone.now() + timedelta(days=1)
        staff = company.staff["wang"]
        write_follow_up(customer, text="送样品", next_at=at, staff=staff, by="", source="sidebar")
        return customer


@pytest.mark.parametrize("width", WIDTHS)
def test_a_customer_is_moved_noted_and_described(console: Console, acme: Tenant, mei: Customer, width: int) -> None:
    page = console.open(acme, f"/console/customers/{mei.pk}/", width=width)
    timeline = page.locator("#timeline")

    page.select_option("select[name=to]", label="意向")
    expect(timeline).to_contain_text("阶段从“未设阶段”改为“意向”")
    page.get_by_role("button", name="撤销").click()
    expect(timeline).to_contain_text("阶段从“意向”改为“未设阶段”")
    expect(page.locator("select[name=to]")).to_have_value("")

    page.get_by_role("button", name="编辑资料").click()
    page.get_by_label("预算").fill("很多")
    page.locator("#drawer-body button[type=submit]").click()
    expect(page.locator("#drawer-body")).to_contain_text("须为数字")
    page.get_by_label("预算").fill("3000")
    page.locator("#drawer-body button[type=submit]").click()
    expect(page.locator("#profile")).to_contain_text("3,000")

    page.get_by_role("button", name="写跟进").click()
    page.get_by_label("跟进内容").fill("电话里说下周再定")
    page.locator("#drawer-body button[type=submit]").click()
    expect(page.locator("#follow-ups")).to_contain_text("电话里说下周再定")
    page.locator("#follow-ups").get_by_role("button", name="完成").click()
    expect(page.locator("#follow-ups")).to_contain_text("已跟进")
    looked_at(page)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["follow-ups/", "losses/", "settings/profile/", "losses/settings/"])
def test_the_pages_fit_and_can_be_used_by_everyone(
    console: Console,
    acme: Tenant,
    mei: Customer,
    path: str,
    width: int,
) -> None:
    looked_at(console.open(acme, f"/console/{path}", width=width))


def test_the_pipeline_is_put_in_order_without_leaving_the_page(console: Console, acme: Tenant, mei: Customer) -> None:
    page = console.open(acme, "/console/settings/profile/")
    stages = page.locator("section[aria-labelledby=stages-title] li strong")
    expect(stages).to_have_text(["新客户", "意向"])

    page.get_by_role("button", name="上移 意向", exact=True).click()
    expect(stages).to_have_text(["意向", "新客户"])
    page.get_by_role("button", name="停用 意向", exact=True).click()
    page.locator("#ask [value=yes]").click()
    expect(stages).to_have_text(["新客户"])
    page.get_by_role("button", name="撤销").click()
    expect(stages).to_have_text(["意向", "新客户"])


def looked_at(page: Page) -> None:
    assert fits(page)
    assert_no_axe_faults(page)
