"""What became of a broadcast: asked of WeCom less and less often for 30 days, then it stands with its date."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from broadcasts.lookup import RESULTS, TASKS, pages
from broadcasts.models import Broadcast, BroadcastSender, Delivery
from broadcasts.signals import delivered
from contacts.bulk.timeline import Entry, write_timeline
from contacts.models import TimelineEntry
from tenants import due
from tenants.current import wecom_client
from tenants.faults import words_for
from tenants.jobs import JobRun, start
from tenants.models import Job, OutgoingCall
from tenants.staging import stage
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import WeComError, WeComRefused

logger = logging.getLogger(__name__)

Step, Result = BroadcastSender.State, Delivery.State
JOB, DUE = "broadcast_results", "broadcast.poll"
FIRST_LOOK = timedelta(seconds=10)  # WeCom hands the message out meanwhile (41063)
DECAY = (
    (timedelta(minutes=10), timedelta(minutes=1)),
    (timedelta(hours=2), timedelta(minutes=5)),
    (timedelta(days=1), timedelta(minutes=30)),
    (timedelta(days=3), timedelta(hours=3)),
    (timedelta(days=30), timedelta(days=1)),
)
"""Up to this age it is asked so often; a broadcast older than the last is frozen."""
AT_ONCE, SIDE_BY_SIDE = 40, 4
CONFIRMED = 2  # of a task (wecom-api.md 5.7)
STATES = {1: Result.SENT, 2: Result.NOT_FRIEND, 3: Result.AT_LIMIT}

_KEYS = {
    Broadcast.Kind.CUSTOMERS: ("contacts_customer", "external_userid"),
    Broadcast.Kind.GROUPS: ("contacts_groupchat", "chat_id"),
}
_APPLY = """
INSERT INTO broadcasts_delivery (sender_id, receiver, state, at)
SELECT DISTINCT ON (r.id) %s, r.id, told.state, told.at FROM pg_temp.stage_told told
JOIN {table} r ON r.{key} = told.key
WHERE r.id = ANY(%s)
ORDER BY r.id
ON CONFLICT (sender_id, receiver) DO UPDATE SET state = excluded.state, at = excluded.at
WHERE broadcasts_delivery.state <> 'sent' AND broadcasts_delivery.state <> excluded.state
RETURNING receiver, state, at
"""
_REST = """
INSERT INTO broadcasts_delivery (sender_id, receiver, state, at)
SELECT s.id, r.id, 'refused', %s FROM broadcasts_broadcastsender s CROSS JOIN LATERAL unnest(s.receivers) AS r (id)
JOIN {table} one ON one.id = r.id
WHERE s.id = %s AND NOT one.{key} = ANY(%s)
ON CONFLICT DO NOTHING
"""
_COUNT = """
UPDATE broadcasts_broadcastsender s SET sent = c.sent, not_friend = c.gone, at_limit = c.full_up, refused = c.refused
FROM (SELECT d.sender_id, count(*) FILTER (WHERE state = 'sent') AS sent,
        count(*) FILTER (WHERE state = 'not_friend') AS gone, count(*) FILTER (WHERE state = 'at_limit') AS full_up,
        count(*) FILTER (WHERE state = 'refused') AS refused
    FROM broadcasts_delivery d WHERE d.sender_id = ANY(%s) GROUP BY d.sender_id) c
WHERE c.sender_id = s.id
"""
_RECEIPTS = """
INSERT INTO broadcasts_receipts (kind, receiver, day, count)
SELECT %s, got.receiver, (got.at AT TIME ZONE %s)::date, count(*)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS got (receiver, at) GROUP BY 2, 3
ON CONFLICT (kind, receiver, day) DO UPDATE SET count = broadcasts_receipts.count + excluded.count,
    noted_at = statement_timestamp()
"""


# -- when --------------------------------------------------------------------------------------------------------------


def look_soon(pk: int) -> None:
    """Have the results of a broadcast looked up when its first sender is due."""
    due.put(DUE, {pk: timezone.now() + FIRST_LOOK})


def fall_due(refs: list[int]) -> None:
    """The handler of the due index. A job that runs by now may have had its last look: it is asked for again soon."""
    for pk in refs:
        if start(JOB, "schedule", {"broadcast": pk}, subject=str(pk)).state == Job.State.RUNNING:
            look_soon(pk)


def look_now(broadcast: Broadcast, *, by: str) -> None:
    """立即更新: somebody waits for the numbers."""
    broadcast.senders.exclude(msgid="").exclude(poll_at=None).update(poll_at=timezone.now())
    start(JOB, by, {"broadcast": broadcast.pk}, subject=str(broadcast.pk))


def next_look(since: datetime, now: datetime) -> datetime | None:
    age = now - since
    return next((now + pause for until, pause in DECAY if age < until), None)


# -- the job -----------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """One answer of WeCom about a sender's message."""

    confirmed_at: datetime | None
    rows: list[tuple[str, str, datetime | None]] | None  # None: not asked, as nobody got it yet
    everybody: list[str]  # who is in WeCom's list at all


