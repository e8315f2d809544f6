"""Wake-ups by name of a tenant and a lane. What is to be done stands in the inbox."""

from celery import shared_task

from callbacks import inbox
from callbacks.wake import URGENT
from tenants.current import current_tenant


@shared_task
def drain(lane: int) -> int:
    return inbox.work(current_tenant(), str(lane))


@shared_task
def drain_urgent() -> int:
    return inbox.work(current_tenant(), URGENT)
