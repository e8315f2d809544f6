"""侧边栏: the customer card as the sidebar asks for it, against the bare statement, and what the page weighs."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers


def run(scale: Scale) -> list[Row]:
    customers = scale.pick(20_000, 100_000, 1_000_000)
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sidebar.measure", str(customers), str(scale.pick(200, 500, 1000))],
            cwd=ROOT,
            env=os.environ | servers.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    (ours, ours_99), (bare, bare_99) = found["ours"], found["bare"]
    note = f"{customers:,} customers; p50 {ours:.2f} against {bare:.2f} ms"
    return [
        Row("sidebar", "card: p50 of the request / bare SQL", ours / bare, at_most=2.0, note=note),
        Row("sidebar", "card: p99 of the request", ours_99, "ms", at_most=2 * bare_99 + 10, note=f"bare {bare_99:.2f}"),
        Row("sidebar", "card: statements a request, SET included", float(found["statements"]), "", at_most=3),
    ]
