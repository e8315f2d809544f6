"""The clock may tick in many places; each slot is worked once. The pollers find what no message told of."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from scrm.up.folder import ROOT
from tenants import hearing, outbox, polling, schedule
from tenants.models import OutgoingCall, Tenant, Tick
from tenants.schedule import Periodic, Poller
from tenants.scheduler import Scheduler
from tests.sandbox_server import Sandbox
from tests.tenants.test_outbox import post_remark

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A schedule with one job of every minute, and what it did."""
    seen: list[str] = []
    monkeypatch.setattr(schedule, "PERIODIC", [Periodic("count", timedelta(minutes=1), lambda: seen.append("count"))])
    return seen


@pytest.mark.django_db
def test_a_slot_is_worked_once(ran: list[str]) -> None:
    assert schedule.tick(NOON) == ["count"]
    assert schedule.tick(NOON + timedelta(seconds=20)) == []
    assert schedule.tick(NOON + timedelta(seconds=40)) == ["count"]
    assert ran == ["count", "count"]


@pytest.mark.django_db
def test_missed_slots_are_made_up_for_by_one_run(ran: list[str]) -> None:
    schedule.tick(NOON)
    schedule.tick(NOON + timedelta(hours=6))
    assert len(ran) == 2


@pytest.mark.django_db
def test_a_slot_whose_scheduler_died_is_run_again(ran: list[str]) -> None:
    Tick.objects.create(job="count", slot=NOON.replace(second=0))
    assert schedule.tick(NOON) == ["count"]


@pytest.mark.django_db
def test_a_failing_job_neither_stops_the_clock_nor_runs_in_a_loop(
    ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        ran.append("failed")
        raise RuntimeError("bug")

    jobs = [Periodic("broken", timedelta(minutes=1), fails), *schedule.PERIODIC]
    monkeypatch.setattr(schedule, "PERIODIC", jobs)
    schedule.tick(NOON)
    schedule.tick(NOON)
    assert ran == ["failed", "count"]


def test_slots_of_a_day_begin_at_the_hour_they_are_given() -> None:
    night = Periodic("night", timedelta(days=1), lambda: None, offset=timedelta(hours=19))
    assert night.slot(NOON) == datetime(2026, 2, 28, 19, 0, tzinfo=UTC)
    assert night.slot(NOON.replace(hour=20)) == datetime(2026, 3, 1, 19, 0, tzinfo=UTC)


@pytest.mark.usefixtures("db_commits")
def test_three_schedulers_at_once_work_a_slot_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """F30, short."""
    ran: list[datetime] = []
    lock = threading.Lock()

    def count() -> None:
        with lock:
            ran.append(datetime.now(UTC))
        time.sleep(0.05)

    monkeypatch.setattr(schedule, "PERIODIC", [Periodic("count", timedelta(seconds=1), count)])
    monkeypatch.setattr(schedule, "POLLERS", [])
    schedulers = [Scheduler() for _ in range(3)]
    threads = [threading.Thread(target=scheduler.run) for scheduler in schedulers]
    for thread in threads:
        thread.start()
    time.sleep(4)
    for scheduler in schedulers:
        scheduler.stop()
    for thread in threads:
        thread.join(20)
    ticks = list(Tick.objects.filter(job="count"))
    assert all(tick.done_at for tick in ticks)
    assert len(ran) == len(ticks)
    assert 3 <= len(ran) <= 6


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a failed send: nobody asks the broker for a while."""
    monkeypatch.setattr(polling.broker, "_down_until", time.monotonic() + 60)


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker takes the calls, and nobody comes."""
    monkeypatch.setitem(hearing.PATIENCE, "welcome", 0)


@pytest.mark.usefixtures("db_commits")
@pytest.mark.parametrize("trouble", ["no_broker", "no_worker"])
def test_without_a_broker_or_a_worker_the_scheduler_sends_the_calls_itself(
    trouble: str, request: pytest.FixtureRequest, sandbox: Sandbox
) -> None:
    """F5, short."""
    request.getfixturevalue(trouble)
    with Tenant.objects.get(schema_name="acme"):
        call = post_remark(sandbox, "没有消息队列")
    assert polling.poll_outbox() == 1
    end = time.monotonic() + 30
    while time.monotonic() < end:
        call.refresh_from_db()
        if call.state == OutgoingCall.State.OK:
            break
        time.sleep(0.05)
    assert call.state == OutgoingCall.State.OK
    assert polling.poll_outbox() == 0


@pytest.mark.usefixtures("db_commits")
def test_the_schedulers_process_delivers_what_nobody_was_told_of_and_stops_cleanly(sandbox: Sandbox) -> None:
    """A row and a dead broker: the process finds the one in spite of the other, and ends on SIGTERM."""
    with Tenant.objects.get(schema_name="acme"):
        call = post_remark(sandbox, "被找到")
    connection.close()
    environment = os.environ | {"REDIS_URL": "redis://127.0.0.1:9/0"}
    script = (
        "import django; django.setup()\n"
        "from tenants import housekeeping, schedule\n"
        "schedule.POLLERS[:] = housekeeping.POLLERS\n"
        "schedule.PERIODIC[:] = []\n"
        "from django.core.management import call_command\n"
        "call_command('run_scheduler')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment | {"DJANGO_SETTINGS_MODULE": "scrm.settings"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + 40
        while time.monotonic() < end and process.poll() is None:
            call.refresh_from_db()
            if call.state == OutgoingCall.State.OK:
                break
            time.sleep(0.2)
        assert call.state == OutgoingCall.State.OK
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "the broker is down" in log
    assert "Traceback" not in log


@pytest.mark.usefixtures("db_commits")
def test_a_posted_call_is_announced_to_the_broker(sandbox: Sandbox) -> None:
    """The hint goes out on commit, with the tenant's name and a short life."""
    import json

    import redis
    from django.conf import settings

    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    with Tenant.objects.get(schema_name="acme"):
        post_remark(sandbox, "有消息")
    raw = client.lindex("celery:welcome", 0)
    assert raw is not None
    message = json.loads(raw)
    assert message["headers"]["task"] == "tenants.delivery.deliver_interactive"
    assert message["headers"]["_schema_name"] == "acme"
    assert message["headers"]["expires"] is not None
    client.flushdb()


def test_outbox_is_a_door() -> None:
    """What other apps rely on."""
    assert {"post", "retry", "ignore", "deliver_due", "body_of", "OUTCOMES"} <= set(outbox.__all__)


@pytest.mark.usefixtures("db_commits")
def test_the_scheduler_goes_on_when_its_connection_to_postgres_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def look() -> None:
        with connection.cursor() as cursor:
            looked.append(len(looked))
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())" if len(looked) < 3 else "SELECT 1")

    monkeypatch.setattr(schedule, "PERIODIC", [])
    monkeypatch.setattr(schedule, "POLLERS", [Poller("dies", look, every=0.05)])
    scheduler = Scheduler()
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    end = time.monotonic() + 60
    while len(looked) < 5 and time.monotonic() < end:
        time.sleep(0.05)
    scheduler.stop()
    thread.join(20)
    assert len(looked) >= 5
