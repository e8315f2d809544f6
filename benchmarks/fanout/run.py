"""群发: the plan against one statement by hand, the way to a stub of WeCom, and workers killed on that way."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.report import Row, paired
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers


def run(scale: Scale) -> list[Row]:
    customers, rounds, kills = scale.pick((40_000, 5, 5), (200_000, 7, 10), (1_000_000, 7, 40))
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        found = _measure(servers, str(customers), str(rounds), str(kills))
    plan = paired(found["ours"], found["bare"])
    told = f"{found['receivers']:,} receivers of {found['senders']:,} staff"
    rate = found["receivers"] / found["loop"]
    return [
        Row("fanout", "plan / set-based SQL by hand", 1 / plan.median, at_most=1.5, note=f"{told}; {plan.spread}"),
        Row("fanout", "plan", min(found["ours"]), "s", at_most=10),
        Row("fanout", "send loop with a stub", rate, "receivers/s", at_least=20_000, note=found["loop_note"]),
        Row("fanout", "killed at random: told twice", found["twice"], "people", at_most=0, note=found["kill_note"]),
        Row("fanout", "killed at random: lost", found["lost"], "people", at_most=0),
    ]


def _measure(servers: Servers, *what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fanout.measure", *what],
        cwd=ROOT,
        env=os.environ | servers.environment | {"SCRM_LOG_LEVEL": "ERROR"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
