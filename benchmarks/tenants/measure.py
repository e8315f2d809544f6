"""`python -m benchmarks.tenants.measure COUNT ROUNDS`: one process that makes companies and serves them, its results as
a line of JSON."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BARE = "bare_{}"
TABLES_TOUCHED = 15
CUSTOMERS = 30  # a page of the first company's list


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    found = creating(rounds)
    fill(count - rounds, rounds)
    found |= a_company_at_work()
    found |= sets_a_request(found["session"], found["key"])
    found |= deploying()
    found |= backend_memory()
    print(json.dumps(found))


def timed(act: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    act(*arguments)
    return time.perf_counter() - started


# -- making a company ------------------------------------------------------------------------------------------------


def creating(rounds: int) -> dict[str, Any]:
    """A company by the template, and the template's DDL alone replayed by a bare connection, in turn."""
    from django.db import connection

    from tenants.provision import create_tenant
    from tenants.template import PLACE, template_ddl

    dumped = timed(template_ddl)  # once for every release; kept in a table
    ddl = template_ddl()
    assert ddl is not None, "there is no template"
    bare_connection = bare()
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(timed(create_tenant_by_number, create_tenant, number))
        schema = BARE.format(number)
        theirs.append(timed(replay, bare_connection, ddl.replace(PLACE, schema)))
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")
    bare_connection.close()
    return {
        "create": statistics.median(ours),
        "create_worst": max(ours),
        "replay": statistics.median(theirs),
        "create_ratio": statistics.median(one / other for one, other in zip(ours, theirs, strict=True)),
        "dumped": dumped,
    }


def create_tenant_by_number(create: Callable[..., object], number: int) -> None:
    create(f"bench{number:04}", name=f"Bench {number}")


def replay(connection: Any, ddl: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL check_function_bodies = false; SET LOCAL search_path TO pg_catalog")
        cursor.execute(ddl)


def bare() -> Any:
    import psycopg2

    return psycopg2.connect(os.environ["DATABASE_URL"])


def fill(count: int, start: int) -> None:
    from django.db import connection

    from tenants.provision import create_tenant

    for number in range(start, start + count):
        create_tenant_by_number(create_tenant, number)
        if number % 25 == 0:
            connection.close()  # a backend that made many schemas is not what is measured below


# -- a request -------------------------------------------------------------------------------------------------------


def a_company_at_work() -> dict[str, Any]:
    """The first company with a page of customers, a signed-in owner and a key of the API."""
    from datetime import UTC, datetime

    from django.contrib.auth import login
    from django.contrib.sessions.backends.db import SessionStore
    from django.http import HttpRequest

    from accounts.models import Operator
    from contacts import bulk
    from contacts.models import Customer, Follow
    from integrations.authentication import issue_key
    from members.models import Staff
    from tenants.models import Tenant

    now = datetime.now(UTC)
    with Tenant.objects.get(schema_name="bench0000"):
        owner = Operator.objects.create(username="owner", name="Owner", role="owner", scope="all")
        staff = Staff.objects.create(userid="zhang", userid_key="zhang", name="张伟", can_follow=True)
        for number in range(CUSTOMERS):
            customer = Customer.objects.create(
                external_userid=f"wm{number}",
                name=f"客户{number}",
                first_added_at=now,
                last_added_at=now,
                active_follows=1,
            )
            Follow.objects.create(customer=customer, staff=staff, added_at=now)
        bulk.rebuild_facts()
        request = HttpRequest()
        request.session = SessionStore()
        login(request, owner, backend="accounts.backend.AuthBackend")
        request.session["seen"] = int(time.time()) + 7200  # so that no request of the run writes the session
        request.session.save()
        return {"session": request.session.session_key, "key": issue_key("bench")}


def sets_a_request(session: str, key: str) -> dict[str, Any]:
    """The most `SET search_path` in one request, by the log of its statements."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from benchmarks.tenants.asked import ASKED

    client = Client(headers={"host": "bench0000.localhost"})
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    sets, statements = [], []
    for asked in ASKED:
        headers = {"authorization": f"Bearer {key}"} if asked.by_key else {}
        for _ in range(3):
            connection.set_schema_to_public()
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(asked.path, headers=headers)
            assert answer.status_code == 200, f"{asked.path}: {answer.status_code}"
        sets.append(sum("search_path" in query["sql"] for query in captured.captured_queries))
        statements.append(len(captured.captured_queries))
    return {"sets": max(sets), "statements": statements}


# -- a release -------------------------------------------------------------------------------------------------------


def deploying() -> dict[str, Any]:
    """A release with nothing to migrate: the command as it is run, the same in this process, and one statement that
    only counts what each schema has applied."""
    import subprocess

    from django.db import connection

    from tenants.migrate import migrate_all
    from tenants.models import Tenant

    connection.close()
    command = [sys.executable, "manage.py", "migrate_all"]
    root = Path(__file__).resolve().parents[2]
    quiet = {"cwd": root, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    whole, inside, union = [], [], []
    worked = os.times()
    schemas = list(Tenant.objects.exclude(schema_name="public").values_list("schema_name", flat=True))
    sql = " UNION ALL ".join(f"SELECT '{one}', count(*) FROM {one}.django_migrations" for one in schemas)
    for _ in range(3):
        whole.append(timed(lambda: subprocess.run(command, check=True, **quiet)))
        connection.close()
        inside.append(timed(migrate_all))
        server = bare()
        union.append(timed(ask, server, sql))
        server.close()
    used = os.times()
    report = migrate_all()
    assert not report.migrated and not report.failed and report.current == len(schemas), report
    return {
        "deploy": statistics.median(whole),
        "deploy_cpu": (used.children_user + used.children_system - worked.children_user - worked.children_system) / 3,
        "deploy_inside": statistics.median(inside),
        "union": statistics.median(union),
        "schemas": len(schemas),
    }


def ask(connection: Any, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchall()


# -- the memory of a backend -----------------------------------------------------------------------------------------


def backend_memory() -> dict[str, Any]:
    """The most that any backend of one connection held while it served every company, and that of a bare connection
    which is never replaced."""
    from django.db import connection

    from tenants.isolation import tenant_models
    from tenants.models import Tenant

    models = tenant_models()[:TABLES_TOUCHED]
    tenants = list(Tenant.objects.exclude(schema_name="public").order_by("pk"))
    connection.close()
    largest, pids = 0.0, set()
    for tenant in tenants:
        with tenant:
            for model in models:
                model._default_manager.order_by("pk").first()
            pid = connection.connection.info.backend_pid
            pids.add(pid)
            largest = max(largest, memory_of(pid))
    server = bare()
    server.autocommit = True
    for tenant in tenants:
        ask(server, f"SET search_path = {tenant.schema_name}, public; SELECT 1")
        for model in models:
            ask(server, f'SELECT * FROM {model._meta.db_table} ORDER BY "{model._meta.pk.column}" LIMIT 1')
    kept = memory_of(server.info.backend_pid)
    server.close()
    return {"memory": largest, "backends": len(pids), "memory_bare": kept, "tables": len(models)}


def memory_of(pid: int) -> float:
    """MB of a backend: its own pages, without the buffers that all backends have in common."""
    sizes = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(sizes[name].split()[0]) for name in ("Pss_Anon", "Pss_File")) / 1024


if __name__ == "__main__":
    main()
