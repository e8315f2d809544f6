"""催办: WeCom reminds a staff member of a message not sent yet, at most three times in 24 hours."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from broadcasts.models import Broadcast, BroadcastSender
from tenants import outbox
from tenants.faults import words_for
from tenants.jobs import JobRun, start
from tenants.models import OutgoingCall

API = "externalcontact/remind_groupmsg_send"
JOB = PURPOSE = "broadcast_remind"
MOST, WITHIN = 3, timedelta(hours=24)
PAUSE = timedelta(minutes=10)  # two people who press the button mean one reminder
POSTED = 100
Step = BroadcastSender.State


def remindable(broadcast: Broadcast, now: datetime | None = None) -> QuerySet[BroadcastSender]:
    """Asked, not confirmed, and not reminded too often or just now."""
    now = now or timezone.now()
    rested = Q(reminded_at=None) | Q(reminded_at__lt=now - WITHIN) | Q(reminded__lt=MOST, reminded_at__lt=now - PAUSE)
    return BroadcastSender.objects.filter(rested, broadcast=broadcast, state=Step.CREATED, confirmed_at=None)


def remind_all(broadcast: Broadcast, *, by: str) -> int:
    """How many will be reminded; the calls are posted by a job."""
    count = remindable(broadcast).count()
    if count:
        start(JOB, by, {"broadcast": broadcast.pk, "by": by}, subject=str(broadcast.pk))
    return count


def work(run: JobRun) -> None:
    broadcast = Broadcast.objects.get(pk=run.params["broadcast"])
    run.save(total=remindable(broadcast).count(), done=0)
    while True:
        run.proceed()
        with transaction.atomic():
            count = remind(broadcast, remindable(broadcast).order_by("id"), by=str(run.params.get("by", "")))
            run.save(done=run.job.done + count)
        if not count:
            break


@transaction.atomic
def remind(broadcast: Broadcast, rows: QuerySet[BroadcastSender], *, by: str) -> int:
    """The first of these; each counts as reminded from now on."""
    if broadcast.state != Broadcast.State.SENDING:
        return 0
    now = timezone.now()
    senders = list(rows.select_for_update(skip_locked=True)[:POSTED])
    for sender in senders:
        fresh = sender.reminded_at is None or sender.reminded_at < now - WITHIN
        sender.reminded, sender.reminded_at = (1 if fresh else sender.reminded + 1), now
        outbox.post(
            API,
            {"msgid": sender.msgid},
            purpose=PURPOSE,
            idem_key=f"broadcast:{sender.pk}:remind:{now.timestamp():.3f}",
            subject=f"mass:{sender.staff_id}",
            context={"sender": sender.pk},
            by=by,
        )
    BroadcastSender.objects.bulk_update(senders, ["reminded", "reminded_at"])
    return len(senders)


def reminded(call: OutgoingCall) -> None:
    """A reminder that WeCom refused says so at the sender."""
    if call.state == OutgoingCall.State.OK:
        return
    why: dict[str, Any] = {"why": words_for(call.result_code).cause}
    BroadcastSender.objects.filter(pk=call.context["sender"], confirmed_at=None).update(
        reason=(_("没有提醒：%(why)s") % why)[:200]
    )
