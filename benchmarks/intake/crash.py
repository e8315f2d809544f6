"""kill -9 in the middle of the stream: whatever was acknowledged must be a row."""

import hashlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import psycopg2

from benchmarks.common.load import closed_loop
from benchmarks.common.report import Row
from benchmarks.common.servers import Servers, new_port, stop, web
from benchmarks.intake import payloads

if TYPE_CHECKING:
    from benchmarks.intake.run import Candidate


def run(servers: Servers, public_id: str, ours: "Candidate", kills: int) -> list[Row]:
    """Kills the web process while it answers, starts it again, and looks for every event that got its 200."""
    stop(ours.process)
    acknowledged: list[bytes] = []
    for _ in range(kills):
        port = new_port()
        process = web(servers, port)
        sent = payloads.make(ours.path, 8_000)
        killer = threading.Timer(0.5, lambda pid=process.pid: os.killpg(pid, signal.SIGKILL))
        killer.start()
        load = closed_loop(port, [one.request for one in sent])
        killer.join()
        process.wait()
        acknowledged += [sent[number].plaintext for number in load.answered]
    process = web(servers, port := new_port())  # its start drains what a dead process spooled
    closed_loop(port, [one.request for one in payloads.make(ours.path, 10)])
    time.sleep(1)
    lost = missing(servers, public_id, acknowledged)
    stop(process)
    note = f"{len(acknowledged)} acknowledged over {kills} kill -9 of the web"
    return [Row("intake", "acknowledged and not stored", lost, "events", at_most=0, note=note)]


def missing(servers: Servers, public_id: str, plaintexts: list[bytes]) -> int:
    connection = psycopg2.connect(servers.postgres.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM tenants_receiver WHERE public_id = %s", [public_id])
        receiver = cursor.fetchone()[0]
        cursor.execute("SELECT dedupe_key FROM callbacks_inbox WHERE receiver_id = %s", [receiver])
        there = {bytes(row[0]) for row in cursor.fetchall()}
    connection.close()
    return sum(hashlib.sha256(receiver.encode() + plaintext).digest() not in there for plaintext in plaintexts)
