"""One look at a tenant's flow: what waits in the inbox and the outbox, and how fresh the mirror is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Max

from callbacks import inbox
from tenants.models import CorpApp, Job, OutgoingCall, Receiver

State = OutgoingCall.State

# the two halves are served by partial indexes
OUTBOX = """
SELECT state, count(*) FROM public.tenants_outgoingcall
WHERE tenant_id = %(tenant)s AND state IN ('pending', 'leased') GROUP BY state
UNION ALL
SELECT state, count(*) FROM public.tenants_outgoingcall
WHERE tenant_id = %(tenant)s AND state IN ('unknown', 'parked', 'dead', 'expired') GROUP BY state
"""


@dataclass(frozen=True, slots=True)
class OutboxHealth:
    pending: int
    unknown: int
    parked: int
    dead: int
    expired: int


@dataclass(frozen=True, slots=True)
class Health:
    inbox: inbox.Status
    outbox: OutboxHealth
    last_event_at: datetime | None
    last_sync_at: datetime | None
    token: str

    @property
    def trouble(self) -> int:
        """How many rows wait for a person. What expired is over: nobody can send it any more."""
        return self.events_in_trouble + self.calls_in_trouble

    @property
    def events_in_trouble(self) -> int:
        return self.inbox.dead + self.inbox.parked

    @property
    def calls_in_trouble(self) -> int:
        return self.outbox.unknown + self.outbox.parked + self.outbox.dead


def health_of(tenant_id: int) -> Health:
    received = inbox.status(tenant_id)
    app = CorpApp.objects.filter(tenant_id=tenant_id, is_main=True).first()
    synced = Job.objects.filter(tenant_id=tenant_id, kind="sync", state=Job.State.DONE)
    return Health(
        inbox=received,
        outbox=outbox_health(tenant_id),
        last_event_at=received.last_event_at,
        last_sync_at=synced.aggregate(at=Max("finished_at"))["at"],
        token=app.state if app else CorpApp.State.UNCHECKED,
    )


def last_heard(receivers: Sequence[Receiver]) -> Receiver | None:
    """Which of several addresses WeCom called last; one alone needs no name."""
    times = {receiver.last_event_at: receiver for receiver in receivers if receiver.last_event_at is not None}
    return times[max(times)] if len(receivers) > 1 and times else None


def outbox_health(tenant_id: int) -> OutboxHealth:
    with connection.cursor() as cursor:
        cursor.execute(OUTBOX, {"tenant": tenant_id})
        states: dict[str, int] = dict(cursor.fetchall())
    return OutboxHealth(
        pending=states.get(State.PENDING, 0) + states.get(State.LEASED, 0),
        unknown=states.get(State.UNKNOWN, 0),
        parked=states.get(State.PARKED, 0),
        dead=states.get(State.DEAD, 0),
        expired=states.get(State.EXPIRED, 0),
    )
