"""The imitation WeCom as a process of its own: one for a test run, with a fresh corp for each test that asks."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core.cache import cache

from scrm.up.folder import ROOT, free_port
from tenants import breaker, budgets, tokens
from tenants.tasks import _Wake
from tests import cast
from wecom import tokens as wecom_tokens


class Sandbox:
    """The control API of the imitation, as a test needs it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False

    def is_up(self) -> bool:
        try:
            self.control("GET", "health")
        except requests.ConnectionError:
            return False
        return True

    def control(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, f"{self.url}/_sandbox/{path}", json=body or None, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def make_corp(self, company: cast.Company = cast.ACME, **wish: Any) -> dict[str, Any]:
        wecom = company.wecom
        sizes = {"staff": 5, "customers": 20, "groups": 2}
        made: dict[str, Any] = self.control(
            "POST",
            "corps",
            corp_id=wecom.corp_id,
            agent_id=wecom.agent_id,
            secret=wecom.agent_secret,
            contact_secret=wecom.contact_secret,
            replace=True,
            **(sizes | wish),
        )
        return made

    def fault(self, kind: str, api: str = "*", **wish: Any) -> int:
        return int(self.control("POST", "faults", kind=kind, api=api, **wish)["id"])

    def well_again(self) -> None:
        self.control("DELETE", "faults")

    def app(self, company: cast.Company = cast.ACME, **wish: Any) -> None:
        """Change the app as an admin would: secret, trusted_ips, disabled …"""
        self.control("POST", f"corps/{company.wecom.corp_id}/apps", agent_id=company.wecom.agent_id, **wish)

    def calls(self, api: str = "", company: cast.Company = cast.ACME) -> list[dict[str, Any]]:
        found = self.control("GET", f"calls?corp_id={company.wecom.corp_id}&api={api}&limit=20000")
        return list(found["calls"])

    def effects(self, kind: str, company: cast.Company = cast.ACME) -> list[dict[str, Any]]:
        found = self.control("GET", f"effects?corp_id={company.wecom.corp_id}&kind={kind}&limit=20000")
        return list(found["effects"])

    def act(self, act: str, company: cast.Company = cast.ACME, **wish: Any) -> dict[str, Any]:
        return dict(self.control("POST", "acts", corp_id=company.wecom.corp_id, act=act, **wish))

    def truth(self, company: cast.Company = cast.ACME) -> dict[str, Any]:
        """All of the corp as it really is."""
        return dict(self.control("GET", f"corps/{company.wecom.corp_id}/truth"))

    def friendships(self, company: cast.Company = cast.ACME) -> list[tuple[str, str]]:
        """Members and customers of theirs."""
        customers = self.truth(company)["customers"]
        return [(follow["userid"], key) for key, customer in customers.items() for follow in customer["follows"]]

    def tags(self, company: cast.Company = cast.ACME) -> list[str]:
        return list(self.truth(company)["tags"])


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--memory", "--no-corp", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    try:
        until = time.monotonic() + 60
        while not sandbox.is_up():
            assert process.poll() is None and time.monotonic() < until, "the imitation WeCom did not start"
            time.sleep(0.05)
        yield sandbox
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def sandbox(sandbox_process: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A WeCom in which acme is a company of five, and to which the product's calls go."""
    sandbox_process.control("POST", "reset")
    sandbox_process.make_corp()
    cache.clear()  # budgets that another test's 45009 made small are in Redis, too
    forget()
    monkeypatch.setattr(settings, "WECOM_API_BASE", sandbox_process.url)
    monkeypatch.setitem(os.environ, "WECOM_API_BASE", sandbox_process.url)  # for the processes a test starts
    yield sandbox_process
    sandbox_process.well_again()


def forget() -> None:
    """What this process remembers of another test's WeCom."""
    tokens._cache.forget()
    breaker._seen.forget_all()
    budgets._redis.forget()
    budgets._local._rows.clear()
    _Wake.broker_down_until = 0.0
    wecom_tokens._memory._pasts.clear()
