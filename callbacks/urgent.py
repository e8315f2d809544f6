"""What must happen within WeCom's 20 seconds: beside the ordinary handling, before it and without waiting for it."""

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection, transaction

from callbacks.stored import Row, event_of
from tenants.events import URGENT_HANDLERS
from tenants.models import Tenant

log = structlog.get_logger(__name__)

GIVE_UP_SECONDS = 60  # after the event: WeCom's code is long dead, the error is kept with the row

_NEXT = """
SELECT event_day, id, receiver_id, key_version, suspect, attempts, body,
       event_at < now() - make_interval(secs => %s) AS late
FROM public.callbacks_inbox
WHERE tenant_id = %s AND urgent AND id > %s ORDER BY id LIMIT 1 FOR UPDATE
"""
_CLEAR = """
UPDATE public.callbacks_inbox SET urgent = false, last_error = coalesce(nullif(%s, ''), last_error)
WHERE event_day = %s AND id = %s
"""


def drain_urgent(tenant_id: int) -> int:
    """Gives every urgent event to its handler once, each in its own transaction; how many were handled.

    A row that another worker holds is waited for: it is either cleared then, or still to be done.
    """
    tenant = Tenant.objects.filter(pk=tenant_id, status=Tenant.Status.ACTIVE).first()
    if tenant is None:
        return 0
    handled, last = 0, 0
    with tenant:
        while (step := _one(tenant_id, last)) is not None:
            last, done = step
            handled += done
    return handled


def _one(tenant_id: int, after: int) -> tuple[int, bool] | None:
    """The next urgent row: its id and whether it is cleared now. None when there is no other."""
    row: Row | None = None
    late = False
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_NEXT, [GIVE_UP_SECONDS, tenant_id, after])
                found = cursor.fetchone()
            if found is None:
                return None
            row, late = Row(*found[:-1]), found[-1]
            event = event_of(row)
            if handler := URGENT_HANDLERS.get(event.key):
                handler(event)
            _clear(row)
    except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        if row is None:
            raise
        log.error("urgent event failed", inbox_id=row.id, exc_info=error)
        if not late:
            return row.id, False  # the next wake-up tries again
        _clear(row, f"{type(error).__name__}: {error}".splitlines()[0].replace("\0", "")[:300])
    return row.id, True


def _clear(row: Row, text: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, [text, row.event_day, row.id])
