"""Rows go to Postgres in sets: copied into a temporary table first, then moved by one statement."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any

from tenants.db import connection

_ESCAPED = str.maketrans({"\x00": None, "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def stage(cursor: Any, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> None:
    """Fill the session's temporary table `table`; it is empty again after the transaction.

    The table belongs to the connection and not to a tenant: every transaction fills it anew before reading it.
    """
    definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    cursor.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {table} ({definition}) ON COMMIT DELETE ROWS; DELETE FROM pg_temp.{table}"  # noqa: S608
    )
    copy(cursor, f"pg_temp.{table}", columns, rows)


def copy(cursor: Any, table: str, columns: Iterable[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows that are known to be new need no staging."""
    text = "".join(["\t".join(row) + "\n" for row in zip(*map(_column, zip(*rows, strict=True)), strict=True)])
    if not text:
        return
    command = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    cursor.copy_expert(command, io.BytesIO(text.encode("utf-8", "replace")))


def one_writer(cursor: Any, subject: str) -> None:
    """Wait until no other transaction of this tenant writes `subject` in sets; held to the end of the transaction.

    Sets that overlap would wait for each other's rows in different order and deadlock.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", [subject, connection.schema_name])


def new_ids(cursor: Any, table: str, count: int) -> list[int]:
    """Ids for rows that are still to be inserted, so that rows pointing at them can be made in the same pass."""
    if not count:
        return []
    cursor.execute(
        "WITH s AS MATERIALIZED (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS id)"
        " SELECT nextval(s.id) FROM s, generate_series(1, %s)",
        [f'"{connection.schema_name}"."{table}"', count],
    )
    return [row[0] for row in cursor.fetchall()]


def _column(values: Sequence[Any]) -> Iterable[str]:
    """A column's values are mostly of one kind: looked at together they cost a fifth of one by one."""
    kinds = set(map(type, values))
    if all(issubclass(kind, str) for kind in kinds):
        return values if _is_plain("".join(values)) else map(_field, values)
    one_kind = kinds.pop() if len(kinds) == 1 else object
    return map(_FIELD_OF.get(one_kind, _field), values)


def _is_plain(text: str) -> bool:
    """What COPY wants escaped is not printable, but for the backslash."""
    return text.isprintable() and "\\" not in text


def _field(value: object) -> str:
    if isinstance(value, str):
        return value if _is_plain(value) else value.translate(_ESCAPED)
    if value is None:
        return "\\N"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return "\\\\x" + bytes(value).hex()
    if isinstance(value, list):
        return _array(value)
    return str(value)


def _array(value: list[Any]) -> str:
    """Of numbers, or of texts, which are quoted for the array and then for COPY."""
    if value and isinstance(value[0], str):
        texts = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in value]
        return "{" + ",".join(map(_field, texts)) + "}"
    return "{" + str(value)[1:-1] + "}"


_FIELD_OF: dict[type, Callable[[Any], str]] = {
    bool: str,
    int: str,
    datetime: datetime.isoformat,
    list: _array,
    NoneType: lambda _: "\\N",
}
