"""A company's customers into our rows: sets against bare COPY, then whole syncs from the imitation WeCom."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers, new_port

CEILING = 4167  # customers a second: 2,500 calls a minute of 100 rows each is what WeCom allows a company


def run(scale: Scale) -> list[Row]:
    customers = scale.pick(10_000, 50_000, 100_000)
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        sets = _measure(servers, "sets", str(customers))
        port = new_port()
        servers.serve("sandbox", _sandbox(customers, port), port)
        whole = _measure(servers, "whole", f"http://127.0.0.1:{port}")
    return [
        Row("sync", "insert / bare COPY of the same rows", sets["insert"], at_least=0.6, note=sets["insert_note"]),
        Row("sync", "unchanged / first, sets alone", sets["unchanged"], at_least=3, note=sets["unchanged_note"]),
        Row("sync", "customers written a second, sets alone", sets["rate"], "/s", at_least=CEILING),
        Row("sync", "customers a second, first sync over HTTP", whole["first"], "/s", note=whole["note"]),
        Row("sync", "customers a second, unchanged over HTTP", whole["again"], "/s"),
        Row("sync", "memory of the syncing process", whole["memory"], "MB", at_most=200, note=whole["memory_note"]),
    ]


def _sandbox(customers: int, port: int) -> list[str]:
    sizes = ["--customers", str(customers), "--staff", "100", "--groups", "100"]
    return [sys.executable, "-m", "sandbox", "--memory", "--port", str(port), *sizes]


def _measure(servers: Servers, *what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sync.measure", *what],
        cwd=ROOT,
        env=os.environ | servers.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"   {found}", flush=True)
    return found
