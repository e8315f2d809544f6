"""What every page of ours must keep, asked of its HTML or of a browser that shows it."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from playwright.sync_api import Page

AXE = Path(__file__).resolve().parent.parent / "node_modules" / "axe-core" / "axe.min.js"
VOID_OF_TEXT = {"script", "style"}


class Strictness(HTMLParser):
    """Collects what the page policy would block, and what a screen reader would stumble over."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: Counter[str] = Counter()
        self._inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self._inside = tag if tag in VOID_OF_TEXT else ""
        self.faults += [f"<{tag} {name}>" for name in given if name == "style" or name.startswith(("on", "hx-on"))]
        self.faults += [
            f"<{tag} {name}=javascript:>" for name, value in given.items() if "javascript:" in (value or "")
        ]
        if tag == "style":
            self.faults.append("<style>")
        if tag == "img" and "alt" not in given:
            self.faults.append("<img> without alt")
        if name := given.get("id"):
            self.ids[name] += 1

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and data.strip():
            self.faults.append("<script> with text")


def faults_of(html: str) -> list[str]:
    reader = Strictness()
    reader.feed(html)
    return reader.faults + [f"id {name} {count} times" for name, count in reader.ids.items() if count > 1]


def assert_strict(response: HttpResponse) -> None:
    """No inline script or style, a page policy without exceptions, unique ids, pictures with words."""
    policy = response.headers.get("Content-Security-Policy", "")
    assert policy, "no page policy"
    assert "unsafe" not in policy
    assert not faults_of(response.content.decode()), faults_of(response.content.decode())


STILL = """Promise.all(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
    .map((one) => one.finished.catch(() => {})))"""


def assert_no_axe_faults(page: Page) -> None:
    """axe-core finds nothing serious or critical, once what slides in is there: half transparent it has no contrast."""
    page.evaluate(STILL)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        f"{fault['id']}: {node['target']}"
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"]
    ]
    assert not grave, grave
