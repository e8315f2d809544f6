"""Workers and schedulers that are killed, over rows that fall due: each step once, none missed."""

import os
import signal
import subprocess
import sys
import time as clock
from collections.abc import Iterator
from datetime import time, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from contacts.models import Follow
from members import quiet
from scrm.up.folder import ROOT
from sop import enrol, plans
from sop.models import Plan, StaffTask, StepRun
from tenants.models import DueRow, Tenant, Tick
from tests.pages_of_apps.company import Company
from tests.sizes import in_two_sizes
from tests.sop.conftest import step_of

pytestmark = [pytest.mark.usefixtures("db_commits"), pytest.mark.long]

AWAKE = """
import django; django.setup()
from datetime import time
from members import quiet
quiet.FROM, quiet.TO = time.max, time.min
from tenants import due
"""
WORKER = (
    AWAKE
    + """
from tenants.models import Tenant
while True:
    for tenant_id, _schema in due.due_tenants():
        with Tenant.objects.get(pk=tenant_id) as tenant:
            due.run_due(tenant, turns=2)
"""
)
SCHEDULER = (
    AWAKE
    + """
from datetime import timedelta
from tenants import schedule
from tenants.schedule import Periodic, Poller
schedule.POLLERS[:] = [Poller("due", due.poll, every=0.2)]
schedule.PERIODIC[:] = [Periodic("count", timedelta(seconds=1), lambda: None)]
from django.core.management import call_command
call_command("run_scheduler")
"""
)

CUSTOMERS = """
INSERT INTO contacts_customer (external_userid, name, kind, gender, avatar, unionid, position, corp_name, search_text,
    active_follows, raw_hash)
SELECT 'wm' || n, '顾客' || n, 1, 0, '', '', '', '', '', 1, '' FROM generate_series(1, %s) n
"""
FOLLOWS = """
INSERT INTO contacts_follow (customer_id, staff_id, remark, description, remark_corp_name, state, oper_userid,
    added_at, half, ended_by, raw_hash)
SELECT c.id, %s, '', '', '', '', '', now(), false, '', '' FROM contacts_customer c
"""


class Killable:
    """Processes of one kind; the oldest dies, another takes its place."""

    def __init__(self, script: str, count: int, **environment: str) -> None:
        self.script = script
        self.environment = os.environ | {"DJANGO_SETTINGS_MODULE": "scrm.settings"} | environment
        self.running = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", self.script], cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL
        )

    def kill_one(self) -> None:
        victim = self.running.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        self.running.append(self._start())

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait(10)


@pytest.fixture
def killable() -> Iterator[list[Killable]]:
    started: list[Killable] = []
    yield started
    for one in started:
        one.stop()


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs at any hour of the day."""
    monkeypatch.setattr(quiet, "FROM", time.max)
    monkeypatch.setattr(quiet, "TO", time.min)


def many_enter(tenant: Tenant, count: int, *, due_in: timedelta = timedelta(0)) -> None:
    """So many customers of one plan whose only step is due after `due_in`."""
    with tenant:
        company = Company(tenant).found()
        with connection.cursor() as cursor:
            cursor.execute(CUSTOMERS, [count])
            cursor.execute(FOLLOWS, [company.staff["wang"].pk])
        plan = plans.create(name="大批", trigger={"on": "added"}, exits={}, by="wang")
        plans.save_step(plan, step_of(after_minutes=0), by="wang")
        plans.publish(plan, by="wang")
        plans.switch(plan, on=True)
        enrol.enrol(Plan.objects.get(), Follow.objects.values_list("pk", flat=True), "many", timezone.now() + due_in)


def wait_until(none_wait: bool, patience: float, act: list[Killable], every: float, kills: int) -> None:
    begun = last = clock.monotonic()
    while DueRow.objects.filter(kind=enrol.STEP).exists() is none_wait:
        assert clock.monotonic() - begun < patience, DueRow.objects.filter(kind=enrol.STEP).count()
        clock.sleep(0.2)
        if kills and clock.monotonic() - last > every:
            act[0].kill_one()
            kills, last = kills - 1, clock.monotonic()


@in_two_sizes("count, every, kills, patience", (3_000, 1.0, 3, 120), (200_000, 4.0, 20, 1800))
def test_each_of_many_steps_due_in_one_minute_is_sent_once_while_workers_are_killed(
    acme: Tenant, killable: list[Killable], count: int, every: float, kills: int, patience: int
) -> None:
    """F29."""
    many_enter(acme, count)
    begun = timezone.now()
    killable.append(Killable(WORKER, 2))
    wait_until(True, patience, killable, every, kills)
    with acme:
        assert StaffTask.objects.count() == count
        assert StaffTask.objects.values("step_run").distinct().count() == count
        assert set(StepRun.objects.values_list("state", flat=True).distinct()) == {"tasked"}
        waits = sorted((at - begun).total_seconds() for at in StaffTask.objects.values_list("created_at", flat=True))
        assert waits[int(len(waits) * 0.99)] <= 300
        assert DueRow.objects.filter(kind="sop.task").count() == count
        cards = DueRow.objects.filter(kind="sop.digest").values_list("ref", flat=True)
        assert len({abs(ref) for ref in cards}) == 1  # a card for all of them, and for none twice


@in_two_sizes("seconds, kills", (6, 3), (600, 60))
def test_schedulers_that_are_killed_miss_nothing_and_do_nothing_twice(
    acme: Tenant, killable: list[Killable], seconds: int, kills: int
) -> None:
    """F30."""
    count = seconds * 20
    many_enter(acme, count, due_in=timedelta(hours=1))
    start = timezone.now() + timedelta(seconds=4)
    rows = list(DueRow.objects.filter(kind=enrol.STEP).order_by("pk"))
    for number, row in enumerate(rows):
        row.due_at = start + timedelta(seconds=number / 20)
    DueRow.objects.bulk_update(rows, ["due_at"], batch_size=2000)
    killable.append(Killable(SCHEDULER, 3, REDIS_URL="redis://127.0.0.1:9/0"))
    wait_until(True, seconds + 120, killable, 1.5 if seconds < 60 else 10.0, kills)
    with acme:
        assert StaffTask.objects.count() == count
        planned = {row.ref: row.due_at for row in rows}
        early = [
            ref
            for ref, at in StaffTask.objects.values_list("step_run", "created_at")
            if at < planned[ref]  # type: ignore[index]
        ]
        assert not early
    ticks = list(Tick.objects.filter(job="count").order_by("slot"))
    assert len({tick.slot for tick in ticks}) == len(ticks)
    assert sum(tick.done_at is None for tick in ticks) <= kills  # of those that died with their slot
