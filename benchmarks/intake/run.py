"""Accepted callbacks per CPU second, against WeCom's own npm package in a bare Node server, in interleaved rounds."""

import json
import os
import random
import subprocess
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from subprocess import Popen

import psycopg2

from benchmarks.common import cpu
from benchmarks.common.load import Load, closed_loop, open_loop
from benchmarks.common.report import Row, paired, percentile
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers, new_port, web
from benchmarks.intake import crash, payloads
from scrm.up import install

PEER = ROOT / "benchmarks" / "peers" / "node"
RATE = 300.0


@dataclass(slots=True)
class Candidate:
    name: str
    process: Popen[bytes]
    port: int
    path: str
    costs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    stores: list[float] = field(default_factory=list)


class Unsound(RuntimeError):
    """The run did not measure what it says."""


def run(scale: Scale) -> list[Row]:
    install_peer()
    everywhere = os.sched_getaffinity(0) if cpu.sides() else None
    try:
        return _run(scale)
    finally:
        if everywhere:
            os.sched_setaffinity(0, everywhere)


def _run(scale: Scale) -> list[Row]:
    rounds, size = scale.pick((5, 3_000), (11, 6_000), (21, 15_000))
    rows: list[Row] = []
    with Servers() as servers:
        public_id = prepare(servers)
        ours, pg, redis = candidates(servers, public_id)
        keep_apart(servers, (ours, pg, redis))
        for candidate in (ours, pg, redis):
            checked(
                candidate, closed_loop(candidate.port, requests(candidate, 1_000))
            )  # warm: connections, caches, compiled code
        for number in range(rounds):
            order = [ours, pg, redis]
            random.shuffle(order)
            for candidate in order:
                measure(servers, candidate, size)
            print(
                f"   round {number + 1}: "
                + ", ".join(f"{c.name} {c.costs[-1] * 1e6:.0f} µs {c.rates[-1]:.0f}/s" for c in (ours, pg, redis)),
                flush=True,
            )
        for peer in (pg, redis):
            rows += compare(ours, peer)
        rows += latency(ours, pg, seconds=scale.pick(5, 20, 60))
        if stored(servers, public_id) != accepted[ours.name]:
            raise Unsound(f"{accepted[ours.name]} answers, {stored(servers, public_id)} rows")
        rows += crash.run(servers, public_id, ours, kills=scale.pick(2, 4, 10))
    return rows


accepted: dict[str, int] = defaultdict(int)


def keep_apart(servers: Servers, measured: Sequence[Candidate]) -> None:
    """All candidates on one core, load and stores on the others: what is compared is the work of one core."""
    if (cores := cpu.sides()) is None:
        return
    for candidate in measured:
        cpu.keep_on(candidate.process.pid, cores[0])
    for store in (servers.postgres_process, servers.valkey_process):
        cpu.keep_on(store.pid, cores[1])
    os.sched_setaffinity(0, cores[1])


def requests(candidate: Candidate, count: int) -> list[bytes]:
    return [sent.request for sent in payloads.make(candidate.path, count)]


def measure(servers: Servers, candidate: Candidate, size: int) -> None:
    prepared = requests(candidate, size)
    stores = [servers.postgres_process.pid, servers.valkey_process.pid]
    before, store_before = cpu.seconds(candidate.process.pid), sum(map(cpu.seconds, stores))
    load = checked(candidate, closed_loop(candidate.port, prepared))
    candidate.costs.append(cpu.per_request(before, cpu.seconds(candidate.process.pid), size))
    candidate.stores.append((sum(map(cpu.seconds, stores)) - store_before) / size)
    candidate.rates.append(load.rate)


def checked(candidate: Candidate, load: Load) -> Load:
    if load.errors or not load.statuses:
        raise Unsound(f"{candidate.name} answered {load.statuses}")
    accepted[candidate.name] += load.statuses[b"200"]
    return load


