"""Real processes and servers that die: short forms of F1, F2, F5, F8, F9 and F18 of the fault catalogue."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2
import pytest

from benchmarks.common.load import Load, closed_loop
from benchmarks.common.report import percentile
from benchmarks.common.servers import ROOT, Servers, new_port, stop, web
from benchmarks.intake import crash, payloads
from benchmarks.intake import run as bench

pytestmark = pytest.mark.xdist_group("outages")


@dataclass
class Place:
    """Servers of our own, which may be killed, and a company whose callbacks come in."""

    servers: Servers
    public_id: str

    @property
    def path(self) -> str:
        return f"/wecom/callback/{self.public_id}/"

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return bench.query(self.servers, sql)

    def count(self, where: str = "true") -> int:
        return int(str(self.rows(f"SELECT count(*) FROM callbacks_inbox WHERE {where}")[0][0]))

    def missing(self, sent: list[payloads.Sent], load: Load) -> int:
        return crash.missing(self.servers, self.public_id, [sent[number].plaintext for number in load.answered])

    def spooled(self) -> list[str]:
        folder = self.servers.folder / "var" / "spool"
        return [path.name for path in folder.glob("*.spool")] if folder.is_dir() else []

    def poll(self, seconds: float, code: str = "inbox.poll()") -> None:
        """What the scheduler does, in a process of its own."""
        program = (
            "from tests.callbacks import workshop; import time; from callbacks import inbox\n"
            f"end = time.monotonic() + {seconds}\n"
            f"while time.monotonic() < end: {code}; time.sleep(0.2)"
        )
        environment = os.environ | self.servers.environment
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, timeout=120)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Servers, str]]:
    with Servers() as servers:
        yield servers, bench.prepare(servers)


@pytest.fixture
def place(servers: tuple[Servers, str]) -> Iterator[Place]:
    place = Place(*servers)
    connection = psycopg2.connect(place.servers.postgres.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE callbacks_inbox; DROP TABLE IF EXISTS book; CREATE TABLE book (text text)")
    connection.close()
    yield place
    assert place.spooled() == []


@pytest.fixture
def port(place: Place) -> Iterator[int]:
    port = new_port()
    process = web(place.servers, port)
    yield port
    stop(process)


def deliver(place: Place, port: int, number: int) -> tuple[list[payloads.Sent], Load]:
    sent = payloads.make(place.path, number)
    return sent, closed_loop(port, [one.request for one in sent])


def soon(condition: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.1)


def test_a_web_process_that_is_killed_loses_nothing_it_acknowledged(place: Place) -> None:
    """F2"""
    for _ in range(2):
        port = new_port()
        process = web(place.servers, port)
        deliver(place, port, 50)
        sent = payloads.make(place.path, 8_000)
        killer = threading.Timer(0.4, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        load = closed_loop(port, [one.request for one in sent])
        killer.join()
        process.wait()
        assert 0 < len(load.answered) < 8_000
        assert place.missing(sent, load) == 0


def test_ten_deliveries_at_once_over_two_processes_are_one_row_each(place: Place, port: int) -> None:
    """F18"""
    second = new_port()
    process = web(place.servers, second)
    sent = payloads.make(place.path, 100)
    repeated = [one.request for one in sent] * 5
    loads: list[Load] = []
    threads = [threading.Thread(target=lambda at=at: loads.append(closed_loop(at, repeated))) for at in (port, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop(process)
    assert [load.statuses for load in loads] == [{b"200": 500}] * 2
    assert place.count() == 100


def test_while_postgres_is_down_callbacks_are_spooled_and_stored_later(place: Place, port: int) -> None:
    """F9"""
    before, load = deliver(place, port, 20)
    assert load.statuses == {b"200": 20}
    place.servers.stop_postgres()
    during, load = deliver(place, port, 500)
    place.servers.start_postgres()
    assert load.statuses == {b"200": 500}
    assert len(place.spooled()) == 1
    time.sleep(1.1)  # Postgres is asked again after a second
    repeats = closed_loop(port, [one.request for one in during[:50]])  # WeCom repeats itself meanwhile
    assert repeats.statuses == {b"200": 50}
    soon(lambda: place.spooled() == [])
    assert place.count() == 520
    assert place.missing(before + during, Load(answered=list(range(520)))) == 0


def test_what_a_dead_process_spooled_is_stored_by_the_poller(place: Place) -> None:
    port = new_port()
    process = web(place.servers, port)
    deliver(place, port, 5)
    place.servers.stop_postgres()
    _, load = deliver(place, port, 100)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    place.servers.start_postgres()
    assert load.statuses == {b"200": 100}
    assert place.count() == 5
    place.poll(1)
    assert place.count() == 105


def test_a_postgres_that_crashes_under_load_loses_nothing_acknowledged(place: Place, port: int) -> None:
    """F8"""
    result: list[tuple[list[payloads.Sent], Load]] = []
    load = threading.Thread(target=lambda: result.append(deliver(place, port, 4_000)))
    load.start()
    for _ in range(2):
        time.sleep(0.5)
        place.servers.stop_postgres(signal.SIGQUIT)
        place.servers.start_postgres()
    load.join()
    [(sent, answers)] = result
    assert len(answers.answered) >= 3_996
    time.sleep(1.1)
    deliver(place, port, 1)
    soon(lambda: place.spooled() == [])
    assert place.missing(sent, answers) == 0


def test_without_redis_events_are_stored_as_fast_and_handled_by_the_poller(place: Place, port: int) -> None:
    """F5"""
    place.servers.valkey_process.kill()
    place.servers.valkey_process.wait()
    try:
        deliver(place, port, 10)
        load = deliver(place, port, 500)[1]
        assert load.statuses == {b"200": 500}
        assert percentile(load.latencies, 0.99) < 1
        place.poll(3)
        assert place.count("status = 'done'") == place.count() == 510
        assert place.rows("SELECT count(*), count(DISTINCT text) FROM book") == [(510, 510)]
    finally:
        place.servers.start_valkey()


def test_workers_that_are_killed_lose_nothing_and_do_nothing_twice(place: Place, port: int) -> None:
    """F1: kill -9 of the worker and all its children once a second, while 2,000 events come in, some repeated."""
    command = [sys.executable, "-m", "celery", "-A", "tests.callbacks.workshop", "worker", "--pool", "prefork"]
    command += [
        "--queues",
        "events",
        "--concurrency",
        "2",
        "--loglevel",
        "ERROR",
        "--without-gossip",
        "--without-mingle",
    ]

    def worker() -> "subprocess.Popen[bytes]":
        environment = os.environ | place.servers.environment
        return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)

    process = worker()
    sent = payloads.make(place.path, 2_000)
    requests = [one.request for one in sent] + [one.request for one in sent[:500]]
    loads: list[Load] = []
    load = threading.Thread(target=lambda: loads.append(closed_loop(port, requests, connections=4)))
    poller = threading.Thread(target=place.poll, args=(12,), kwargs={"code": "len(inbox.waiting())"})
    load.start()
    poller.start()
    for _ in range(2):
        time.sleep(3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process = worker()
    load.join()
    poller.join()
    try:
        soon(lambda: place.count("status = 'done'") == 2_000 or place.poll(0.5), seconds=60)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert loads[0].statuses == {b"200": 2_500}
    assert place.rows("SELECT count(*), count(DISTINCT text) FROM book") == [(2_000, 2_000)]
