"""Rows go to Postgres in sets: copied into a temporary table first, then moved by one statement."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from operator import is_
from typing import Any

from tenants.db import connection


def stage(cursor: Any, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> None:
    """Fill the session's temporary table `table`; it is empty again after the transaction.

    The table belongs to the connection and not to a tenant: every transaction fills it anew before reading it.
    """
    definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    made = f"CREATE TEMP TABLE IF NOT EXISTS {table} ({definition}) ON COMMIT DELETE ROWS; DELETE FROM pg_temp.{table}"  # noqa: S608
    if not _copied(cursor, f"pg_temp.{table}", columns, rows, first=f"{made}; "):  # all of it in one round trip
        cursor.execute(made)


def copy(cursor: Any, table: str, columns: Iterable[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows that are known to be new need no staging."""
    _copied(cursor, table, columns, rows)


def _copied(
    cursor: Any, table: str, columns: Iterable[str], rows: Iterable[Sequence[object]], *, first: str = ""
) -> bool:
    """Whether there was anything to copy. `first`: statements that travel with it."""
    lines = map("\t".join, zip(*map(_column, zip(*rows, strict=True)), strict=True))
    if not (text := "".join([line + "\n" for line in lines])):
        return False
    command = f"{first}COPY {table} ({', '.join(columns)}) FROM STDIN"
    cursor.copy_expert(command, io.BytesIO(text.encode("utf-8", "replace")))
    return True


def one_writer(cursor: Any, subject: str) -> None:
    """Wait until no other transaction of this tenant writes `subject` in sets; held to the end of the transaction.

    Sets that overlap would wait for each other's rows in different order and deadlock.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", [subject, connection.schema_name])


def new_ids(cursor: Any, table: str, count: int) -> list[int]:
    """Ids for rows that are still to be inserted, so that rows pointing at them can be made in the same pass."""
    return ids_for(cursor, {table: count})[table]


def ids_for(cursor: Any, counts: Mapping[str, int]) -> dict[str, list[int]]:
    """The same for several tables at once: so many of each."""
    ids: dict[str, list[int]] = {table: [] for table in counts}
    if not any(counts.values()):
        return ids
    cursor.execute(
        "WITH s AS MATERIALIZED (SELECT name, pg_get_serial_sequence(%s || quote_ident(name), 'id')::regclass AS id, n"
        " FROM unnest(%s::text[], %s::int[]) AS t(name, n))"
        " SELECT s.name, nextval(s.id) FROM s, generate_series(1, s.n)",
        [f'"{connection.schema_name}".', list(counts), list(counts.values())],
    )
    for table, pk in cursor.fetchall():
        ids[table].append(pk)
    return ids


def numbers(ids: Iterable[int]) -> str:
    """An array of ids as Postgres writes it: a long list goes number by number through the driver and the parser."""
    return "{" + ",".join(map(str, ids)) + "}"


def _column(values: Sequence[Any]) -> Iterable[str]:
    """A column's values are mostly of one kind, or all the same: looked at together they cost a fifth of one by one."""
    first = values[0]
    if first is values[-1] and all(map(is_, values, repeat(first))):
        return repeat(_field(first), len(values))
    kinds = set(map(type, values))
    if all(issubclass(kind, str) for kind in kinds):
        return _texts(values)
    if kinds == {list}:
        return _arrays(values)
    one_kind = kinds.pop() if len(kinds) == 1 else object
    return map(_FIELD_OF.get(one_kind, _field), values)


def _texts(values: Sequence[str]) -> Iterable[str]:
    if _is_plain("".join(values)):
        return values
    together = "\0".join(values)  # which Postgres knows no text to hold
    return map(_field, values) if together.count("\0") >= len(values) else _escaped(together).split("\0")


def _arrays(values: Sequence[list[Any]]) -> Iterable[str]:
    if set(map(type, chain.from_iterable(values))) <= {int}:
        return ["{" + numbers + "}" for numbers in str(list(values))[2:-2].split("], [")]
    return map(_array, values)


def _is_plain(text: str) -> bool:
    """What COPY wants escaped is not printable, but for the backslash."""
    return text.isprintable() and "\\" not in text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _field(value: object) -> str:
    if isinstance(value, str):
        return value if _is_plain(value) else _escaped(value.replace("\0", ""))
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
        if _is_plain(text := "".join(value)) and '"' not in text:
            return '{"' + '","'.join(value) + '"}'
        texts = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in value]
        return "{" + ",".join(map(_field, texts)) + "}"
    return "{" + str(value)[1:-1] + "}"


_FIELD_OF: dict[type, Callable[[Any], str]] = {
    bool: str,
    int: str,
    datetime: datetime.isoformat,
    bytes: lambda value: "\\\\x" + value.hex(),
}
