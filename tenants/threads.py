"""Several calls to WeCom at once, each in the tenant it was asked for."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from tenants.db import connection
from tenants.models import Tenant

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def side_by_side(
    work: Callable[[Item], Answer], items: Sequence[Item], *, width: int
) -> list[tuple[Item, Answer | Exception]]:
    """The answer to each item, or the exception it ended in. `width` items are under way at any time.

    Threads carry the tenant of the caller and give their database connection back at the end.
    """
    todo: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    done: list[tuple[Item, Answer | Exception]] = []
    if len(items) < 2 or width < 2:
        _empty(todo, work, done)
        return done
    tenant = connection.tenant
    threads = [
        threading.Thread(target=_in_tenant, args=(tenant, todo, work, done), daemon=True)
        for _ in range(min(width, len(items)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def _in_tenant(
    tenant: Tenant,
    todo: "queue.SimpleQueue[Item]",
    work: Callable[[Item], Answer],
    done: list[tuple[Item, Answer | Exception]],
) -> None:
    try:
        connection.set_tenant(tenant)
        _empty(todo, work, done)
    finally:
        connection.close()


def _empty(
    todo: "queue.SimpleQueue[Item]", work: Callable[[Item], Answer], done: list[tuple[Item, Answer | Exception]]
) -> None:
    while True:
        try:
            item = todo.get_nowait()
        except queue.Empty:
            return
        try:
            done.append((item, work(item)))
        except Exception as error:  # noqa: BLE001  the caller decides by its family
            done.append((item, error))
