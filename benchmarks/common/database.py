"""Time spent in the database by whatever is called, and by hand-written SQL beside it, by turns."""

import time
from collections.abc import Callable, Sequence
from typing import Any


def seconds_in_database(act: Callable[[], Any]) -> float:
    """Of all statements of the call together, with the transfer of their rows."""
    from django.db import connection

    spent = 0.0

    def timing(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal spent
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            spent += time.perf_counter() - begun

    with connection.execute_wrapper(timing):
        act()
    return spent


def fetched(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        return list(cursor.fetchall())


def by_turns(ours: Callable[[], Any], bare: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """The best of each: what disturbs a shared machine only ever adds."""
    ours(), bare()
    found = [(seconds_in_database(ours), seconds_in_database(bare)) for _ in range(rounds)]
    return min(one for one, _other in found), min(other for _one, other in found)
