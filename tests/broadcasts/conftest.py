"""A company of the imitation WeCom whose staff confirm mass messages when a test says so."""

from typing import Any

import pytest
from django.utils import timezone

from broadcasts import results, sending
from broadcasts.audience import reach_of
from broadcasts.models import Broadcast, BroadcastSender, Delivery
from contacts.models import Customer
from members.models import Staff
from tenants import breaker, outbox
from tenants.current import wecom_client
from tenants.jobs import run_to_end, start
from tenants.models import ApiBreaker, Job, OutgoingCall, Tenant
from tests import cast
from tests.browser import console  # noqa: F401
from tests.mirror import mirror_everything
from tests.people import add_operator
from tests.sandbox_server import Sandbox, sandbox, sandbox_process  # noqa: F401

CORP = f"corps/{cast.ACME.wecom.corp_id}"


class Office:
    """Sends broadcasts as an operator, the workers and the staff would, and asks WeCom what really happened."""

    def __init__(self, sandbox: Sandbox) -> None:  # noqa: F811
        self.sandbox = sandbox

    def draft(self, text: str = "周六店庆，全场九折", **values: Any) -> Broadcast:
        content = values.pop("content", {"text": text, "materials": []})
        return Broadcast.objects.create(**{"title": "店庆", "content": content, "created_by": "lin", **values})

    def send(self, broadcast: Broadcast, *, operator: Any = None) -> Broadcast:
        """From the button to the last call of the outbox."""
        sending.send(broadcast, by="lin", scope=reach_of(operator) if operator else None)
        return self.go_on(broadcast)

    def go_on(self, broadcast: Broadcast) -> Broadcast:
        job = Job.objects.filter(kind=sending.JOB, subject=str(broadcast.pk), state="queued").first()
        if job is not None:
            run_to_end(job)
        self.deliver()
        broadcast.refresh_from_db()
        return broadcast

    def deliver(self, rounds: int = 3) -> None:
        """The outbox, as if every wait were over."""
        for _ in range(rounds):
            waiting = OutgoingCall.objects.filter(state__in=["pending", "unknown"])
            waiting.update(due_at=timezone.now(), leased_until=None)
            ApiBreaker.objects.all().delete()
            breaker._seen.forget_all()
            outbox.deliver_due(urgent=False)

    def confirm(self, *, everybody: bool = True) -> None:
        """The staff press send."""
        for task in self.messages():
            for userid, size in task["tasks"].items():
                self.sandbox.act("staff_confirms", userid=userid, msgid=task["msgid"])
                assert size
                if not everybody:
                    return

    def look(self, broadcast: Broadcast) -> Broadcast:
        """The results are fetched, whatever their time."""
        broadcast.senders.exclude(poll_at=None).update(poll_at=timezone.now())
        run_to_end(start(results.JOB, "test", {"broadcast": broadcast.pk}, subject=str(broadcast.pk)))
        broadcast.refresh_from_db()
        return broadcast

    def messages(self) -> list[dict[str, Any]]:
        """The mass messages that WeCom really made."""
        return self.sandbox.effects("mass_message")

    def received(self) -> dict[str, Any]:
        return dict(self.sandbox.control("GET", f"{CORP}/received"))

    def habit(self, kind: str, **wish: Any) -> None:
        self.sandbox.act("mass_habit", kind=kind, **wish)


@pytest.fixture
def office(in_acme: Tenant, sandbox: Sandbox, clean_cache: None) -> Office:  # noqa: F811
    sandbox.control("PATCH", CORP, limits={"mass_dispatch_seconds": 0})
    mirror_everything()
    Staff.objects.filter(userid__in=wecom_client().follow_user_list()).update(can_follow=True)
    office = Office(sandbox)
    office.habit("by_hand")
    return office


@pytest.fixture
def boss(in_acme: Tenant) -> Any:
    return add_operator(in_acme, "boss")


def states(broadcast: Broadcast) -> dict[str, int]:
    """Senders by state."""
    found: dict[str, int] = {}
    for state in BroadcastSender.objects.filter(broadcast=broadcast).values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def outcomes(broadcast: Broadcast) -> dict[str, int]:
    """Receivers by what became of them."""
    found: dict[str, int] = {}
    for state in Delivery.objects.filter(sender__broadcast=broadcast).values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def name_of(pk: int) -> str:
    return Customer.objects.get(pk=pk).external_userid
