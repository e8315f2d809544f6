"""`python -m benchmarks.common.million SCHEMA --customers N --links M`: fills a company with customers and tag links.

Rows are made and stored by Postgres itself, without indexes and foreign keys, which are put back at the end: a million
customers, 1.2 million friendships and five million links take two minutes. Shares of tags fall as in real companies:
the first of a thousand stands on a third of the customers, the last on one in five hundred.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STAFF, DEPARTMENTS, TAGS, STAGES, CODES = 2000, 100, 1000, 5, 50
TABLES = ("contacts_customer", "contacts_follow", "contacts_followtag", "contacts_customerfacts")

_STAFF = """
INSERT INTO members_department (wecom_id, name, path, "order", parent_wecom_id)
SELECT n, 'd' || n, CASE WHEN n = 1 THEN ARRAY[1] ELSE ARRAY[1, n] END, 0, NULLIF(1, n)
FROM generate_series(1, %(departments)s) n;
INSERT INTO members_staff (userid, userid_key, name, pinyin, alias, position, avatar, status, can_follow, visible)
SELECT 's' || n, 's' || n, 's' || n, '', '', '', '', 1, true, true FROM generate_series(1, %(staff)s) n;
INSERT INTO members_staffdepartment (staff_id, department_id, is_leader)
SELECT s.id, d.id, false FROM members_staff s
JOIN members_department d ON d.wecom_id = 1 + substr(s.userid, 2)::int %% %(departments)s;
INSERT INTO contacts_stage (name, "order", outcome) SELECT 's' || n, n, 'open' FROM generate_series(1, %(stages)s) n;
INSERT INTO contacts_taggroup (wecom_id, name, "order") VALUES ('g', 'g', 0);
INSERT INTO contacts_tag (wecom_id, name, "order", group_id)
SELECT 't' || n, 't' || n, 0, (SELECT id FROM contacts_taggroup LIMIT 1) FROM generate_series(1, %(tags)s) n;
"""
_CUSTOMERS = """
INSERT INTO contacts_customer (id, external_userid, name, kind, gender, avatar, unionid, position, corp_name,
    stage_id, fields, search_text, active_follows, raw_hash)
SELECT n, 'wm' || lpad(n::text, 30, '0'), name, 1, n %% 3, 'https://wx.qlogo.cn/mmhead/' || n || '/0',
    'o' || lpad(n::text, 27, '0'), '', '', CASE WHEN n %% 4 > 0 THEN stages.first + n %% %(stages)s END,
    CASE WHEN n %% 3 = 0 THEN jsonb_build_object('city', 'c' || n %% 300, 'budget', n %% 1000) ELSE '{}' END,
    name, 1, ''
FROM generate_series(1, %(customers)s) n,
    LATERAL (SELECT '客户' || chr(19968 + n %% 997) || chr(19968 + abs(hashint4(n) / 2) %% 5000) AS name) named,
    LATERAL (SELECT min(id) AS first FROM contacts_stage) stages
"""
_FOLLOWS = """
INSERT INTO contacts_follow (customer_id, staff_id, remark, description, remark_corp_name, add_way, state, oper_userid,
    added_at, opened_at, half, ended_at, ended_by, deleted_by_customer_at, raw_hash)
SELECT customer, staff.first + seat, '', '', '', 1 + customer %% 16,
    CASE WHEN customer %% 5 = 0 THEN 'c' || customer %% %(codes)s ELSE '' END, '', at, at, false, ended,
    CASE WHEN ended IS NULL THEN '' ELSE 'customer' END, ended, ''
FROM (
    SELECT n AS customer, abs(hashint4(n) / 2) %% %(staff)s AS seat, n FROM generate_series(1, %(customers)s) n
    UNION ALL
    SELECT n * 5, (abs(hashint4(n * 5) / 2) + 977) %% %(staff)s, n FROM generate_series(1, %(customers)s / 5) n
) pairs, LATERAL (SELECT now() - random() * interval '900 days' * (n %% 7 + 1) / 7 AS at) told,
    LATERAL (SELECT CASE WHEN random() < 0.1 THEN at + (now() - at) * random() END AS ended) ends,
    LATERAL (SELECT min(id) AS first FROM members_staff) staff
