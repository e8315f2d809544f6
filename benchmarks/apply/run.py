"""Events applied by one worker, from the sealed row to the customer: against bare SQL in sets, and a task per event."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers


def run(scale: Scale) -> list[Row]:
    events = scale.pick(4_000, 16_000, 40_000)
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        found = _measure(servers, str(events))
    return [
        Row("apply", "events a second / bare set-based SQL", found["bare"], at_least=0.6, note=found["bare_note"]),
        Row("apply", "events a second / ORM in a task per event", found["orm"], at_least=20, note=found["orm_note"]),
        Row("apply", "a burst of 10,000 drained by one worker", found["burst"], "s", at_most=10),
        Row("apply", "welcomes at WeCom during the burst, p99", found["p99"], "s", at_most=2, note=found["p99_note"]),
    ]


def _measure(servers: Servers, *what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.apply.measure", *what],
        cwd=ROOT,
        env=os.environ | servers.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"   {found}", flush=True)
    return found
