"""`make up` from nothing, as a newcomer sees it: one start that makes everything, a second that finds it again."""

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

    with running(var, web, sandbox) as lines:
        assert shown(lines) == first
