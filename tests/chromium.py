"""A Chromium for the browser tests: one that is there, Debian's when root runs this, else the command to install it.

`python -m tests.chromium` installs it where it can, the `browser` fixture uses it, and under CI=true none is skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = ("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium")
PACKAGES = ("chromium", "fonts-noto-cjk")
BY_HAND = (
    f"sudo apt-get install -y {' '.join(PACKAGES)}"
    if shutil.which("apt-get")
    else ".venv/bin/playwright install chromium"
)
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *(
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP *.localhost 127.0.0.1",
    ),
)


def find() -> str | None:
    """The CHROMIUM of the environment, one of the system, or the one that Playwright downloaded."""
    if named := os.environ.get("CHROMIUM"):
        return named
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    if found := next((path for name in APPLICATIONS if (path := Path("/Applications") / name).exists()), None):
        return str(found)
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install() -> None:
    if find() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("browser tests: installing Debian's Chromium", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
            check=False,
            stdout=subprocess.DEVNULL,
        )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Every `<tenant>.localhost` is this machine."""
    if (path := find()) is None:
        pytest.skip(f"no Chromium; install it with: {BY_HAND}")
    expect.set_options(timeout=20_000)  # a machine that is busy with other tests is no fault of a page
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    if any("no Chromium" in reason for reason in reasons):
        terminalreporter.write_line(f"browser tests did not run: install a Chromium with: {BY_HAND}", yellow=True)
    if reasons and os.environ.get("CI") == "true":
        terminalreporter.write_line(f"{len(reasons)} skipped, and under CI=true nothing may be skipped", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and os.environ.get("CI") == "true" and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


if __name__ == "__main__":
    install()
