"""The whole line as a person sees it: someone adds a member of staff, and the console shows it seconds later."""

from playwright.sync_api import Page

from contacts.models import Customer
from tenants.models import Tenant
from tests import cast
from tests.at_work import PATIENCE, WELCOME, at_work, door, work_until
from tests.browser import Console, console, fits
from tests.pages import assert_no_axe_faults
from tests.sandbox_server import Sandbox

__all__ = ["at_work", "console", "door"]


def customers(tenant: Tenant, name: str) -> list[int]:
    with tenant:
        return list(Customer.objects.filter(name=name).exclude(first_added_at=None).values_list("pk", flat=True))


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """With the keyboard alone."""
    for _press in range(most):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by the keyboard")


def test_a_customer_who_adds_a_member_of_staff_is_seen_greeted_and_tagged(
    at_work: Tenant, sandbox: Sandbox, console: Console
) -> None:
    page = console.open(at_work, "/console/customers/")
    userid = sandbox.friendships()[0][0]

    added = sandbox.act("customer_adds", userid=userid, name="路过的韩梅梅")
    work_until(at_work, lambda: bool(customers(at_work, "路过的韩梅梅")))
    work_until(at_work, lambda: bool(sandbox.effects("welcome")))

    page.reload()
    tab_to(page, "tbody tr:first-child a")
    assert page.evaluate("document.activeElement.textContent") == "路过的韩梅梅"
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/customers/*/")
    assert "欢迎语已送达" in page.locator("#timeline").inner_text()
    place = f"corps/{cast.ACME.wecom.corp_id}/chat?external_userid={added['external_userid']}&userid={userid}"
    assert WELCOME in str(sandbox.control("GET", place)["lines"])

    tab_to(page, "#follows button[hx-get*='/tags/']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer [data-narrow]")
    tab_to(page, "#drawer .pick-one input")
    picked = page.evaluate("document.activeElement.closest('label').innerText.trim()")
    page.keyboard.press("Space")
    tab_to(page, "#drawer button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#drawer:not([open])", state="attached")
    work_until(at_work, lambda: bool(sandbox.control("GET", place)["pair"]["tags"]))

    page.wait_for_selector(f"#follows .chip:has-text('{picked}')", timeout=PATIENCE * 1000)
    page.wait_for_selector(f"#timeline :text('添加标签 {picked}')", timeout=PATIENCE * 1000)


def test_no_page_has_a_grave_fault_for_assistive_technology_or_scrolls_sideways(
    at_work: Tenant, console: Console
) -> None:
    with at_work:
        customer = Customer.objects.exclude(first_added_at=None).latest("pk").pk
    page = console.open(at_work, "/console/")
    for path in (
        "/console/",
        "/console/customers/",
        f"/console/customers/{customer}/",
        "/console/follows/",
        "/console/groups/",
        "/console/groups/1/",
        "/console/tags/",
        "/console/staff/",
        "/console/welcome/",
        "/console/trouble/calls/?state=all",
        "/console/settings/connection/",
    ):
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert_no_axe_faults(page)
        page.set_viewport_size({"width": 375, "height": 800})
        assert fits(page), path

    page.goto(f"/console/customers/{customer}/")
    page.locator("#follows button[hx-get*='/tags/']").first.click()
    page.wait_for_selector("#drawer [data-narrow]")
    assert_no_axe_faults(page)


def test_the_box_in_the_tag_drawer_narrows_the_tags(at_work: Tenant, console: Console) -> None:
    with at_work:
        customer = Customer.objects.exclude(first_added_at=None).latest("pk").pk
    page = console.open(at_work, f"/console/customers/{customer}/")
    page.locator("#follows button[hx-get*='/tags/']").first.click()
    page.wait_for_selector("#drawer [data-narrow-by]")
    shown = "#drawer .pick-one:visible"
    before = page.locator(shown).count()
    first = page.locator(shown).first.inner_text().strip()

    page.fill("#drawer [data-narrow-by]", first)

    assert 0 < page.locator(shown).count() < before
    page.fill("#drawer [data-narrow-by]", "没有这样的标签")
    assert page.locator(shown).count() == 0
    assert page.locator("#drawer [data-narrow-none]").is_visible()
