"""A lock that lives as long as its connection: what a killed process held is free at once."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection


@contextmanager
def alone_with(space: int, name: str) -> Iterator[bool]:
    """True where nobody else holds `name` of `space`; never waits."""
    numbers = [space, zlib.crc32(name.encode()) - 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", numbers)
        row = cursor.fetchone()
    mine = bool(row and row[0])
    try:
        yield mine
    finally:
        if mine:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s, %s)", numbers)
            except (DatabaseError, InterfaceError):
                connection.close()
