"""Many companies on one platform: making one, releasing to all, serving one among them, and what a backend keeps."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Any

from benchmarks.common import cpu
from benchmarks.common.load import closed_loop
from benchmarks.common.report import Row, paired, percentile
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers, new_port, web
from benchmarks.tenants.asked import ASKED, Asked

THREADS = 4


class Unsound(RuntimeError):
    """The run did not measure what it says."""


@dataclass(slots=True)
class Candidate:
    process: Popen[bytes]
    port: int
    costs: dict[str, list[float]] = field(default_factory=dict)


def run(scale: Scale) -> list[Row]:
    count, creations = scale.pick((40, 5), (150, 15), (500, 25))
    rounds, seconds = scale.pick((7, 0.5), (9, 1.0), (11, 1.0))
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        servers.run("manage.py", "collectstatic", "--noinput")  # pages name their files by this manifest
        found = measured(servers, count, creations)
        ratios = requests(servers, found, rounds, seconds)
    return [*rows(found), *ratios]


def measured(servers: Servers, count: int, creations: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tenants.measure", str(count), str(creations)],
        cwd=ROOT,
        env=os.environ | servers.environment | {"SCRM_LOG_LEVEL": "WARNING", "SCRM_BASE_DOMAIN": "localhost"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"   { {name: value for name, value in found.items() if name not in {'session', 'key'}} }", flush=True)
    return found


def rows(found: dict[str, Any]) -> list[Row]:
    schemas = found["schemas"]
    made = f"worst {found['create_worst']:.2f} s, its DDL alone {found['replay']:.2f} s"
    deployed = f"{found['deploy_cpu']:.1f} s of CPU; {found['deploy_inside']:.2f} s once Python has started"
    kept = (
        f"{found['backends']} backends, {found['tables']} tables each; {found['memory_bare']:.0f} MB if never replaced"
    )
    return [
        Row("tenants", "make a company by template", found["create"], "s", at_most=1, note=made),
        Row("tenants", "  / bare replay of the same DDL", found["create_ratio"]),
        Row(
            "tenants",
            f"release with nothing to migrate, {schemas} schemas",
            found["deploy"],
            "s",
            at_most=10,
            note=deployed,
        ),
        Row("tenants", "  once Python has started / one UNION ALL", found["deploy_inside"] / found["union"]),
        Row("tenants", f"largest backend after {schemas} companies", found["memory"], "MB", at_most=150, note=kept),
        Row(
            *("tenants", "SET search_path a request", found["sets"], ""),
            at_most=1,
            note=f"{' / '.join(map(str, found['statements']))} statements in all",
        ),
    ]


# -- the same request, with and without tenancy ----------------------------------------------------------------------


def requests(servers: Servers, found: dict[str, Any], rounds: int, seconds: float) -> list[Row]:
    shared = {"SCRM_API_RATE": "100000000/min", "SCRM_LOG_LEVEL": "WARNING", "SCRM_BASE_DOMAIN": "localhost"}
    single = shared | {"DJANGO_SETTINGS_MODULE": "benchmarks.tenants.single_settings", "BENCH_SCHEMA": "bench0000"}
    ours, alone = serve(servers, shared), serve(servers, single)
    for asked in ASKED:
        request = asked.request(found["session"], found["key"])
        for candidate in (ours, alone):
            measure(candidate, [request] * 50)  # connections, templates, caches
        size = max(
            40, int(seconds / measure(alone, [request] * 50))
        )  # the clock of CPU time ticks a hundred times a second
        for number in range(rounds):
            for candidate in (ours, alone) if number % 2 else (alone, ours):
                candidate.costs.setdefault(asked.name, []).append(measure(candidate, [request] * size))
    return [compared(asked, ours, alone) for asked in ASKED]


def serve(servers: Servers, environment: dict[str, str]) -> Candidate:
    port = new_port()
    return Candidate(web(servers, port, threads=THREADS, environment=environment), port)


def measure(candidate: Candidate, prepared: list[bytes]) -> float:
    """Seconds of the server's CPU a request."""
    before = cpu.seconds(candidate.process.pid)
    load = closed_loop(candidate.port, prepared, connections=THREADS)
    if load.errors or sum(load.statuses.values()) != len(prepared):
        raise Unsound(f"answers {load.statuses}")
    return cpu.per_request(before, cpu.seconds(candidate.process.pid), len(prepared))


def compared(asked: Asked, ours: Candidate, alone: Candidate) -> Row:
    mine, theirs = ours.costs[asked.name], alone.costs[asked.name]
    found = paired(mine, theirs)
    cost = f"{percentile(mine, 0.5) * 1e3:.2f} ms against {percentile(theirs, 0.5) * 1e3:.2f} ms of CPU; {found.spread}"
    return Row("tenants", f"{asked.name}, CPU / without tenancy", found.median, at_most=1.15, note=cost)
