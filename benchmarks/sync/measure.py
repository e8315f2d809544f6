"""`python -m benchmarks.sync.measure sets N | whole URL`: one process that writes, its result as a line of JSON."""

import io
import json
import os
import random
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

SET = 1000
SECRET = "bench-secret-0000000000000000000000000000001"
TABLES = {
    "contacts_customer": "id = ANY(%s)",
    "contacts_follow": "customer_id = ANY(%s)",
    "contacts_followtag": "follow_id IN (SELECT id FROM contacts_follow WHERE customer_id = ANY(%s))",
    "contacts_timelineentry": "customer_id = ANY(%s)",
    "contacts_customerfacts": "customer_id = ANY(%s)",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    if sys.argv[1] == "whole":
        os.environ["WECOM_API_BASE"] = sys.argv[2]
    import django

    from scrm.garbage import look_seldom

    django.setup()
    look_seldom()  # as in a process of the product
    found = sets(int(sys.argv[2])) if sys.argv[1] == "sets" else whole(sys.argv[2])
    print(json.dumps(found))


def company(schema: str, corp_id: str, agent_id: int, secret: str, contact_secret: str) -> Any:
    from tenants.provision import Connection, create_tenant

    wecom = Connection(corp_id, agent_id, secret, "benchToken", "b" * 42 + "A", contact_secret)
    return create_tenant(schema, name="Bench", connection_to_wecom=wecom)


# -- sets against COPY -----------------------------------------------------------------------------------------------


def sets(customers: int) -> dict[str, Any]:
    """Each set is written by us, read back, and copied into bare twins of the tables: same rows, indexes, sets."""
    from django.db import connection

    from contacts import bulk

    with company("sets", "wwbench000000001", 1000002, SECRET, SECRET):
        prepare()
        chance = random.Random(5)
        batches = [pairs(chance, start) for start in range(0, customers, SET)]
        ours, bare, waited, again = 0.0, 0.0, 0.0, 0.0
        for batch in batches:
            ours += timed(write, bulk, batch)
            seconds, of_commit = copy_bare(connection, batch)
            bare, waited = bare + seconds, waited + of_commit
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE contacts_customer, contacts_follow, contacts_followtag")
        for batch in batches:
            again += timed(write, bulk, batch)
    return {
        "insert": bare / ours,
        "insert_note": f"{customers / ours:.0f}/s against {customers / bare:.0f}/s of {len(TABLES)} tables;"
        f" {waited / bare:.0%} of COPY is its commits: deferred checks, and the disk",
        "unchanged": ours / again,
        "unchanged_note": f"{customers / again:.0f}/s",
        "rate": customers / ours,
    }


def prepare(*, twins: bool = True) -> None:
    """Staff, tags, and the twins: like ours in columns, indexes and foreign keys."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO members_staff (userid, userid_key, name, pinyin, alias, position, avatar, status, can_follow,"
            " visible) SELECT 's' || n, 's' || n, 's' || n, '', '', '', '', 1, true, true FROM generate_series(0, 99) n"
        )
        cursor.execute("INSERT INTO contacts_taggroup (wecom_id, name, \"order\") VALUES ('g', 'g', 0)")
        cursor.execute(
            "INSERT INTO contacts_tag (wecom_id, name, \"order\", group_id) SELECT 't' || n, 't' || n, 0,"
            " (SELECT id FROM contacts_taggroup LIMIT 1) FROM generate_series(0, 199) n"
        )
        if not twins:
            return
        cursor.execute("CREATE SCHEMA bare")
        for table in TABLES:
            cursor.execute(f"CREATE TABLE bare.{table} (LIKE {table} INCLUDING ALL)")
        for table, column, target in (
            ("contacts_follow", "customer_id", "bare.contacts_customer"),
            ("contacts_follow", "staff_id", "members_staff"),
            ("contacts_followtag", "follow_id", "bare.contacts_follow"),
            ("contacts_followtag", "tag_id", "contacts_tag"),
            ("contacts_timelineentry", "customer_id", "bare.contacts_customer"),
            ("contacts_timelineentry", "staff_id", "members_staff"),
            ("contacts_customerfacts", "customer_id", "bare.contacts_customer"),
        ):
            cursor.execute(
                f"ALTER TABLE bare.{table} ADD FOREIGN KEY ({column}) REFERENCES {target} (id)"
                " DEFERRABLE INITIALLY DEFERRED"
            )


def pairs(chance: random.Random, start: int) -> list[tuple[Any, Any]]:
    """A page group as the client hands it over: 1,000 customers, four tags each."""
    from wecom.objects import ExternalContact, FollowInfo

    made = []
    for number in range(start, start + SET):
        name = "".join(chance.choices("阿宁门店小雨李雷韩梅云山青禾春生子涵", k=chance.randrange(2, 5)))
        contact = ExternalContact(
            f"wmBench{number:025}", name, 1, number % 3, f"https://wx.qlogo.cn/mmhead/{number}/0", f"o{number:027}"
        )
        tags = [f"t{tag}" for tag in chance.sample(range(200), 4)]
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(30_000_000))
        remark = f"{name}-{number % 97}" if number % 2 else ""
        made.append(
            (
                contact,
                FollowInfo(f"s{number % 100}", remark, "", at, 1, "q1", contact.external_userid, tags, [], [], ""),
            )
        )
    return made


def write(bulk: Any, batch: list[tuple[Any, Any]]) -> None:
    from django.db import transaction

    from tenants.db import commit_asynchronously

    told = bulk.Told()
    for contact, follow in batch:
        told.add_contact(contact)
        told.add_listed(contact.external_userid, follow)
    with transaction.atomic():
        commit_asynchronously()  # as the sync does
        bulk.write_told(told, at=datetime.now(UTC), source="sync")


def copy_bare(connection: Any, batch: list[tuple[Any, Any]]) -> tuple[float, float]:
    """Seconds, and how many of them were the commit."""
    from django.db import transaction

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM contacts_customer WHERE external_userid = ANY(%s)",
            [[contact.external_userid for contact, _ in batch]],
        )
        ids = [row[0] for row in cursor.fetchall()]
        rows = {}
        for table, which in TABLES.items():
            rows[table] = io.BytesIO()
            query = cursor.mogrify(f"COPY (SELECT * FROM {table} WHERE {which}) TO STDOUT", [ids])
            cursor.copy_expert(query, rows[table])
            rows[table].seek(0)
        begun = time.perf_counter()
        with transaction.atomic():
            for table, content in rows.items():
                cursor.copy_expert(f"COPY bare.{table} FROM STDIN", content)
            written = time.perf_counter()
        end = time.perf_counter()
        return end - begun, end - written


def timed(act: Any, *given: Any) -> float:
    begun = time.perf_counter()
    act(*given)
    return time.perf_counter() - begun


# -- over HTTP -------------------------------------------------------------------------------------------------------


def whole(url: str) -> dict[str, Any]:
    import requests

    from contacts.jobs import run_now
    from tenants.jobs import JOB_KINDS

    corp = requests.get(f"{url}/_sandbox/corps", timeout=30).json()
    corp = corp["corps"][0] if isinstance(corp, dict) else corp[0]
    company("whole", corp["corp_id"], corp["agent_id"], corp["secret"], corp["contact_secret"])
    if "sync" not in JOB_KINDS:
        raise RuntimeError("the job is not wired")
    run_now("whole", "sync", {"only": "staff"})
    run_now("whole", "sync", {"only": "tags"})
    before = memory()
    first = run_now("whole", "sync", {"only": "customers"})
    again = run_now("whole", "sync", {"only": "customers"})
    number = first["counts"]["follows_new"]
    return {
        "first": number / first["seconds"],
        "again": number / again["seconds"],
        "note": f"{number} friendships in {first['seconds']} s, unchanged in {again['seconds']} s",
        "memory": memory(),
        "memory_note": f"{before:.0f} MB before the customers",
    }


def memory() -> float:
    """The most this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


if __name__ == "__main__":
    main()
