"""The one INSERT of the inbox, over a connection of its own: no Django, no tenant, one prepared statement."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
import structlog
from django.db import connections

from callbacks.record import Record

log = structlog.get_logger(__name__)

PREPARE = """
PREPARE inbox_insert (date[], text[], int[], uuid[], smallint[], text[], smallint[], bool[], bool[], float8[], float8[],
                      text[]) AS
INSERT INTO public.callbacks_inbox (event_day, dedupe_key, tenant_id, receiver_id, key_version, name, lane, urgent,
                                    suspect, event_at, received_at, body)
SELECT day, decode(dedupe, 'hex'), tenant, receiver, version, convert_from(decode(name, 'hex'), 'UTF8'), lane, urgent,
       suspect, to_timestamp(at), to_timestamp(received), decode(body, 'hex')
FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     AS r(day, dedupe, tenant, receiver, version, name, lane, urgent, suspect, at, received, body)
ON CONFLICT (event_day, dedupe_key) DO NOTHING
"""
# bounded, so that a database that hangs is left for the spool before the waiters give up
OPTIONS = (
    "-c statement_timeout=2000 -c lock_timeout=1500 -c synchronous_commit=on -c plan_cache_mode=force_generic_plan"
)


class Inserter:
    """Writes records, each batch one committed statement."""

    def __init__(self) -> None:
        self._connection: Any = None

    def insert(self, records: Sequence[Record]) -> list[Record]:
        """All of them, committed when this returns; what Postgres cannot hold as a row is returned, the rest is in."""
        try:
            self.execute(_statement(records))
        except psycopg2.DataError:
            if len(records) == 1:
                log.exception("a callback is no row")
                return list(records)
            half = len(records) // 2
            return self.insert(records[:half]) + self.insert(records[half:])
        return []

    def execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> None:
        """A connection that broke since the last time is replaced once."""
        kept = self._connection is not None
        try:
            self._execute(statement, parameters)
        except psycopg2.DataError:
            raise
        except psycopg2.Error:
            self.close()
            if not kept:
                raise
            try:
                self._execute(statement, parameters)
            except psycopg2.Error:
                self.close()
                raise

    def _execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] | None) -> None:
        if self._connection is None:
            self._connection = _connect()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except psycopg2.Error:
                log.debug("closing a broken connection", exc_info=True)


def _connect() -> Any:
    settings = connections.settings["default"]
    connection = psycopg2.connect(
        dbname=settings["NAME"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        host=settings["HOST"],
        port=settings["PORT"],
        connect_timeout=2,
        tcp_user_timeout=2_000,
        application_name="scrm-intake",
        options=OPTIONS,
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(PREPARE)
    return connection


def _statement(records: Sequence[Record]) -> str:
    """Written out, as the driver's quoting would cost more than all the rest. Nothing in it can need quotes: numbers,
    flags, days and ids of ours, and hex of what came from outside."""
    columns = (
        [r.event_day for r in records],
        [r.dedupe_key.hex() for r in records],
        [str(r.tenant_id) for r in records],
        [r.receiver_id for r in records],
        [str(r.key_version) for r in records],
        [r.name.encode().hex() for r in records],
        [str(r.lane) for r in records],
        ["t" if r.urgent else "f" for r in records],
        ["t" if r.suspect else "f" for r in records],
        [str(r.event_at) for r in records],
        [str(r.received_at) for r in records],
        [r.body.hex() for r in records],
    )
    arrays = ",".join(f"'{{{','.join(column)}}}'" for column in columns)
    return f"EXECUTE inbox_insert ({arrays})"
