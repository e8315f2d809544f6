"""`python -m benchmarks.sidebar.measure CUSTOMERS REQUESTS`: one process, requests and bare statements by turns."""

import json
import logging
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common.database import fetched
from benchmarks.common.million import build


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    from scrm.garbage import look_seldom

    django.setup()
    look_seldom()  # as in a process of the product
    for handler in logging.getLogger().handlers:  # a line for each request is made and written, but nobody reads it
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(Path(os.devnull).open("w"))  # noqa: SIM115
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
    from django.core.servers.basehttp import get_internal_wsgi_application
    from django.db import connection
    from django.test import RequestFactory

    from sidebar.access import COOKIE, salt, signing
    from sidebar.card import card_of

    with tenant:
        cookies = {staff: signing.dumps(staff, salt=salt()) for staff, _ in pairs}
    web = get_internal_wsgi_application()
    environ = RequestFactory(headers={"host": "sidebar.localhost", "user-agent": "wxwork/4.1"})._base_environ()
    statuses: list[str] = []

    def ask(staff: int, external_userid: str) -> None:
        """As the server does it: what a client in Python costs is not the product's."""
        path = {"PATH_INFO": f"/sidebar/customer/{external_userid}/", "HTTP_COOKIE": f"{COOKIE}={cookies[staff]}"}
        answer = web({**environ, **path}, lambda status, headers: statuses.append(status))
        assert b"".join(answer)
        answer.close()
        assert statuses[-1] == "200 OK", statuses[-1]

    def bare(staff: int, external_userid: str) -> None:
        with tenant:
            assert card_of(staff, external_userid)

    for staff, external_userid in pairs[:20]:
        ask(staff, external_userid), bare(staff, external_userid)
    statements: list[str] = []

    def counted(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(counted):
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
    return found | {"statements": len(statements)}


def percentile(row: list[float], share: float) -> float:
    return sorted(row)[min(len(row) - 1, int(len(row) * share))]


if __name__ == "__main__":
    main()
