"""Handles a tenant's events: a batch of a lane at a time, in order, all effects in the transaction that marks them."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction

from callbacks.forward import hand_over
from callbacks.stored import Item, Row, Unopened, due, mark_done, mark_failed
from tenants.db import ASYNCHRONOUSLY
from tenants.events import EVENT_OWNERS, PLATFORM_OWNERS, Owner, Reading
from tenants.isolation import current_schema
from tenants.locks import alone_with
from tenants.models import Tenant
from tenants.recycling import PUBLIC
from wecom.errors import WeComError
from wecom.vocabulary import SUITE_EVENTS

log = structlog.get_logger(__name__)

BATCH = 200  # events in one transaction
LOOK = 5 * BATCH  # rows taken from the inbox at once: planning that query takes longer than running it
UNHANDLED = "no handler"
LOCK_SPACE = 0x4C414E45  # "LANE"
CONFLICTS = {"40001", "40P01"}  # serialization failure, deadlock: the same once more is right
MAX_CONFLICTS = 3


def drain(tenant_id: int, lane: int, *, seconds: float = float("inf")) -> int:
    """Handles what is due in a lane, until nothing is left or the time is up; how many rows were looked at.

    Two workers never share a lane: a lock of the session gives the order, and falls with a worker that dies.
    """
    tenant = Tenant.objects.filter(pk=tenant_id, status=Tenant.Status.ACTIVE).first()
    if tenant is None:
        return 0
    handled = 0
    end = time.monotonic() + seconds
    with tenant:
        while True:
            with _lane(tenant_id, lane) as mine:
                while mine and (rows := due(tenant_id, lane, LOOK)):
                    after = [Unopened(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
                    while after:
                        batch = after.pop(0)
                        _handle(batch, after[0].begin if after else _nothing)
                        handled += len(batch.rows)
                        if time.monotonic() >= end:
                            return handled
                    if len(rows) < LOOK:
                        break
            # an event that came after the last look and whose wake-up met our lock would wait for the poller
            if not mine or not due(tenant_id, lane, 1):
                return handled


def _lane(tenant_id: int, lane: int) -> AbstractContextManager[bool]:
    return alone_with(LOCK_SPACE, f"{tenant_id}:{lane}")


def _nothing() -> None:
    """No set follows that could be read meanwhile."""


def _handle(batch: Unopened, meanwhile: Callable[[], None]) -> None:
    groups: dict[str, list[Item]] = {}
    unreadable: list[tuple[Row, Exception]] = []
    for row, event in zip(batch.rows, batch.events(), strict=True):
        if isinstance(event, Exception):
            unreadable.append((row, event))
        else:
            groups.setdefault(event.name, []).append(Item(row, event))
    if unreadable:
        mark_failed(unreadable)
    platform = current_schema() == PUBLIC
    owners = PLATFORM_OWNERS if platform else EVENT_OWNERS
    for name, items in groups.items():
        owner = owners.get(name)
        if platform and name not in SUITE_EVENTS:
            hand_over(items)
        elif owner is None:
            mark_done(items, UNHANDLED)
        else:
            _handle_owned(owner, items, meanwhile)


def _handle_owned(owner: Owner, items: Sequence[Item], meanwhile: Callable[[], None]) -> None:
    """Reads from WeCom, then applies. Whatever fails for one event is found by halves, and the others go through.
    `meanwhile` is called before a commit."""
    try:
        reading = owner.read([item.event for item in items]) if owner.read else Reading()
    except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise  # the database is away, or our time is up: nothing is wrong with the events
    except WeComError as error:
        mark_failed([(item.row, error) for item in items])
        return
    except Exception as error:  # noqa: BLE001  whatever a handler does wrong
        if len(items) > 1:
            for half in _halves(items):
                _handle_owned(owner, half, meanwhile)
        else:
            _poison(items[0], error)
        return
    if errors := reading.errors:
        mark_failed([(item.row, errors[key]) for item in items if (key := item.event.order_key) in errors])
        items = [item for item in items if item.event.order_key not in errors]
    if items:
        _apply(owner, items, reading, meanwhile)


def _apply(
    owner: Owner, items: Sequence[Item], reading: Reading, meanwhile: Callable[[], None], conflicts: int = 0
) -> None:
    try:
        with transaction.atomic():
            taken = mark_done(items, before=ASYNCHRONOUSLY)
            if taken:
                owner.apply([item.event for item in items if item.row.id in taken], reading)
            meanwhile()
    except (OperationalError, InterfaceError) as error:
        if getattr(error.__cause__, "pgcode", None) not in CONFLICTS or conflicts >= MAX_CONFLICTS:
            raise
        _apply(owner, items, reading, meanwhile, conflicts + 1)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001  whatever a handler does wrong
        if len(items) > 1:
            for half in _halves(items):
                _apply(owner, half, reading, meanwhile)
        else:
            _poison(items[0], error)


def _halves(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _poison(item: Item, error: Exception) -> None:
    log.error(
        "event failed", event_name=item.event.key, inbox_id=item.row.id, attempt=item.row.attempts, exc_info=error
    )
    mark_failed([(item.row, error)])
