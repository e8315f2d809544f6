"""`python -m benchmarks.sidebar.measure CUSTOMERS REQUESTS`: one process, requests and bare statements by turns."""

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common.database import fetched
from benchmarks.common.million import build


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    customers, requests = int(sys.argv[1]), int(sys.argv[2])
    from tenants.models import Domain
    from tenants.provision import create_tenant

    tenant = create_tenant("sidebar", name="Bench")
    Domain.objects.get_or_create(domain="sidebar.localhost", tenant=tenant, defaults={"is_primary": True})
    with tenant:
        build(customers, customers * 5)
        pairs = fetched(_PAIRS, [requests])
    print(json.dumps(measured(tenant, pairs)))


_PAIRS = """
SELECT f.staff_id, c.external_userid FROM contacts_follow f JOIN contacts_customer c ON c.id = f.customer_id
JOIN members_staff s ON s.id = f.staff_id WHERE s.left_at IS NULL AND s.status = 1
ORDER BY hashint8(f.id) LIMIT %s
"""


def measured(tenant: Any, pairs: list[tuple[Any, ...]]) -> dict[str, Any]:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from sidebar.access import COOKIE, salt, signing
    from sidebar.card import card_of

    with tenant:
        cookies = {staff: signing.dumps(staff, salt=salt()) for staff, _ in pairs}
    client = Client(headers={"host": "sidebar.localhost", "user-agent": "wxwork/4.1"})

    def ask(staff: int, external_userid: str) -> None:
        client.cookies[COOKIE] = cookies[staff]
        answer = client.get(f"/sidebar/customer/{external_userid}/")
        assert answer.status_code == 200, answer.status_code

    def bare(staff: int, external_userid: str) -> None:
        with tenant:
            assert card_of(staff, external_userid)

    for staff, external_userid in pairs[:20]:
        ask(staff, external_userid), bare(staff, external_userid)
    with CaptureQueriesContext(connection) as caught:
        ask(*pairs[0])
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for pair in pairs:
        turns: list[tuple[str, Callable[[int, str], None]]] = [("ours", ask), ("bare", bare)]
        random.shuffle(turns)
        for name, act in turns:
            begun = time.perf_counter()
            act(*pair)
            times[name].append((time.perf_counter() - begun) * 1000)
    found: dict[str, Any] = {name: [statistics.median(row), percentile(row, 0.99)] for name, row in times.items()}
    return found | {"statements": len(caught)}


def percentile(row: list[float], share: float) -> float:
    return sorted(row)[min(len(row) - 1, int(len(row) * share))]


if __name__ == "__main__":
    main()
