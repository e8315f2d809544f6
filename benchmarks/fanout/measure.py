"""`python -m benchmarks.fanout.measure CUSTOMERS ROUNDS KILLS`: one company, its results as a line of JSON."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")

from benchmarks.common import million
from benchmarks.common.servers import ROOT, new_port

BARE = """
INSERT INTO broadcasts_broadcastsender
    (broadcast_id, staff_id, part, receivers, total, state, msgid, reason,
     sent, not_friend, at_limit, refused, reminded)
SELECT %s, staff_id, part, array_agg(customer_id), count(*), 'planned', '', '', 0, 0, 0, 0, 0 FROM (
    SELECT customer_id, staff_id, (row_number() OVER (PARTITION BY staff_id ORDER BY customer_id) - 1) / 10000 AS part
    FROM (
        SELECT DISTINCT ON (t.customer_id) t.customer_id, t.staff_id FROM contacts_follow t
        JOIN contacts_customerfacts f ON f.customer_id = t.customer_id AND f.lost_at IS NULL
        JOIN members_staff s ON s.id = t.staff_id AND s.can_follow AND s.left_at IS NULL
        LEFT JOIN (SELECT receiver FROM broadcasts_receipts WHERE kind = 'customers' AND day >= %s
            GROUP BY receiver HAVING sum(count) >= 4) full_up ON full_up.receiver = t.customer_id
        WHERE t.ended_at IS NULL AND full_up.receiver IS NULL
        ORDER BY t.customer_id, t.added_at DESC
    ) chosen
) numbered GROUP BY staff_id, part
"""
RECEIPTS = """
INSERT INTO broadcasts_receipts (kind, receiver, day, count)
SELECT 'customers', customer_id, current_date, 1 + 40 * (random() < 0.03)::int FROM contacts_customerfacts
WHERE customer_id % 5 < 3
"""
TREE = {"match": "all", "of": [{"is": "lost", "op": "no"}]}


def main() -> None:
    import django

    django.setup()
    customers, rounds, kills = (int(one) for one in sys.argv[1:4])
    port = new_port()
    os.environ["WECOM_API_BASE"] = f"http://127.0.0.1:{port}"
    stub = subprocess.Popen([sys.executable, "-m", "benchmarks.fanout.stub", str(port)], cwd=ROOT)
    try:
        with company() as tenant:
            million.STAFF = max(20, customers // 500)  # so that a call is as large at every scale
            million.build(customers, customers * 2)
            fill_receipts()
            found = {**planned(rounds), **looped(port), **killed(port, kills, tenant)}
    finally:
        stub.terminate()
    print(json.dumps(found))


def company() -> Any:
    from tenants.provision import Connection, create_tenant

    connection = Connection(
        corp_id="wwbench000000002",
        agent_id=1000002,
        agent_secret="s" * 43,
        token="benchToken",
        aes_key="b" * 42 + "A",
    )
    return create_tenant("fanout", name="Bench", connection_to_wecom=connection)


def fill_receipts() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(RECEIPTS)
        cursor.execute("VACUUM ANALYZE broadcasts_receipts")


def draft(text: str) -> Any:
    from broadcasts.models import Broadcast

    return Broadcast.objects.create(title="bench", tree=TREE, content={"text": text, "materials": []})


def planned(rounds: int) -> dict[str, Any]:
    """By turns, each in a transaction that is rolled back."""
    found: dict[str, Any] = {"ours": [], "bare": []}
    for number in range(rounds):
        for name in ("ours", "bare") if number % 2 else ("bare", "ours"):
            found[name].append(plan_once(name, found))
    return found


def plan_once(name: str, found: dict[str, Any]) -> float:
    from django.db import connection, transaction
    from django.utils import timezone

    from broadcasts.planning import insert_senders

    with transaction.atomic():
        row = draft("plan")
        begun = time.perf_counter()
        if name == "ours":
            insert_senders(row)
        else:
            with connection.cursor() as cursor:
                cursor.execute(BARE, [row.pk, timezone.localdate().replace(day=1)])
        took = time.perf_counter() - begun
        found["senders"] = row.senders.count()
        transaction.set_rollback(True)
    return took


def workers(count: int) -> list[subprocess.Popen[str]]:
    made = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fanout.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for one in made:
        assert one.stdout is not None
        one.stdout.readline()
    return made


def go(one: subprocess.Popen[str]) -> None:
    assert one.stdin is not None
    one.stdin.write("go\n")
    one.stdin.flush()


def send(text: str) -> Any:
    from broadcasts import sending

    row = draft(text)
    sending.send(row, by="bench", scope=None, promised={"receivers": 0})
    return row


def is_over(row: Any) -> bool:
    from broadcasts.models import Broadcast

    planned_ = Broadcast.objects.filter(pk=row.pk, state="sending").exists()
    return planned_ and not row.senders.filter(state__in=["planned", "asked"]).exists()


def looped(port: int) -> dict[str, Any]:
    """From the button to the last sender that WeCom took, by two workers as the product has them."""
    from django.db.models import Max, Min, Sum

    from tenants.models import OutgoingCall

    ready = workers(2)
    row = send("loop")
    for one in ready:
        go(one)
    while not is_over(row):
        time.sleep(0.05)
    for one in ready:
        one.kill()
        one.wait()
    total = row.senders.aggregate(total=Sum("total"))["total"]
    calls = OutgoingCall.objects.filter(purpose="broadcast").aggregate(first=Min("created_at"), last=Max("finished_at"))
    took = (calls["last"] - calls["first"]).total_seconds()
    return {"receivers": total, "loop": took, "loop_note": f"{row.senders.count():,} calls in {took:.1f} s, 2 workers"}


def killed(port: int, kills: int, tenant: Any) -> dict[str, Any]:
    """Workers die by SIGKILL at random moments; what they left is found as in the product, only without its waits."""
    from django.db.models import Sum

    chance, died = random.Random(11), 0
    before = counted(port)
    row = send("killed")
    while not is_over(row):
        (one,) = workers(1)
        go(one)
        end = time.monotonic() + (chance.uniform(0.05, 1.2) if died < kills else 3600)
        while time.monotonic() < end and one.poll() is None and not is_over(row):
            time.sleep(0.005)
        one.send_signal(signal.SIGKILL)
        one.wait()
        died += 1
        hurry(tenant)
    after = counted(port)
    total = row.senders.aggregate(total=Sum("total"))["total"]
    people = after["people"] - before["people"]
    note = f"{died} workers killed among {after['calls'] - before['calls']:,} calls"
    return {"twice": after["twice"], "lost": total - people, "kill_note": note}


def hurry(tenant: Any) -> None:
    """Leases of the dead end now; lost answers are looked up now."""
    from django.utils import timezone

    from tenants.models import Job, OutgoingCall

    now = timezone.now()
    calls = OutgoingCall.objects.filter(tenant=tenant)
    calls.filter(state="leased").update(leased_until=now - timedelta(seconds=1))
    calls.filter(state="unknown").update(due_at=now, leased_until=None)
    Job.objects.filter(tenant=tenant, state="queued").update(due_at=now)


def counted(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counted", timeout=60) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


if __name__ == "__main__":
    main()
