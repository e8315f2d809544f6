"""The welcome lane, while workers are busy with a flood of other work."""

import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context

import pytest
from django.db import connection

from acquisition.models import Welcome
from benchmarks.common.report import percentile
from callbacks.flush import flusher
from callbacks.urgent import drain_urgent
from contacts.models import TimelineEntry
from scrm.celery import app
from tenants import jobs, outbox
from tenants.current import wecom_client
from tenants.delivery import deliver_bulk, deliver_welcome
from tenants.jobs import JOB_KINDS, JobRun
from tenants.models import Job, OutgoingCall, Tenant
from tenants.sending import BULK, WELCOME, deliver
from tests import cast
from tests.callbacks.door import Door
from tests.sandbox_server import Sandbox
from tests.sizes import in_two_sizes

pytestmark = [pytest.mark.usefixtures("db_commits"), pytest.mark.long]

KIND = "remark_one"
SEND = "externalcontact/send_welcome_msg"


def remark_one(run: JobRun) -> None:
    """What each of the jobs does: a question to WeCom, and a call of the bulk lane."""
    wecom_client(priority=OutgoingCall.Priority.BACKFILL).call("externalcontact/get_follow_user_list")
    key, priority = f"noise:{run.job.subject}", OutgoingCall.Priority.BACKFILL
    outbox.post("externalcontact/remark", run.params, purpose="test.remark", idem_key=key, priority=priority)


def run_jobs() -> None:
    JOB_KINDS[KIND] = remark_one
    while True:
        for schema, pk in jobs.waiting():
            with Tenant.objects.get(schema_name=schema):
                jobs.run_slice(Job.objects.get(pk=pk))


def send_bulk() -> None:
    acme = Tenant.objects.get(schema_name="acme")
    while True:
        deliver(acme, BULK)
        time.sleep(0.02)


def be_urgent() -> None:
    acme = Tenant.objects.get(schema_name="acme")
    while True:
        drain_urgent(acme.pk)
        deliver(acme, WELCOME)
        time.sleep(0.02)


@pytest.fixture
def workers() -> Iterator[Callable[[], None]]:
    """Starts a process for each of the three. They are forked, since starting Python would be most of the test."""
    running = [get_context("fork").Process(target=work, daemon=True) for work in (run_jobs, send_bulk, be_urgent)]

    def start() -> None:
        connection.close()  # theirs are their own
        for process in running:
            process.start()

    yield start
    for process in running:
        process.kill()
        process.join(10)


class Newcomers:
    """Customers who add a member, each known to us by the callback that WeCom would send."""

    def __init__(self, sandbox: Sandbox) -> None:
        wecom = cast.ACME.wecom
        self.sandbox, self.door, self.seen = sandbox, Door(), 0
        self.came: dict[str, float] = {}
        sandbox.control("PATCH", f"corps/{wecom.corp_id}", delivery={"resends": 0, "timeout": 0.1})
        nowhere = {"url": "http://127.0.0.1:9/", "token": wecom.token, "aes_key": wecom.aes_key, "force": True}
        sandbox.control("POST", f"corps/{wecom.corp_id}/callback", **nowhere)
        self.staff = sandbox.friendships()[0][0]

    def one_comes(self) -> None:
        made = self.sandbox.act("customer_adds", userid=self.staff, name="新客户")
        self.came[made["external_userid"]] = time.time()
        place = f"deliveries?corp_id={cast.ACME.wecom.corp_id}&after={self.seen}&limit=100"
        for delivery in self.sandbox.control("GET", place)["deliveries"]:
            self.seen = max(self.seen, delivery["id"])
            assert self.door.post(delivery["plaintext"].encode()).status == 200


@pytest.fixture
def newcomers(sandbox: Sandbox) -> Iterator[Newcomers]:
    yield Newcomers(sandbox)
    flusher._inserter.close()  # its database is thrown away


def start_jobs(sandbox: Sandbox, tenant: Tenant, count: int) -> None:
    userid, customer = sandbox.friendships()[0]
    params = {"userid": userid, "external_userid": customer}
    Job.objects.bulk_create(
        Job(tenant=tenant, kind=KIND, subject=f"{n}", params=params | {"remark": f"备注{n}"}) for n in range(count)
    )


def wait_until_over(calls: int, background: int, patience: float) -> None:
    """So many greetings have an outcome, and what so many jobs asked of WeCom is done."""
    end = time.monotonic() + patience
    settled = OutgoingCall.objects.filter(finished_at__isnull=False)
    greetings, remarks = settled.filter(purpose="welcome"), settled.filter(purpose="test.remark")
    while greetings.count() < calls or remarks.count() < background:
        assert time.monotonic() < end, (greetings.count(), remarks.count())
        time.sleep(0.1)


def seconds_of(newcomers: Newcomers) -> list[float]:
    """From the moment the customer added our member to the greeting's outcome."""
    calls = OutgoingCall.objects.filter(purpose="welcome").values_list("context__external_userid", "finished_at")
    return sorted(at.timestamp() - newcomers.came[who] for who, at in calls)


@in_two_sizes("count, adds, a_minute, p99", (60, 8, 480, 10), (2_000, 200, 200, 3))
def test_greetings_go_out_in_time_beside_a_flood_of_background_jobs(
    sandbox: Sandbox,
    newcomers: Newcomers,
    workers: Callable[[], None],
    count: int,
    adds: int,
    a_minute: int,
    p99: float,
) -> None:
    """F26."""
    acme = Tenant.objects.get(schema_name="acme")
    with acme:
        Welcome.objects.create(text="您好！")
    start_jobs(sandbox, acme, count)
    workers()
    wait_until_over(0, 1, 60)
    sandbox.fault("errcode", SEND, errcode=41051, times=1)  # the chat has begun: done
    for number in range(adds):
        if number % 10 == 5:
            sandbox.fault("errcode", SEND, errcode=41096, times=1)  # another app is sending: again, in time
        newcomers.one_comes()
        time.sleep(60 / a_minute)
    wait_until_over(adds, count, 30 + count / 10)
    connection.close()

    took = seconds_of(newcomers)
    assert len(took) == adds
    assert percentile(took, 0.99) <= p99, took[-20:]
    assert took[-1] <= 18
    assert set(OutgoingCall.objects.values_list("state", flat=True)) == {"ok"}
    assert len(sandbox.effects("remark")) == Job.objects.filter(kind=KIND).count() == count
    assert len(sandbox.effects("welcome")) == adds - 1
    assert len(sandbox.calls(SEND)) == adds + (adds + 4) // 10
    with acme:
        told = list(TimelineEntry.objects.filter(kind__startswith="welcome").values_list("kind", "payload__code"))
    assert sorted(told) == [("welcome_failed", 41051), *[("welcome_sent", 0)] * (adds - 1)]


def test_greetings_have_workers_that_no_job_and_no_bulk_call_can_hold() -> None:
    def queue_of(task: object) -> str:
        return str(app.amqp.router.route({}, task.name)["queue"].name)  # type: ignore[attr-defined]

    assert queue_of(deliver_welcome) == "welcome"
    assert {queue_of(jobs.work), queue_of(deliver_bulk)} == {"jobs", "outbox"}
