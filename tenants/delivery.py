"""The tasks that send outgoing calls. A message only wakes: it names a tenant and a lane, and is void after seconds."""

import threading
from typing import Any

from celery import shared_task
from django.conf import settings

from tenants.current import current_tenant
from tenants.sending import BULK, INTERACTIVE, WELCOME, deliver

TURN = 50  # calls of one tenant before another has its turn; the poller calls again for the rest
TURN_SECONDS = 10.0

_interactive = threading.BoundedSemaphore(int(getattr(settings, "OUTBOX_INTERACTIVE_THREADS", 5)))


@shared_task(expires=5)
def deliver_welcome() -> None:
    """The welcome messages of a tenant."""
    deliver(current_tenant(), WELCOME, seconds=TURN_SECONDS)


@shared_task(expires=10)
def deliver_interactive() -> None:
    """What someone waits for. It shares the threads of the welcome lane and leaves some of them free."""
    if not _interactive.acquire(blocking=False):
        return
    try:
        deliver(current_tenant(), INTERACTIVE, limit=TURN, seconds=TURN_SECONDS)
    finally:
        _interactive.release()


@shared_task(expires=10)
def deliver_bulk() -> None:
    """Notices, sync and backfill."""
    deliver(current_tenant(), BULK, limit=TURN, seconds=TURN_SECONDS)


TASKS: dict[str, Any] = {"welcome": deliver_welcome, "interactive": deliver_interactive, "bulk": deliver_bulk}
