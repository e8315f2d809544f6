"""催办: WeCom reminds a staff member of a message not sent yet, at most three times in 24 hours.

By a press of an operator, or by itself some hours after a member was asked: once a day, and not in quiet hours.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from broadcasts.models import Broadcast, BroadcastSender
from members import quiet
from tenants import due, outbox
from tenants.faults import words_for
from tenants.jobs import JobRun, start
from tenants.models import OutgoingCall

API = "externalcontact/remind_groupmsg_send"
JOB = PURPOSE = "broadcast_remind"
DUE = "broadcast.remind"
MOST, WITHIN = 3, timedelta(hours=24)
PAUSE = timedelta(minutes=10)  # two people who press the button mean one reminder
POSTED = 100
AGAIN = timedelta(hours=24)
TOGETHER = timedelta(minutes=10)
"""Staff are asked one after the other: so far apart are the looks at them."""
GIVEN_UP = timedelta(days=7)
"""So long after it was sent nobody is reminded of it by itself."""
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
    rows = forgotten if run.params.get("by_itself") else remindable
    run.save(total=rows(broadcast).count(), done=0)
    while True:
        run.proceed()
        with transaction.atomic():
            count = remind(broadcast, rows(broadcast).order_by("id"), by=str(run.params.get("by", "")))
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


# -- by itself ---------------------------------------------------------------------------------------------------------


def watch(broadcast: Broadcast) -> None:
    """Staff were asked just now: see after some hours who has not sent it."""
    if broadcast.remind_after:
        at = timezone.now() + timedelta(hours=broadcast.remind_after) + TOGETHER
        due.put(DUE, {broadcast.pk: quiet.awake(at, timezone.get_current_timezone())})


def forgotten(broadcast: Broadcast) -> QuerySet[BroadcastSender]:
    """Asked so many hours ago, not confirmed, and not reminded today."""
    now = timezone.now()
    since = now - timedelta(hours=broadcast.remind_after or 0)
    rested = Q(reminded_at=None) | Q(reminded_at__lte=now - AGAIN)
    return remindable(broadcast, now).filter(rested, created_at__lte=since)


def fall_due(refs: Iterable[int]) -> None:
    """The handler of the due index."""
    now, zone = timezone.now(), timezone.get_current_timezone()
    rows = Broadcast.objects.filter(pk__in=refs, state=Broadcast.State.SENDING).exclude(remind_after=None)
    for broadcast in rows:
        waiting = broadcast.senders.filter(state__in=[Step.PLANNED, Step.ASKED, Step.UNKNOWN, Step.CREATED])
        if not waiting.exists() or (broadcast.sent_at is not None and now - broadcast.sent_at > GIVEN_UP):
            continue
        if not quiet.is_quiet(now, zone) and forgotten(broadcast).exists():
            start(JOB, "schedule", {"broadcast": broadcast.pk, "by_itself": True}, subject=str(broadcast.pk))
        due.put(DUE, {broadcast.pk: _next_look(broadcast, now)})


def _next_look(broadcast: Broadcast, now: datetime) -> datetime:
    """When the first of those who have not sent it comes to be reminded, or reminded again."""
    pause = timedelta(hours=broadcast.remind_after or 0)
    asked = broadcast.senders.filter(state=Step.CREATED).values_list("created_at", "reminded_at")
    moments = [max(at + pause, (told or at) + AGAIN) if told else at + pause for at, told in asked if at is not None]
    later = [moment for moment in moments if moment > now]
    at = max(min(later, default=now + AGAIN), now + TOGETHER)
    return quiet.awake(at, timezone.get_current_timezone())
