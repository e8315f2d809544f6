"""Envelopes of the session archive into searchable messages, against the RSA operations that `openssl speed` counts."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common.report import Row
from benchmarks.common.scale import Scale
from benchmarks.common.servers import ROOT, Servers


def run(scale: Scale) -> list[Row]:
    messages = scale.pick(2_000, 10_000, 50_000)
    with Servers() as servers:
        servers.run("manage.py", "migrate_all")
        found = measure(servers, str(messages))
    note = f"{found['per_core']:.0f}/s against {found['openssl']:.0f}/s; CPU of our process and the library's"
    whole = f"with the {found['postgres_share']:.0%} that Postgres used on top"
    return [
        Row("archive", "messages / openssl's private operations, a core", found["ratio"], at_least=0.85, note=note),
        Row("archive", "the same with the CPU of Postgres", found["ratio_with_postgres"], note=whole),
        Row("archive", "messages a second, by the clock", found["rate"], "/s", note=f"{found['messages']:,} messages"),
        Row("archive", "two threads / one, by the clock", found["threads"], note="RSA alone"),
        Row("archive", "memory of the opening process", found["memory"], "MB"),
    ]


def measure(servers: Servers, *what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.archive.measure", str(servers.postgres_process.pid), *what],
        cwd=ROOT,
        env=os.environ | servers.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"   {found}", flush=True)
    return found
