"""The viewer as a person meets it, on a desk and on a phone."""

import os

import pytest
from playwright.sync_api import expect

from archive.models import Conversation
from tests.browser import WIDTHS, console, fits
from tests.pages import assert_no_axe_faults

__all__ = ["console"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_message_is_found_by_two_of_its_characters_and_opened_where_it_was_said(console, archive, acme, width):
    archive.says("周末停车方便吗？")
    archive.answers("方便的，地下两层都可以")
    archive.examples()
    archive.pull()
    page = console.open(acme, "/console/archive/search/", width=width)
    page.get_by_label("消息内容").fill("停车")
    page.get_by_role("button", name="搜索", exact=True).click()
    expect(page.locator("mark").first).to_have_text("停车")
    assert_no_axe_faults(page)
    assert fits(page)
    shot(page, f"search-{width}")

    page.locator(".talk-hit").last.click()
    expect(page.locator(".is-wanted")).to_be_visible()
    assert_no_axe_faults(page)
    assert fits(page)
    shot(page, f"viewer-{width}")

    talk = Conversation.objects.order_by("-messages").first()
    for path in (
        "archive/",
        f"archive/?staff={talk.staff_ids[0]}",
        "archive/alerts/",
        "archive/words/",
        "archive/rule/",
        "archive/consents/",
        "settings/archive/",
    ):
        page.goto(f"/console/{path}")
        shot(page, path.strip("/").replace("/", "-").replace("?", "-") + f"-{width}")
        assert_no_axe_faults(page)
        assert fits(page), path


def shot(page, name):
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=False)
