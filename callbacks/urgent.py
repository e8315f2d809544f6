"""What must happen within WeCom's 20 seconds: beside the ordinary handling, before it and without waiting for it."""

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection, transaction

from callbacks.stored import Row, event_of
from tenants.events import URGENT_HANDLERS
from tenants.locks import alone_with
from tenants.models import Tenant

log = structlog.get_logger(__name__)

GIVE_UP_SECONDS = 60  # after the event: WeCom's code is long dead, the error is kept with the row

LOCK_SPACE = 0x55524754  # "URGT"

_NEXT = """
SELECT event_day, id, receiver_id::text, key_version, suspect, attempts, body,
       event_at < now() - make_interval(secs => %s) AS late
FROM public.callbacks_inbox
WHERE tenant_id = %s AND urgent AND id > %s ORDER BY id LIMIT 1
"""
_CLEAR = """
UPDATE public.callbacks_inbox SET urgent = false, last_error = coalesce(nullif(%s, ''), last_error)
WHERE event_day = %s AND id = %s AND urgent
"""


def drain_urgent(tenant_id: int) -> int:
    """Gives every urgent event to its handler once, each in its own transaction; how many were handled.

    A row that another worker has in hand is left to it; if that fails, the poller finds the row again.
    """
    tenant = Tenant.objects.filter(pk=tenant_id, status=Tenant.Status.ACTIVE).first()
    if tenant is None:
        return 0
    handled, last = 0, 0
    with tenant:
        while (found := _next(tenant_id, last)) is not None:
            row, late = found
            last = row.id
            with alone_with(LOCK_SPACE, str(row.id)) as mine:
                handled += mine and _handle(row, late)
    return handled


def _next(tenant_id: int, after: int) -> tuple[Row, bool] | None:
    """The next urgent row, and whether its time is over."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [GIVE_UP_SECONDS, tenant_id, after])
        found = cursor.fetchone()
    return found and (Row(*found[:-1]), found[-1])


def _handle(row: Row, late: bool) -> bool:
    """Whether it was given to its handler now, and is cleared."""
    try:
        event = event_of(row)
        owner = URGENT_HANDLERS.get(event.key)
        reading = owner.read(event) if owner else None
        with transaction.atomic():
            if not _clear(row):
                return False  # by somebody else while this one was reading
            if owner:
                owner.apply(event, reading)
    except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        log.error("urgent event failed", inbox_id=row.id, exc_info=error)
        if not late:
            return False  # the next wake-up tries again
        _clear(row, f"{type(error).__name__}: {error}".splitlines()[0].replace("\0", "")[:300])
    return True


def _clear(row: Row, text: str = "") -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, [text, row.event_day, row.id])
        return bool(cursor.rowcount)
