"""What falls due: a claim of 200 rows among many of many companies, against the statement alone."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers
from benchmarks.due.measure import SIZE


def run(scale: Scale) -> list[Row]:
    rows, rounds = scale.pick((200_000, 40), (1_000_000, 100), (5_000_000, 200))
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.due.measure", str(rows), str(rounds)],
            cwd=ROOT,
            env=os.environ | servers.environment | {"SCRM_LOG_LEVEL": "WARNING"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"   {rows:,} rows, built in {found['built']:.0f} s", flush=True)
    return [
        Row(
            "due",
            f"claim of {SIZE} among {rows:,} / bare SQL",
            ratio(found["claim"]),
            at_most=1.5,
            note=times(found["claim"]),
        ),
        Row(
            "due", "claimed, handed over and gone / one bare statement", ratio(found["turn"]), note=times(found["turn"])
        ),
        Row("due", "which companies have something due", found["tenants"] * 1000, "ms"),
    ]


def ratio(pair: tuple[float, float]) -> float:
    return pair[0] / pair[1]


def times(pair: tuple[float, float]) -> str:
    return f"{pair[0] * 1000:.2f} ms against {pair[1] * 1000:.2f} ms in the database"