def compare(ours: Candidate, peer: Candidate) -> list[Row]:
    found = paired(peer.costs, ours.costs)
    whole = paired(
        [cost + store for cost, store in zip(peer.costs, peer.stores, strict=True)],
        [cost + store for cost, store in zip(ours.costs, ours.stores, strict=True)],
    )
    rate = paired(ours.rates, peer.rates)
    note = (
        f"{percentile(ours.costs, 0.5) * 1e6:.0f} µs against {percentile(peer.costs, 0.5) * 1e6:.0f} µs; {found.spread}"
    )
    return [
        Row("intake", f"callbacks per CPU second / {peer.name}", found.median, at_least=1.0, note=note),
        Row("intake", f"  with the CPU of the store / {peer.name}", whole.median, note=whole.spread),
        Row("intake", f"  callbacks per second / {peer.name}", rate.median, note=rate.spread),
    ]


def latency(ours: Candidate, peer: Candidate, seconds: int) -> list[Row]:
    """By turns, in pieces of five seconds: a disk that stops for a moment stops both."""
    waits: dict[str, list[float]] = {ours.name: [], peer.name: []}
    for _ in range(seconds // 5):
        for one in (ours, peer):
            waits[one.name] += checked(one, open_loop(one.port, requests(one, int(RATE * 5)), RATE)).latencies
    late = {name: percentile(found, 0.99) * 1e3 for name, found in waits.items()}
    mine = waits[ours.name]
    note = f"p50 {percentile(mine, 0.5) * 1e3:.1f} ms, worst {max(mine) * 1e3:.0f} ms"
    return [
        Row("intake", f"p99 at {RATE:.0f}/s, open loop", late[ours.name], "ms", at_most=50, note=note),
        Row(
            "intake",
            f"  the same, {peer.name}",
            late[peer.name],
            "ms",
            note=f"worst {max(waits[peer.name]) * 1e3:.0f} ms",
        ),
    ]


# -- the three servers -------------------------------------------------------------------------------------------------


def install_peer() -> None:
    """By its lock file, as `npm ci` does it; nothing of it is in the repository."""
    lock = PEER / "package-lock.json"
    mark = PEER / "node_modules" / ".installed"
    if mark.exists() and mark.read_bytes() == lock.read_bytes():
        return
    subprocess.run(
        [*install.npm(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=PEER,
        env=install.npm_environment(),
        check=True,
    )
    mark.write_bytes(lock.read_bytes())


def prepare(servers: Servers) -> str:
    """A company whose keys are those of the payloads; the public id of its receiver."""
    servers.run("manage.py", "migrate_all")
    made = servers.folder / "company.json"
    servers.run("-m", "benchmarks.intake.company", str(made))
    return str(json.loads(made.read_text())["receiver"])


def candidates(servers: Servers, public_id: str) -> tuple[Candidate, Candidate, Candidate]:
    port = new_port()
    ours = Candidate("ours", web(servers, port), port, f"/wecom/callback/{public_id}/")
    shared = {"TOKEN": payloads.TOKEN, "AES_KEY": payloads.AES_KEY, "CORP_ID": payloads.CORP_ID}
    shared |= {"TENANT": "1000000", "RECEIVER": str(uuid.uuid4()), "NODE_ENV": "production"}

    def peer(name: str, store: str) -> Candidate:
        port = new_port()
        environment = shared | {"STORE": store, "PORT": str(port)}
        process = servers.serve(f"peer-{store}", [install.node(), "peer.js"], port, cwd=PEER, environment=environment)
        return Candidate(name, process, port, "/callback")

    return ours, peer("node + pg INSERT", "pg"), peer("node + redis XADD", "redis")


def query(servers: Servers, sql: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(servers.postgres.url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


def stored(servers: Servers, public_id: str) -> int:
    [(count,)] = query(
        servers,
        f"SELECT count(*) FROM callbacks_inbox i JOIN tenants_receiver r ON r.id = i.receiver_id "
        f"WHERE r.public_id = '{public_id}'",
    )
    return int(str(count))