def work(run: JobRun) -> None:
    pk = run.params["broadcast"]
    broadcast = Broadcast.objects.filter(pk=pk).first()
    if broadcast is None:
        return
    started = timezone.now()
    while senders := _due(pk, started):
        run.proceed()
        client = wecom_client(priority=OutgoingCall.Priority.SYNC)
        answers = side_by_side(partial(_ask, client, broadcast), senders, width=SIDE_BY_SIDE)
        for sender, answer in answers:
            if isinstance(answer, WeComError):
                _later(sender, answer)
            elif isinstance(answer, Exception):
                raise answer
            else:
                apply(broadcast, sender.pk, answer)
    Broadcast.objects.filter(pk=pk).update(polled_at=started)
    with transaction.atomic():
        if not end_if_over(pk):
            _put_next(pk)


def _due(pk: int, before: datetime) -> list[BroadcastSender]:
    rows = BroadcastSender.objects.filter(broadcast_id=pk, poll_at__lte=before).select_related("staff")
    return list(rows.order_by("poll_at", "id")[:AT_ONCE])


def _ask(client: WeComClient, broadcast: Broadcast, sender: BroadcastSender) -> Told:
    """The list of receivers is fetched once the member has sent, and at the first look: who is not in it is refused."""
    confirmed_at = sender.confirmed_at
    for task in pages(client, TASKS, {"msgid": sender.msgid, "limit": 1000}, "task_list"):
        if str(task.get("userid", "")).lower() == sender.staff.userid_key and task.get("status") == CONFIRMED:
            confirmed_at = moment_of(task.get("send_time")) or timezone.now()
    first = sender.created_at is not None and timezone.now() - sender.created_at < DECAY[0][0]
    if confirmed_at is None and sender.state != Step.STOPPED and not first:
        return Told(None, None, [])
    wish = {"msgid": sender.msgid, "userid": sender.staff.userid, "limit": 1000}
    name = "chat_id" if broadcast.kind == Broadcast.Kind.GROUPS else "external_userid"
    found = [row for row in pages(client, RESULTS, wish, "send_list") if row.get(name)]
    rows = [
        (str(row[name]), str(STATES[row["status"]]), moment_of(row.get("send_time")))
        for row in found
        if row.get("status") in STATES
    ]
    return Told(confirmed_at, rows, [str(row[name]) for row in found])


def moment_of(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) and seconds > 0 else None


def _later(sender: BroadcastSender, error: WeComError) -> None:
    """41063 and outages pass; a message that WeCom does not know any more is not asked for again."""
    now = timezone.now()
    if isinstance(error, WeComRefused):
        words = words_for(error.code)
        why = _("查不到发送结果：%(why)s（%(code)d）") % {"why": f"{words.cause}{words.fix}", "code": error.code}
        BroadcastSender.objects.filter(pk=sender.pk).update(poll_at=None, reason=why[:200])
        return
    pause = timedelta(seconds=30) if error.code == 41063 else timedelta(minutes=2)
    BroadcastSender.objects.filter(pk=sender.pk).update(poll_at=now + pause)
    logger.info("broadcast sender %s: asked again later: %s", sender.pk, error)


@transaction.atomic
def apply(broadcast: Broadcast, pk: int, told: Told) -> None:
    """The answer becomes rows, receipts, the timeline and what others hear, in one transaction; told twice, once."""
    sender = BroadcastSender.objects.select_for_update(of=("self",)).select_related("staff").get(pk=pk)
    now = timezone.now()
    if told.rows is not None:
        note_results(broadcast, sender, told.rows)
        _note_rest(broadcast, sender, told)
        count([sender.pk])
        sender.refresh_from_db()
    if told.confirmed_at is not None and sender.state in (Step.CREATED, Step.STOPPED):
        sender.confirmed_at = told.confirmed_at
        sender.state = Step.CONFIRMED
    open_ = sender.total - sender.sent - sender.not_friend - sender.at_limit - sender.refused
    over = open_ <= 0 or sender.state == Step.STOPPED
    sender.poll_at = None if over else next_look(sender.confirmed_at or sender.created_at or now, now)
    sender.save(update_fields=["state", "confirmed_at", "poll_at"])


