"""Search in the session archive: two and four characters, common and rare, in all and in a range; at growing sizes."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.picture import draw
from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers


def run(scale: Scale) -> list[Row]:
    sizes = scale.pick([10_000, 50_000], [10_000, 100_000], [10_000, 100_000, 1_000_000])
    found = {size: measure(size) for size in sizes}
    largest = found[sizes[-1]]
    if scale is Scale.FULL:
        lines = {label: {size: found[size][label]["p95"] for size in sizes} for label in largest if label != "build"}
        draw("search", "搜索会话: p95 in milliseconds against messages", lines)
    rows = []
    for label, one in largest.items():
        if label != "build":
            note = f"p50 {one['p50']:.1f} ms, slowest {one['max']:.1f} ms ({one['worst']}), {one['queries']} searches"
            rows.append(
                Row("search", f"{label}, p95 at {sizes[-1]:,} messages", one["p95"], "ms", at_most=100, note=note)
            )
    return rows


def measure(size: int) -> dict[str, Any]:
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.search.measure", str(size)],
            cwd=ROOT,
            env=os.environ | servers.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"   {size:,}: {found}", flush=True)
    return found
