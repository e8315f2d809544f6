"""Real processes and servers that die: F1, F2, F4, F5, F8, F9, F18 and F33 of the fault catalogue, docs/faults.md."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
import pytest
import requests
from redis import Redis

from benchmarks.common.load import Load, closed_loop, open_loop
from benchmarks.common.report import percentile
from benchmarks.common.servers import ROOT, Servers, new_port, stop, web
from benchmarks.intake import crash, payloads
from benchmarks.intake import run as bench
from tests.callbacks.door import event_xml
from tests.sizes import in_two_sizes
from wecom.crypto import CallbackCrypto

pytestmark = pytest.mark.long


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

    def write(self, sql: str) -> None:
        connection = psycopg2.connect(self.servers.postgres.url)
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()

    def count(self, where: str = "true") -> int:
        return int(str(self.rows(f"SELECT count(*) FROM callbacks_inbox WHERE {where}")[0][0]))

    def missing(self, sent: list[payloads.Sent], load: Load) -> int:
        return crash.missing(self.servers, self.public_id, [sent[number].plaintext for number in load.answered])

    def spooled(self) -> list[str]:
        folder = self.servers.folder / "var" / "spool"
        return [path.name for path in folder.glob("*.spool")] if folder.is_dir() else []

    @contextmanager
    def poller(self, *, alone: bool = False, patience: int = 30) -> Iterator[None]:
        """What the scheduler does, in a process of its own that polls already. One that is alone, without a Redis to
        call workers by, handles the events itself; and only such a one may die."""
        program = (
            "from tests.callbacks import workshop; import time; from callbacks import inbox\n"
            f"from tenants.hearing import PATIENCE; PATIENCE['events'] = {patience}\n"
            "inbox.poll(); print('polls', flush=True)\n"
            "while True: inbox.poll(); time.sleep(0.2)"
        )
        environment = os.environ | self.servers.environment | ({"REDIS_URL": "redis://127.0.0.1:1"} if alone else {})
        process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"polls\n"
            yield
            assert alone or process.poll() is None
        finally:
            process.kill()
            process.wait()

    def is_done(self, number: int) -> Callable[[], bool]:
        return lambda: self.count("status = 'done'") == number


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Servers, str]]:
    with Servers() as servers:
        yield servers, bench.prepare(servers)


@pytest.fixture
def place(servers: tuple[Servers, str]) -> Iterator[Place]:
    place = Place(*servers)
    place.write("TRUNCATE callbacks_inbox; DROP TABLE IF EXISTS book; CREATE TABLE book (text text)")
    yield place
    left = place.spooled()
    for name in left:  # a test that failed shall not fail those after it
        (place.servers.folder / "var" / "spool" / name).unlink()
    assert left == []


@pytest.fixture
def port(place: Place) -> Iterator[int]:
    port = new_port()
    process = web(place.servers, port)
    yield port
    stop(process)


def deliver(place: Place, port: int, number: int) -> tuple[list[payloads.Sent], Load]:
    sent = payloads.make(place.path, number)
    return sent, closed_loop(port, [one.request for one in sent])


def soon(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.1)


@in_two_sizes("kills", 1, 20)
def test_a_web_process_that_is_killed_loses_nothing_it_acknowledged(place: Place, kills: int) -> None:
    """F2"""
    for _ in range(kills):
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


def test_a_web_process_that_was_away_for_longer_has_its_companies_compared(place: Place) -> None:
    """F2, what WeCom re-sent to nobody. The time is moved, not waited for."""
    for _ in range(2):
        process = web(place.servers, new_port())
        soon(lambda: place.rows("SELECT 1 FROM callbacks_beat WHERE at > now() - interval '3 s'") != [])
        stop(process)
        place.write("UPDATE callbacks_beat SET at = now() - interval '1 min'")
    assert place.rows("SELECT count(*) FROM callbacks_gap JOIN tenants_receiver USING (tenant_id)") == [(1,)]
    place.write("TRUNCATE callbacks_gap, callbacks_beat")


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


@in_two_sizes("number, per_second", (500, 5_000.0), (10_000, 10_000 / 600))
def test_while_postgres_is_down_callbacks_are_spooled_and_stored_later(
    place: Place, port: int, number: int, per_second: float
) -> None:
    """F9"""
    before, load = deliver(place, port, 20)
    assert load.statuses == {b"200": 20}
    place.servers.stop_postgres()
    during = payloads.make(place.path, number)
    load = open_loop(port, [one.request for one in during], per_second)
    place.servers.start_postgres()
    assert load.statuses == {b"200": number}
    assert len(place.spooled()) == 1
    time.sleep(1.1)  # Postgres is asked again after a second
    repeats = closed_loop(port, [one.request for one in during[:50]])  # WeCom repeats itself meanwhile
    assert repeats.statuses == {b"200": 50}
    soon(lambda: place.spooled() == [])
    assert place.count() == number + 20
    assert place.missing(before + during, Load(answered=list(range(number + 20)))) == 0


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
    with place.poller():
        soon(lambda: place.count() == 105 and place.spooled() == [])


@in_two_sizes("crashes", 1, 5)
def test_a_postgres_that_crashes_under_load_loses_nothing_acknowledged(place: Place, port: int, crashes: int) -> None:
    """F8"""
    deliver(place, port, 20)  # a process that never saw the address can only ask WeCom to come again
    sent = payloads.make(place.path, 2_000 * crashes)
    loads: list[Load] = []
    load = threading.Thread(target=lambda: loads.append(closed_loop(port, [one.request for one in sent])))
    load.start()
    for _ in range(crashes):
        time.sleep(0.5)
        place.servers.stop_postgres(signal.SIGQUIT)
        place.servers.start_postgres()
    load.join()
    [answers] = loads
    assert len(answers.answered) >= 0.999 * len(sent)
    time.sleep(1.1)
    deliver(place, port, 1)
    soon(lambda: place.spooled() == [])
    assert place.missing(sent, answers) == 0


@in_two_sizes("crashes", 1, 20)
def test_a_postgres_that_crashes_takes_back_an_effect_and_its_mark_together(
    place: Place, port: int, crashes: int
) -> None:
    """F8 behind the door: the commit of a batch does not wait for the disk, so the newest ones may be gone."""
    number = 2_000
    deliver(place, port, number)
    for _ in range(crashes):
        place.write("TRUNCATE book; UPDATE callbacks_inbox SET status = 'new', due_at = now()")
        with place.poller(alone=True):
            soon(lambda: place.count("status = 'done'") >= number // 4)
            place.servers.stop_postgres(signal.SIGQUIT)
        place.servers.start_postgres()
        assert place.rows("SELECT count(*), count(DISTINCT text) FROM book") == [(place.count("status = 'done'"),) * 2]
        with place.poller(alone=True):
            soon(place.is_done(number))
        assert place.rows("SELECT count(*), count(DISTINCT text) FROM book") == [(number, number)]


@in_two_sizes("seconds, worst", (2, 1.0), (600, 0.1))
def test_without_redis_events_are_stored_as_fast_and_handled_by_the_poller(
    place: Place, port: int, seconds: int, worst: float
) -> None:
    """F5"""
    place.servers.valkey_process.kill()
    place.servers.valkey_process.wait()
    number = 250 * min(seconds, 40)
    sent = payloads.make(place.path, number)
    try:
        with place.poller():
            deliver(place, port, 10)
            load = open_loop(port, [one.request for one in sent], number / seconds)
            assert load.statuses == {b"200": number}
            assert percentile(load.latencies, 0.99) < worst
            soon(place.is_done(number + 10))
        assert place.count("done_at - received_at > interval '5 seconds'") == 0
        assert place.rows("SELECT count(*), count(DISTINCT text) FROM book") == [(number + 10, number + 10)]
    finally:
        place.servers.start_valkey()


def test_events_that_no_worker_comes_for_are_handled_by_the_poller(place: Place, port: int) -> None:
    """F1, the broker takes the calls and nobody hears them."""
    deliver(place, port, 10)
    with place.poller(patience=2):
        time.sleep(0.5)
        assert place.count("status = 'done'") == 0
        soon(place.is_done(10))


def kill_the_worker(place: Place, worker: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    return start_worker(place)


def kill_redis(place: Place, worker: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
    """It comes back empty: nothing of a broker is worth keeping."""
    place.servers.valkey_process.kill()
    place.servers.valkey_process.wait()
    shutil.rmtree(place.servers.valkey.folder / "appendonlydir")
    place.servers.start_valkey()
    return worker


def tended(place: Place, worker: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
    """A broker that goes away amid an acknowledgement can end Celery's worker ("Unrecoverable error"): who runs it,
    `make up` or compose, starts it again."""
    return worker if worker.poll() is None else start_worker(place)


def start_worker(place: Place) -> "subprocess.Popen[bytes]":
    command = f"{sys.executable} -m celery -A tests.callbacks.workshop worker --pool prefork --queues events"
    command += " --concurrency 2 --loglevel ERROR --without-gossip --without-mingle"
    environment = os.environ | place.servers.environment
    return subprocess.Popen(command.split(), cwd=ROOT, env=environment, start_new_session=True)


@in_two_sizes("number, kills", (1_000, 1), (10_000, 30))
@pytest.mark.parametrize("kill", [kill_the_worker, kill_redis])
def test_workers_and_a_redis_that_are_killed_lose_nothing_and_do_nothing_twice(
    place: Place, port: int, kill: Callable[..., "subprocess.Popen[bytes]"], number: int, kills: int
) -> None:
    """F1: kill -9 of the worker and all its children while events come in, some repeated. F4: the same with Redis."""
    sent = payloads.make(place.path, number)
    requests = [one.request for one in sent] + [one.request for one in sent[: number // 4]]
    loads: list[Load] = []
    load = threading.Thread(target=lambda: loads.append(open_loop(port, requests, number / (2 * kills))))
    worker = start_worker(place)
    try:
        with place.poller():
            load.start()
            for _ in range(kills):
                time.sleep(2)
                worker = tended(place, kill(place, worker))
            load.join()
            time.sleep(1)
            worker = tended(place, worker)
            soon(place.is_done(number))
            heard = Redis.from_url(place.servers.environment["REDIS_URL"]).exists("t:public:heard:events")
            assert heard or kill is kill_redis
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    assert loads[0].statuses == {b"200": len(requests)}
    assert place.rows("SELECT count(*), count(DISTINCT text) FROM book") == [(number, number)]


class Neighbour:
    """Another company on the same platform, with keys of its own corp."""

    corp = "wwneighbour00001"
    crypto = CallbackCrypto(payloads.TOKEN, payloads.AES_KEY, frozenset({corp}))

    def __init__(self, place: Place) -> None:
        wecom = (self.corp, 1000002, "s" * 43, payloads.TOKEN, payloads.AES_KEY)
        there = "SELECT a.tenant_id, public_id FROM tenants_receiver JOIN tenants_corpapp a ON a.id = app_id"
        there += f" WHERE corp_id = '{self.corp}'"
        if not place.rows(there):
            code = "import django; django.setup()\nfrom tenants.provision import Connection, create_tenant\n"
            code += f"create_tenant('neighbour', name='Neighbour', connection_to_wecom=Connection(*{wecom!r}))"
            place.servers.run("-c", code, environment={"DJANGO_SETTINGS_MODULE": "scrm.settings"})
        [(self.tenant, self.public_id)] = place.rows(there)

    def post(self, port: int, number: int) -> int:
        now = int(time.time())
        plain = event_xml(corp=self.corp, at=now, ExternalUserID=f"wmNeighbour{number}")
        query, body = self.crypto.deliver(plain, self.corp, now, str(number))
        url = f"http://127.0.0.1:{port}/wecom/callback/{self.public_id}/"
        return requests.post(url, params=query, data=body, timeout=10).status_code


@in_two_sizes("flood, number, worst", (80_000, 10, 10), (400_000, 200, 2))
def test_a_flood_of_one_company_does_not_hold_up_the_other_in_the_queue(
    place: Place, port: int, flood: int, number: int, worst: int
) -> None:
    """F33 with workers: all lanes of one company are full, and the other's events go through meanwhile."""
    neighbour = Neighbour(place)
    deliver(place, port, 1)
    place.rows(
        "WITH made AS (INSERT INTO callbacks_inbox (event_day, dedupe_key, tenant_id, receiver_id, key_version, name,"
        " lane, event_at, body) SELECT event_day, int8send(n), tenant_id, receiver_id, key_version, name, n % 4,"
        f" event_at, body FROM callbacks_inbox, generate_series(1, {flood}) n RETURNING 1) SELECT count(*) FROM made"
    )
    worker = start_worker(place)
    try:
        with place.poller():
            soon(lambda: place.count("status = 'done'") > 1_000)
            for one in range(number):
                assert neighbour.post(port, one) == 200
                time.sleep(0.05)
            of_neighbour = f"tenant_id = {neighbour.tenant} AND status"
            soon(lambda: place.count(f"{of_neighbour} = 'done'") == number)
            assert place.count("status = 'new'") > 0, "the flood was over before the other's turn"
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    late = f"{of_neighbour} = 'done' AND done_at - received_at > interval '{worst} seconds'"
    assert place.count(late) <= 0.05 * number
