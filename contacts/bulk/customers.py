"""Customer rows and what they sum up of their friendships: search text, living follows, first and last adding."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction

from contacts.bulk.facts import SUBJECT, refresh_facts
from contacts.bulk.told import Contact
from tenants.staging import new_ids, numbers, one_writer, stage

_COLUMNS = {
    "id": "bigint",
    "known": "boolean",
    "external_userid": "text",
    "name": "text",
    "kind": "smallint",
    "gender": "smallint",
    "avatar": "text",
    "unionid": "text",
    "position": "text",
    "corp_name": "text",
    "raw_hash": "bytea",
}
_SUMS = """
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE f.ended_at IS NULL) AS living,
        min(f.added_at) AS first_added_at, max(f.added_at) AS last_added_at,
        CASE WHEN count(*) FILTER (WHERE f.ended_at IS NULL) = 0 THEN max(f.ended_at) END AS lost_at,
        string_agg(concat_ws(E'\\n', NULLIF(f.remark, ''), NULLIF(f.remark_corp_name, '')), E'\\n' ORDER BY f.id)
            FILTER (WHERE f.remark <> '' OR f.remark_corp_name <> '') AS remarks
    FROM contacts_follow f WHERE f.customer_id = s.id
) d
"""
_INSERT = f"""
INSERT INTO contacts_customer (id, external_userid, name, kind, gender, avatar, unionid, position, corp_name,
    search_text, active_follows, first_added_at, last_added_at, lost_at, raw_hash, synced_at)
SELECT s.id, s.external_userid, COALESCE(s.name, ''), COALESCE(s.kind, 1), COALESCE(s.gender, 0),
    COALESCE(s.avatar, ''), COALESCE(s.unionid, ''), COALESCE(s.position, ''), COALESCE(s.corp_name, ''),
    concat_ws(E'\\n', NULLIF(s.name, ''), NULLIF(s.corp_name, ''), d.remarks), d.living, d.first_added_at,
    d.last_added_at, d.lost_at, COALESCE(s.raw_hash, ''), now()
FROM pg_temp.stage_customer s {_SUMS} WHERE NOT s.known ORDER BY s.id
"""
_UPDATE = f"""
UPDATE contacts_customer c SET
    name = COALESCE(s.name, c.name), kind = COALESCE(s.kind, c.kind), gender = COALESCE(s.gender, c.gender),
    avatar = COALESCE(s.avatar, c.avatar), unionid = COALESCE(s.unionid, c.unionid),
    position = COALESCE(s.position, c.position), corp_name = COALESCE(s.corp_name, c.corp_name),
    search_text = concat_ws(
        E'\\n', NULLIF(COALESCE(s.name, c.name), ''), NULLIF(COALESCE(s.corp_name, c.corp_name), ''), d.remarks),
    active_follows = d.living, first_added_at = d.first_added_at, last_added_at = d.last_added_at,
    lost_at = d.lost_at, raw_hash = COALESCE(s.raw_hash, c.raw_hash), updated_at = now(),
    synced_at = CASE WHEN s.raw_hash IS NULL THEN c.synced_at ELSE now() END
FROM pg_temp.stage_customer s {_SUMS} WHERE c.id = s.id AND s.known AND c.id = ANY(%s)
"""

_RECOGNISE = """
UPDATE contacts_groupmember m SET customer_id = s.id FROM unnest(%s::bigint[], %s::text[]) AS s(id, external_userid)
WHERE m.member_id = s.external_userid AND m.customer_id IS NULL AND m.kind = 2
"""


def known_customers(cursor: Any, external_userids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
    cursor.execute(
        "SELECT external_userid, id, raw_hash FROM contacts_customer WHERE external_userid = ANY(%s)",
        [list(external_userids)],
    )
    return {external_userid: (pk, bytes(raw_hash)) for external_userid, pk, raw_hash in cursor.fetchall()}


def write_customers(
    cursor: Any, touched: Mapping[str, int], known: Mapping[str, object], contacts: Mapping[str, Contact]
) -> None:
    """`touched`: ids by external_userid. Their follows are written already, in this transaction."""
    rows: list[tuple[Any, ...]] = []
    for external_userid, pk in touched.items():
        contact = contacts.get(external_userid)
        rest: tuple[object, ...] = contact[1:] if contact else (None,) * (len(_COLUMNS) - 3)
        rows.append((pk, external_userid in known, external_userid, *rest))
    stage(cursor, "stage_customer", _COLUMNS, rows)
    before = [row[0] for row in rows if row[1]]
    if len(before) < len(rows):
        cursor.execute(_INSERT)
        recognise(cursor, {row[2]: row[0] for row in rows if not row[1]})
    if before:
        cursor.execute(_UPDATE, [numbers(before)])
    refresh_facts(cursor, touched.values())


def recognise(cursor: Any, ids: Mapping[str, int]) -> None:
    """Members of group chats who were there before they became customers. `ids`: by external_userid."""
    cursor.execute(_RECOGNISE, [numbers(ids.values()), list(ids)])


def lock_customers() -> None:
    """To be taken, in a transaction, before one friendship is changed outside of a set and its customer refreshed."""
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)


@transaction.atomic(savepoint=False)
def known_as(external_userid: str) -> int:
    """Our id of a customer; one whose first event is still on its way gets a bare row, which the event will fill."""
    with connection.cursor() as cursor:
        found = known_customers(cursor, [external_userid])
        if not found:
            one_writer(cursor, SUBJECT)
            found = known_customers(cursor, [external_userid])
        if found:
            return found[external_userid][0]
        (pk,) = new_ids(cursor, "contacts_customer", 1)
        write_customers(cursor, {external_userid: pk}, {}, {})
    return pk


@transaction.atomic(savepoint=False)
def refresh_customers(ids: Iterable[int]) -> None:
    """Sum up again what customers take from their follows, after a change of these alone."""
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        cursor.execute("SELECT external_userid, id FROM contacts_customer WHERE id = ANY(%s)", [list(ids)])
        touched = dict(cursor.fetchall())
        if touched:
            write_customers(cursor, touched, touched, {})
