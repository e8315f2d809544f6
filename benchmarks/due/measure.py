"""`python -m benchmarks.due.measure ROWS ROUNDS`: one process over a filled index of due rows, its results as JSON."""

import json
import os
import sys
import time
from typing import Any

COMPANIES = 20
SIZE = 200
KIND = "bench"

FILL = """
INSERT INTO public.tenants_duerow (tenant_id, kind, ref, due_at, failures)
SELECT (%(tenants)s::int[])[1 + n %% %(count)s], %(kind)s, n, now() - interval '1 day' + n * interval '10 ms',
    0 FROM generate_series(1, %(rows)s) n
"""
BARE = """
WITH claimed AS (
    SELECT id FROM public.tenants_duerow WHERE tenant_id = %s AND due_at <= now()
    ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
DELETE FROM public.tenants_duerow d USING claimed WHERE d.id = claimed.id RETURNING d.id, d.kind, d.ref, d.failures
"""
CLAIM = """
SELECT id, kind, ref, failures FROM public.tenants_duerow WHERE tenant_id = %s AND due_at <= now()
ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED
"""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    rows, rounds = int(sys.argv[1]), int(sys.argv[2])
    begun = time.perf_counter()
    tenants = fill(rows)
    built = time.perf_counter() - begun
    print(json.dumps({"built": built, **measured(tenants, rounds)}))


def fill(rows: int) -> list[Any]:
    from django.db import connection

    from tenants.provision import create_tenant

    tenants = [create_tenant(f"due{number:02}", name=f"Due {number}") for number in range(COMPANIES)]
    connection.set_schema_to_public()
    with connection.cursor() as cursor:
        given = {"tenants": [one.pk for one in tenants], "count": COMPANIES, "kind": KIND, "rows": rows}
        cursor.execute(FILL, given)
        cursor.execute("VACUUM ANALYZE public.tenants_duerow")
    return tenants


def measured(tenants: list[Any], rounds: int) -> dict[str, Any]:
    """By turns over the companies, each with the time in the database and of the whole."""
    from benchmarks.common.database import by_turns
    from tenants import due

    due.DUE_HANDLERS[KIND] = lambda _refs: None
    companies = [tenants[number % len(tenants)] for number in range(2 * rounds + 2)]
    turns, claims = iter(companies), iter(companies)
    turn = by_turns(lambda: ours(next(turns)), lambda: bare(next(turns)), rounds)
    claimed = by_turns(lambda: claim(next(claims)), lambda: bare_claim(next(claims)), rounds)
    begun = time.perf_counter()
    for _ in range(rounds):
        due.due_tenants()
    return {"claim": claimed, "turn": turn, "tenants": (time.perf_counter() - begun) / rounds}


def ours(tenant: Any) -> None:
    """A turn of a worker with a handler that does nothing."""
    from tenants import due

    with tenant:
        enough(due.run_due(tenant, turns=1, size=SIZE))


def bare(tenant: Any) -> None:
    one_statement(BARE, tenant)


def claim(tenant: Any) -> None:
    from django.db import transaction

    from tenants import due

    with tenant, transaction.atomic():
        enough(len(due.claim(tenant, SIZE)))


def bare_claim(tenant: Any) -> None:
    one_statement(CLAIM, tenant)


def one_statement(sql: str, tenant: Any) -> None:
    from django.db import connection, transaction

    with tenant, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [tenant.pk, SIZE])
        enough(len(cursor.fetchall()))


def enough(number: int) -> None:
    if number != SIZE:
        raise RuntimeError(f"{number} rows instead of {SIZE}")


if __name__ == "__main__":
    main()
