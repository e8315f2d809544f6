"""The numbers of the home page, each within the data scope of the person who looks."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db.models import Max
from django.utils import timezone
from redis.exceptions import RedisError

from accounts.models import Operator
from contacts.models import Customer, Follow, GroupChat
from members.models import Staff
from members.scope import visible_staff
from tenants.models import Job, Receiver

KEPT_SECONDS = 60  # a number on the home page may be a minute old, and says so


@dataclass(frozen=True, slots=True)
class Overview:
    """`at` is when the numbers were counted. Each is counted as the list behind its tile filters."""

    customers: int
    friendships: int
    added_today: int
    lost_today: int
    groups: int
    staff: int
    at: datetime


def overview_for(operator: Operator) -> Overview:
    key = f"overview:{operator.pk}:{operator.scope}"
    try:
        found = cache.get(key)
    except RedisError:
        found = None
    if not isinstance(found, Overview):
        found = count(operator)
        with suppress(RedisError):  # counted anew the next time
            cache.set(key, found, KEPT_SECONDS)
    return found


def count(operator: Operator) -> Overview:
    today = timezone.localdate()
    customers = Customer.objects.visible_to(operator).exclude(first_added_at=None)
    staff = visible_staff(operator)
    return Overview(
        customers=customers.matching(state="friends").count(),
        friendships=Follow.objects.visible_to(operator).living().count(),
        added_today=customers.matching(added_from=today).count(),
        lost_today=customers.matching(lost_from=today).count(),
        groups=GroupChat.objects.visible_to(operator).filter(dismissed_at=None).count(),
        staff=(Staff.objects.all() if staff is None else staff).filter(left_at=None).count(),
        at=timezone.now(),
    )


def freshness(tenant_id: int) -> dict[str, Any]:
    """When WeCom told us something last, and when everything was compared last."""
    syncs = Job.objects.filter(tenant_id=tenant_id, kind="sync").order_by("-id")
    return {
        "last_event_at": Receiver.objects.filter(tenant_id=tenant_id).aggregate(at=Max("last_event_at"))["at"],
        "last_sync": syncs.filter(state=Job.State.DONE).first(),
        "open_sync": syncs.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING]).first(),
    }