def note_results(
    broadcast: Broadcast, sender: BroadcastSender, rows: Iterable[tuple[str, str, datetime | None]]
) -> list[int]:
    """Who newly got it."""
    table, key = _KEYS[Broadcast.Kind(broadcast.kind)]
    with connection.cursor() as cursor:
        stage(cursor, "stage_told", {"key": "text", "state": "text", "at": "timestamptz"}, rows)
        cursor.execute(_APPLY.format(table=table, key=key), [sender.pk, sender.receivers])
        changed = cursor.fetchall()
    got = {receiver: at or timezone.now() for receiver, state, at in changed if state == Result.SENT}
    if got:
        note_receipts(broadcast.kind, list(got.items()))
        _on_timeline(broadcast, sender, got)
        if broadcast.kind == Broadcast.Kind.CUSTOMERS:
            told = {"broadcast_id": broadcast.pk, "sender_id": sender.pk, "customer_ids": sorted(got)}
            delivered.send(Broadcast, **told, at=max(got.values()))
    return sorted(got)


def _note_rest(broadcast: Broadcast, sender: BroadcastSender, told: Told) -> None:
    """Whom WeCom does not list will not get it: of groups that is known once their owner has sent."""
    groups = broadcast.kind == Broadcast.Kind.GROUPS
    if groups and told.confirmed_at is None:
        return
    if not groups and not told.everybody:
        return
    table, key = _KEYS[Broadcast.Kind(broadcast.kind)]
    with connection.cursor() as cursor:
        cursor.execute(_REST.format(table=table, key=key), [timezone.now(), sender.pk, told.everybody])


def note_receipts(kind: str, got: Iterable[tuple[int, datetime]]) -> None:
    rows = sorted(got)
    if rows:
        values: list[Any] = [
            kind,
            timezone.get_current_timezone_name(),
            [who for who, _ in rows],
            [at for _, at in rows],
        ]
        with connection.cursor() as cursor:
            cursor.execute(_RECEIPTS, values)


def _on_timeline(broadcast: Broadcast, sender: BroadcastSender, got: Mapping[int, datetime]) -> None:
    column = "chat_id" if broadcast.kind == Broadcast.Kind.GROUPS else "customer_id"
    payload = {"broadcast": broadcast.pk, "title": broadcast.title}
    entries: list[Entry] = []
    for receiver, at in got.items():
        whose: dict[str, Any] = {column: receiver, "staff_id": sender.staff_id}
        key = f"broadcast:{sender.pk}:{receiver}"
        entries.append(Entry(key, TimelineEntry.Kind.BROADCAST_SENT, at, payload=payload, **whose))
    write_timeline(entries, source=TimelineEntry.Source.SYSTEM)


def note_refused(sender: BroadcastSender, keys: Iterable[Any]) -> None:
    """fail_list: whom WeCom did not take in, told with the answer to the call."""
    rows = [(str(key), str(Result.REFUSED), timezone.now()) for key in keys]
    if rows:
        note_results(sender.broadcast, sender, rows)
        count([sender.pk])


def note_not_friends(gone: Iterable[tuple[int, int]]) -> None:
    """(sender, receiver): who stopped being a friend between the plan and the call."""
    now = timezone.now()
    rows = [Delivery(sender_id=one, receiver=who, state=Result.NOT_FRIEND, at=now) for one, who in gone]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=5000)
    count(sorted({row.sender_id for row in rows}))


def count(senders: list[int]) -> None:
    if senders:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [senders])


# -- the end -----------------------------------------------------------------------------------------------------------


def end_if_over(pk: int, reason: str = "") -> bool:
    """Nobody is asked any more and no result is waited for: the numbers stand, with their date."""
    broadcast = Broadcast.objects.select_for_update(no_key=True).get(pk=pk)
    if broadcast.state not in (Broadcast.State.SENDING, Broadcast.State.STOPPED) or broadcast.ended_at is not None:
        return True
    asking = [Step.PLANNED, Step.ASKED, Step.UNKNOWN]
    if broadcast.senders.filter(state__in=asking).exists() or broadcast.senders.exclude(poll_at=None).exists():
        return False
    failed = not broadcast.senders.exclude(state=Step.FAILED).exists()
    broadcast.ended_at = timezone.now()
    if broadcast.state != Broadcast.State.STOPPED:
        broadcast.state = Broadcast.State.FAILED if failed else Broadcast.State.ENDED
        broadcast.reason = (reason or _first_reason(broadcast)) if failed else ""
    broadcast.save(update_fields=["state", "reason", "ended_at"])
    return True


def _first_reason(broadcast: Broadcast) -> str:
    return broadcast.senders.exclude(reason="").values_list("reason", flat=True).first() or ""


def _put_next(pk: int) -> None:
    first = BroadcastSender.objects.filter(broadcast_id=pk).exclude(poll_at=None).order_by("poll_at").first()
    at = first.poll_at if first is not None and first.poll_at is not None else timezone.now() + timedelta(hours=1)
    due.put(DUE, {pk: at})
