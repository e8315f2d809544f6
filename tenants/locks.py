"""A lock that lives as long as its connection: what a killed process held is free at once."""

import time
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


@contextmanager
def in_turn(space: int, name: str, *, seconds: float) -> Iterator[None]:
    """Waits for whoever holds `name`; TimeoutError when that is too long. Asked for again and again rather than waited
    for: a wait inside the database would outlive a broken network."""
    end, pause = time.monotonic() + seconds, 0.02
    while True:
        with alone_with(space, name) as mine:
            if mine:
                yield
                return
        if time.monotonic() > end:
            raise TimeoutError(name)
        time.sleep(pause)
        pause = min(pause * 2, 0.25)
