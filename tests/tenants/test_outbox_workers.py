"""Real processes and a Redis that dies: rows are the truth, messages only hints."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from scrm.up.folder import ROOT
from scrm.up.valkey import Valkey
from tenants.models import OutgoingCall, Tenant
from tests.sandbox_server import Sandbox
from tests.sizes import in_two_sizes
from tests.tenants.test_outbox import post_remark

pytestmark = [pytest.mark.usefixtures("db_commits"), pytest.mark.long]
State = OutgoingCall.State

WORKER = """
import django; django.setup()
from tenants import sending
sending.LEASE_SECONDS = 3
from scrm.celery import app
app.worker_main(["worker", "-n", "test@%h", "-Q", "welcome,outbox", "-P", "threads", "-c", "4", "-l", "warning"])
"""
SCHEDULER = """
import django; django.setup()
from tenants import housekeeping, schedule, sending
sending.LEASE_SECONDS = 3
schedule.POLLERS[:] = housekeeping.POLLERS
schedule.PERIODIC[:] = []
from django.core.management import call_command
call_command("run_scheduler")
"""


class Processes:
    """A broker of their own, a worker and a scheduler."""

    def __init__(self, folder: Path) -> None:
        self.valkey = Valkey(folder, password="throwaway", throw_away=True)
        self.valkey.prepare()
        self.environment = os.environ | {"REDIS_URL": self.valkey.url, "DJANGO_SETTINGS_MODULE": "scrm.settings"}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        commands = {
            "redis": list(self.valkey.program.command),
            "worker": [sys.executable, "-c", WORKER],
            "scheduler": [sys.executable, "-c", SCHEDULER],
        }
        self.running[name] = subprocess.Popen(commands[name], cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL)

    def kill(self, name: str) -> None:
        self.running[name].send_signal(signal.SIGKILL)
        self.running[name].wait(10)

    def tend(self, name: str) -> None:
        """A broker that goes away amid an acknowledgement can end Celery's worker: who runs it starts it again."""
        if self.running[name].poll() is not None:
            self.start(name)

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(10)


@pytest.fixture
def processes() -> Iterator[Processes]:
    with tempfile.TemporaryDirectory() as folder:
        started = Processes(Path(folder))
        started.start("redis")
        try:
            yield started
        finally:
            started.stop()


def wait_for(count: int, seconds: float) -> float:
    """Seconds until so many calls are done."""
    begun = time.monotonic()
    while OutgoingCall.objects.filter(state=State.OK).count() < count:
        assert time.monotonic() - begun < seconds, dict_of_states()
        time.sleep(0.2)
    return time.monotonic() - begun


def dict_of_states() -> dict[str, int]:
    states = list(OutgoingCall.objects.values_list("state", flat=True))
    return {state: states.count(state) for state in set(states)}


@in_two_sizes("kills, calls, patience", (2, 15, 90), (5, 200, 300))
def test_a_redis_that_dies_again_and_again_loses_and_doubles_nothing(
    sandbox: Sandbox, processes: Processes, kills: int, calls: int, patience: int
) -> None:
    """F4 for the outgoing side: killed and restarted empty while calls are posted."""
    processes.start("worker")
    processes.start("scheduler")
    posted = 0
    for _ in range(kills):
        with Tenant.objects.get(schema_name="acme"):
            for _ in range(calls):
                post_remark(sandbox, str(posted), subject=f"s{posted}")
                posted += 1
        time.sleep(1.5)
        processes.kill("redis")
        time.sleep(1.0)
        processes.start("redis")
        processes.tend("worker")
    connection.close()
    time.sleep(2)
    processes.tend("worker")
    wait_for(posted, patience)
    assert len(sandbox.effects("remark")) == posted


@in_two_sizes("calls, kills", (12, 1), (200, 10))
def test_calls_of_killed_workers_are_sent_by_the_next(
    sandbox: Sandbox, processes: Processes, calls: int, kills: int
) -> None:
    """F1 for the outgoing side: a worker dies in the middle of its calls, another takes them up."""
    sandbox.control("PATCH", "corps/wwacme0000000001", limits={"latency": {"externalcontact/remark": 0.3}})
    with Tenant.objects.get(schema_name="acme"):
        for number in range(calls):
            post_remark(sandbox, str(number), subject=f"s{number}")
    processes.start("scheduler")
    processes.start("worker")
    for kill in range(kills):
        wait_for(1 + kill * calls // (2 * kills), 90)
        processes.kill("worker")
        processes.start("worker")
    wait_for(calls, 90 + calls)
    in_flight = 4 * kills
    assert calls <= len(sandbox.effects("remark")) <= calls + in_flight, (
        "a call in flight may be repeated, as a remark may"
    )