ORDER BY at
"""
_LINKS = """
INSERT INTO contacts_followtag (follow_id, tag_id)
SELECT DISTINCT follow, tags.first + least(%(tags)s - 1, (%(tags)s * power(random(), 2.5))::int)
FROM (SELECT f.id AS follow FROM contacts_follow f, generate_series(1, %(each)s) WHERE f.ended_at IS NULL) pairs,
    LATERAL (SELECT min(id) AS first FROM contacts_tag) tags
"""
_SUMS = """
UPDATE contacts_customer c SET active_follows = d.living, first_added_at = d.first, last_added_at = d.last,
    lost_at = CASE WHEN d.living = 0 THEN d.ended END
FROM (SELECT customer_id, count(*) FILTER (WHERE ended_at IS NULL) AS living, min(added_at) AS first,
    max(added_at) AS last, max(ended_at) AS ended FROM contacts_follow GROUP BY customer_id) d
WHERE d.customer_id = c.id
"""
_FACTS = """
INSERT INTO contacts_customerfacts (customer_id, {columns}, last_message_at)
SELECT t.id, {columns}, CASE WHEN t.id %% 3 > 0 THEN now() - random() * interval '200 days' END FROM ({truth}) t
"""
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid = %s::regclass AND NOT i.indisprimary
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"""
_UNIQUE = """
SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s::regclass AND contype = 'u'
"""


def build(customers: int, links: int) -> None:
    """In the current company, which has no customers yet. Needs a superuser: foreign keys are not looked at."""
    from django.db import connection

    from contacts.bulk import facts

    given = {
        "customers": customers,
        "each": max(1, round(links / (customers * 1.2 * 0.9) * 1.13)),  # some are drawn twice
        "staff": STAFF,
        "departments": DEPARTMENTS,
        "tags": TAGS,
        "stages": STAGES,
        "codes": CODES,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(_STAFF, given)
        with without_indexes(cursor, TABLES):
            for statement in (_CUSTOMERS, _FOLLOWS, _LINKS, _SUMS):
                cursor.execute(statement, given)
            cursor.execute("CREATE INDEX million_follow ON contacts_follow (customer_id)")
            cursor.execute("CREATE INDEX million_link ON contacts_followtag (follow_id)")
            cursor.execute("ANALYZE contacts_customer, contacts_follow, contacts_followtag")
            columns = ", ".join(facts.COLUMNS)
            cursor.execute(_FACTS.format(columns=columns, truth=facts.TRUTH), given)
            cursor.execute("DROP INDEX million_follow, million_link")
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('contacts_customer', 'id'), max(id)) FROM contacts_customer"
        )
        cursor.execute("RESET session_replication_role; RESET maintenance_work_mem; RESET work_mem")
        cursor.execute(f"VACUUM ANALYZE {', '.join(TABLES)}, members_staff, contacts_tag")


@contextmanager
def without_indexes(cursor: Any, tables: tuple[str, ...]) -> Iterator[None]:
    again = []
    for table in tables:
        cursor.execute(_INDEXES, [table])
        for name, definition in cursor.fetchall():
            again.append(definition)
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute(_UNIQUE, [table])
        for name, definition in cursor.fetchall():
            again.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    for definition in again:
        cursor.execute(definition)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    parser = argparse.ArgumentParser(prog="benchmarks.common.million", description=__doc__)
    parser.add_argument("schema")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--links", type=int, default=5_000_000)
    options = parser.parse_args()
    import django

    django.setup()
    from tenants.models import Tenant

    begun = time.monotonic()
    with Tenant.objects.get(schema_name=options.schema):
        build(options.customers, options.links)
    print(f"{options.customers} customers in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
