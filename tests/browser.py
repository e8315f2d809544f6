"""The console in a real Chromium: a server on a free port, and pages whose operator is signed in."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from tenants.models import Tenant
from tests.people import client_as

HARMLESS = ("status of 4",)  # the browser's own line about an answer that the page shows in words
WIDTHS = (1440, 375)


@dataclass
class Console:
    """Opens pages of a tenant's host and keeps what the browser complained about."""

    browser: Browser
    server: LiveServer
    faults: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self, tenant: Tenant, path: str, *, role: str = "owner", width: int = 1440, language: str = "zh-CN"
    ) -> Page:
        base = f"http://{tenant.schema_name}.localhost:{self.server.thread.port}"
        context = self.browser.new_context(base_url=base, viewport={"width": width, "height": 900}, locale=language)
        self.contexts.append(context)
        if role:
            session = client_as(tenant, role).cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": base}])
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.goto(path)
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and not any(words in text for words in HARMLESS):
            self.faults.append(text)


@pytest.fixture
def console(browser: Browser, live_server: LiveServer, acme: Tenant) -> Iterator[Console]:
    """At the end no page may have failed a script or met the page policy."""
    opened = Console(browser, live_server)
    yield opened
    for context in opened.contexts:
        context.close()
    assert not opened.faults, opened.faults


def fits(page: Page) -> bool:
    """The page itself does not scroll sideways; a wide table may, in its own box."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return wide
