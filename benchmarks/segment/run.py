"""人群包: our statements against the best hand-written SQL over the same rows, at growing sizes."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.picture import draw
from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers

ASKED = ("count", "page", "export")


def run(scale: Scale) -> list[Row]:
    sizes = scale.pick([5_000, 20_000], [10_000, 100_000], [10_000, 100_000, 1_000_000])
    found = {size: measure("segment", size, rounds=scale.pick(5, 9, 15)) for size in sizes}
    if scale is Scale.FULL:
        lines = {f"{what}, slowest of eight": slowest(found, what) for what in ASKED}
        draw("segment", "人群包: milliseconds in the database against customers", lines)
    largest = found[sizes[-1]]["queries"]
    rows = []
    for what in ASKED:
        worst, (ours, bare) = max(((name, one[what]) for name, one in largest.items()), key=lambda row: ratio(*row[1]))
        note = f"worst of eight: {worst}, {ours:.2f} ms against {bare:.2f} ms"
        rows.append(Row("segment", f"{what}: ours / hand-written SQL", ratio(ours, bare), at_most=1.5, note=note))
        slow, one = max(largest.items(), key=lambda row: row[1][what][0])
        rows.append(Row("segment", f"{what}: the slowest at {sizes[-1]:,}", one[what][0], "ms", note=slow))
    return rows


def ratio(ours: float, bare: float) -> float:
    """Below a millisecond it is the round trips of a second statement that are compared, not the work."""
    return ours / max(bare, 1.0)


def slowest(found: dict[int, Any], what: str) -> dict[int, float]:
    return {size: max(one[what][0] for one in answer["queries"].values()) for size, answer in found.items()}


def measure(name: str, customers: int, *, rounds: int) -> dict[str, Any]:
    """One size in a database of its own."""
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}.measure", str(customers), str(rounds)],
            cwd=ROOT,
            env=os.environ | servers.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"   {customers:,} customers, built in {found['built']:.0f} s", flush=True)
    for query, one in found["queries"].items():
        cells = [f"{what} {one[what][0]:.2f}/{one[what][1]:.2f}" for what in one if what != "number"]
        print(f"     {query}: {one['number']:,} found; ms ours/bare: {', '.join(cells)}", flush=True)
    return found
