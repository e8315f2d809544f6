"""The sidebar in a window of the imitation client, opened beside a chat, without the client's own pages around it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page
from pytest_django.live_server_helper import LiveServer

from contacts.models import Follow, GroupChat
from members.models import Staff
from sandbox.visitors import COOKIE, Visitor, cookie_of
from tenants.models import Tenant
from tests.at_work import PATIENCE
from tests.cast import ACME
from tests.sandbox_server import Sandbox


@dataclass
class Pane:
    """One page of the browser; whoever is played, and beside which chat, is a cookie."""

    page: Page
    sandbox: Sandbox
    base: str

    def beside(self, staff: Staff, **where: str) -> Page:
        value = cookie_of(Visitor(ACME.wecom.corp_id, staff.userid, **where))
        self.page.context.add_cookies([{"name": COOKIE, "value": value, "url": self.base}])
        self.open()
        return self.page

    def beside_customer(self, follow: Follow) -> Page:
        return self.beside(follow.staff, entry="single_chat_tools", peer=follow.customer.external_userid)

    def beside_group(self, chat: GroupChat, staff: Staff) -> Page:
        return self.beside(staff, entry="group_chat_tools", chat_id=chat.chat_id)

    def open(self, rest: str = "") -> None:
        self.page.goto(f"{self.base}/sidebar/{rest}")

    def until(self, so: str) -> None:
        """Asked from outside again and again: the policy of the page lets nothing inside it evaluate a text."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(Error):  # the page was left while it was asked
                if self.page.evaluate(so):
                    return
            self.page.wait_for_timeout(50)
        pytest.fail(f"not so in time: {so}")

    def fails(self, api: str, failure: str, **wish: Any) -> None:
        self.sandbox.control("POST", "mishaps", api=api, failure=failure, **wish)

    def works(self) -> None:
        self.sandbox.control("DELETE", "mishaps")


@pytest.fixture
def pane(at_work: Tenant, sandbox: Sandbox, live_server: LiveServer, browser: Browser, settings: Any) -> Iterator[Pane]:
    settings.WECOM_OAUTH_BASE = sandbox.url
    host = f"acme.localhost:{live_server.thread.port}"
    sandbox.app(sidebar_url=f"http://{host}/sidebar/", home_url=f"http://{host}/sidebar/", trusted_domains=[host])
    context = browser.new_context(viewport={"width": 375, "height": 740}, locale="zh-CN")
    faults: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield Pane(page, sandbox, f"http://acme.localhost:{sandbox.url.rsplit(':', 1)[1]}")
    context.close()
    sandbox.control("DELETE", "mishaps")
    # what the SDK throws where nobody can catch it, when registering failed or the page was left meanwhile: no Error
    assert not [fault for fault in faults if fault not in ("Object", "undefined")], faults
