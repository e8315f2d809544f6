"""`make up` from nothing, as a newcomer sees it: one start that makes everything, a second that finds it again."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from scrm.up.folder import free_port, port_is_free

pytestmark = pytest.mark.long
PATIENCE = 240


@contextmanager
def running(var: Path, web: int, sandbox: int) -> Iterator[list[str]]:
    """The lines up to the last `ready:`; at the end Ctrl-C, and nothing may be left."""
    told = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    told |= {"SCRM_DATA": str(var), "SCRM_PORT": str(web), "SANDBOX_PORT": str(sandbox)}
    process = subprocess.Popen(
        [sys.executable, "-m", "scrm.up"], env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    guard = threading.Timer(PATIENCE, process.kill)
    guard.start()
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if "everything runs after" in line:
                break
        assert process.poll() is None, "\n".join(lines[-30:])
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield lines
    finally:
        guard.cancel()
        process.send_signal(signal.SIGINT)
        ended = process.wait(60)
    assert ended == 0
    assert port_is_free(web)
    assert port_is_free(sandbox)
    assert [
        process for process in psutil.process_iter(["cmdline"]) if str(var) in " ".join(process.info["cmdline"] or [])
    ] == []


def shown(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("ready: ")]


def get(port: int, path: str, host: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": f"{host}:{port}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.status)


def asked(port: int, path: str, *, key: str = "", body: dict[str, str] | None = None) -> Any:
    host = "demo.localhost" if key else "localhost"
    headers = {"Host": f"{host}:{port}", "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    content = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", content, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def a_customer_is_played(web: int, sandbox: int, key: str) -> None:
    """He adds a member of staff in the imitation WeCom; the callback, the workers and the outbox do the rest."""
    staff = asked(web, "/api/v1/staff?limit=200", key=key)["data"]
    seller = next(one["userid"] for one in staff if one["can_follow"] and one["active"])
    act = {"act": "customer_adds", "userid": seller, "name": "路过的客人"}
    customer = asked(sandbox, "/_sandbox/acts", body=act)["external_userid"]
    until = time.monotonic() + 20
    while True:
        with suppress(urllib.error.HTTPError):  # 404 until the event is applied
            told = asked(web, f"/api/v1/customers/{customer}/timeline", key=key)["data"]
            if {"follow_added", "welcome_sent"} <= {entry["kind"] for entry in told}:
                break
        assert time.monotonic() < until, "no greeting within WeCom's 20 seconds"
        time.sleep(0.2)
    found = asked(web, f"/api/v1/customers?q={quote('路过的客人')}", key=key)["data"]
    assert [one["external_userid"] for one in found] == [customer]


def test_make_up_shows_a_company_and_a_second_start_keeps_it(var):
    web, sandbox = free_port(), free_port()

    with running(var, web, sandbox) as lines:
        first = shown(lines)

        sign_in = next((line for line in first if "/console/" in line), "")
        assert sign_in, "\n".join(lines[-40:])
        host = re.search(r"http://([\w.-]+):", sign_in)
        assert host is not None
        assert "account=" in sign_in
        assert "password=" in sign_in
        assert any(f"http://localhost:{sandbox}/" in line for line in first)
        assert get(web, "/readyz", "anything.localhost") == 200
        assert get(web, "/console/", host[1]) == 200
        assert get(sandbox, "/", "localhost") == 200
        key = re.search(r"Open API.* key=(\S+)", "\n".join(first))
        assert key is not None
        a_customer_is_played(web, sandbox, key[1])

    with running(var, web, sandbox) as lines:
        assert shown(lines) == first
