"""A broadcast on its way: sent or put off, planned, and each staff member's call posted to the outbox."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from broadcasts import audience, reminders, results
from broadcasts.models import Broadcast, BroadcastSender
from broadcasts.origins import refuse_second
from broadcasts.planning import plan
from content import messages
from content.messages import MediaNotReady
from tenants import due, outbox
from tenants.faults import words_for
from tenants.jobs import JobRun, start
from tenants.models import Job, OutgoingCall
from wecom.errors import WeComUnavailable

State, Kind = Broadcast.State, Broadcast.Kind
Step = BroadcastSender.State
API = "externalcontact/add_msg_template"
CANCEL = "externalcontact/cancel_groupmsg_send"
JOB, DUE = "broadcast", "broadcast.send"
PURPOSE = "broadcast"
LOOKED_AFTER = timedelta(seconds=20)
POSTED = 40  # calls in one transaction
MEDIA_TRIES = 20  # some seconds apart: a file that does not lie at WeCom after minutes is refused there
USES = {Kind.CUSTOMERS: "mass", Kind.GROUPS: "group_mass"}
_RECEIVERS = """
SELECT s.id, array_agg({key} ORDER BY c.id) FILTER (WHERE {still}), array_agg(c.id) FILTER (WHERE NOT {still})
FROM broadcasts_broadcastsender s CROSS JOIN LATERAL unnest(s.receivers) AS r (id)
JOIN {table} c ON c.id = r.id {tie}
WHERE s.id = ANY(%s) GROUP BY s.id
"""
_FRIENDS = _RECEIVERS.format(
    key="c.external_userid",
    still="(tie.id IS NOT NULL)",
    table="contacts_customer",
    tie="LEFT JOIN contacts_follow tie ON tie.customer_id = c.id AND tie.staff_id = s.staff_id"
    " AND tie.ended_at IS NULL AND NOT tie.half",
)
_CHATS = _RECEIVERS.format(
    key="c.chat_id",
    still="(c.dismissed_at IS NULL AND c.owner_id IS NOT DISTINCT FROM s.staff_id)",
    table="contacts_groupchat",
    tie="",
)


def use_of(broadcast: Broadcast) -> str:
    return USES[Kind(broadcast.kind)]


@transaction.atomic
def keep_draft(broadcast: Broadcast) -> bool:
    """Store a draft, new or changed; False when it was sent meanwhile, of which nothing is overwritten."""
    if broadcast.pk is not None and not _is_draft(broadcast.pk):
        return False
    broadcast.save()
    messages.want(broadcast.content)
    return True


@transaction.atomic
def drop_draft(broadcast: Broadcast) -> bool:
    """False when it was sent meanwhile."""
    if not _is_draft(broadcast.pk):
        return False
    broadcast.delete()
    return True


def _is_draft(pk: int) -> bool:
    """Who sends it waits until the caller's transaction is over."""
    return Broadcast.objects.select_for_update(no_key=True).filter(pk=pk, state=State.DRAFT).exists()


@transaction.atomic
def send(broadcast: Broadcast, *, by: str, scope: list[int] | None, promised: dict[str, Any] | None = None) -> None:
    """Now, or at its `send_at`. Raises ValidationError in words; sent twice, it goes once."""
    row = Broadcast.objects.select_for_update(no_key=True).get(pk=broadcast.pk)
    if row.state != State.DRAFT:
        raise ValidationError(_("这条群发已经提交，不能再次发送"))
    row.content = messages.clean(row.content, use=use_of(row))
    if row.segment is not None and row.segment.archived_at is not None:
        raise ValidationError(_("所选人群包已被删除，请重新选择受众"))
    refuse_second(row)
    row.tree, row.scope_staff_ids = audience.tree_of(row), scope
    row.preflight = promised or audience.preflight(row).kept
    now = timezone.now()
    row.created_by = row.created_by or by
    later = row.send_at is not None and row.send_at > now
    row.state = State.SCHEDULED if later else State.PLANNING
    row.sent_at = None if later else now
    row.save()
    messages.want(row.content)
    if later and row.send_at is not None:
        due.put(DUE, {row.pk: row.send_at})
    else:
        start(JOB, by, {"broadcast": row.pk}, subject=str(row.pk))
    broadcast.refresh_from_db()


def fall_due(refs: list[int]) -> None:
    """The time has come: `tenants.due` calls it in the transaction that takes its rows away. Or some of the staff are
    to be asked again, and the job was just ending when that was said."""
    rows = Broadcast.objects.filter(pk__in=refs, state__in=[State.SCHEDULED, State.SENDING])
    for row in rows.select_for_update(no_key=True, of=("self",)):
        if row.state == State.SENDING:
            ask_planned(row, by="schedule")
            continue
        if row.send_at is not None and row.send_at > timezone.now():  # put off while its row was being taken
            due.put(DUE, {row.pk: row.send_at})
            continue
        row.tree, row.sent_at, row.state = audience.tree_of(row), timezone.now(), State.PLANNING
        row.save(update_fields=["tree", "sent_at", "state"])
        if why := _spoiled(row):
            row.state, row.ended_at, row.reason = State.FAILED, row.sent_at, why[:200]
            row.save(update_fields=["state", "ended_at", "reason"])
            continue
        start(JOB, row.created_by, {"broadcast": row.pk}, subject=str(row.pk))


def _spoiled(broadcast: Broadcast) -> str:
    """Why what waited for its time is no longer what was confirmed, such as a picture that was deleted meanwhile."""
    try:
        messages.clean(broadcast.content, use=use_of(broadcast))
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


@transaction.atomic
def unschedule(broadcast: Broadcast) -> bool:
    """Back to a draft; False when it went out meanwhile."""
    due.drop(DUE, [broadcast.pk])
    back = {"state": State.DRAFT, "sent_at": None}
    return bool(Broadcast.objects.filter(pk=broadcast.pk, state=State.SCHEDULED).update(**back))


# -- the job -----------------------------------------------------------------------------------------------------------


def work(run: JobRun) -> None:
    """Plan, then post call after call. Killed anywhere it goes on: a sender is posted once, with its new state."""
    broadcast = Broadcast.objects.get(pk=run.params["broadcast"])
    run.save(stage="broadcast_plan")
    total = plan(broadcast)
    if broadcast.state != State.SENDING:
        return
    done = total - broadcast.senders.filter(state=Step.PLANNED).count()
    run.save(stage="broadcast_ask", total=total, done=done)
    while True:
        run.proceed()
        try:
            with transaction.atomic():
                posted = post_some(broadcast.pk)
                done += posted
                run.save(done=done)
        except MediaNotReady as wait:
            _wait_for_files(broadcast, run, wait)
            posted = 0
        if not posted:
            break
    results.look_soon(broadcast.pk)
    reminders.watch(broadcast)


def _wait_for_files(broadcast: Broadcast, run: JobRun, wait: MediaNotReady) -> None:
    """The files are on their way to WeCom: the job comes back by the schedule of retries."""
    messages.want(broadcast.content)  # the wish in the transaction was taken back with it
    tries = run.checkpoint.get("file_tries", 0) + 1
    if tries <= MEDIA_TRIES:
        run.save({"file_tries": tries})
        raise WeComUnavailable(0, f"files are being uploaded: {wait.reason}", "media/upload") from wait
    reason = _("附件没有上传到企业微信：%(reason)s") % {"reason": wait.reason or _("请稍后重试")}
    fail(broadcast.pk, reason[:200])


@transaction.atomic
def fail(pk: int, reason: str) -> None:
    """What was not posted yet is not posted; the rest goes on."""
    senders = BroadcastSender.objects.filter(broadcast_id=pk, state=Step.PLANNED)
    senders.update(state=Step.FAILED, reason=reason)
    results.end_if_over(pk, reason)


def post_some(pk: int) -> int:
    """Post the next senders' calls, in the caller's transaction; how many senders were dealt with."""
    senders = list(
        BroadcastSender.objects.filter(broadcast_id=pk, state=Step.PLANNED)
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("staff")
        .order_by("id")[:POSTED]
    )
    broadcast = Broadcast.objects.get(pk=pk)  # read after the locks: who stops it waits for them
    if not senders or broadcast.state != State.SENDING:
        return 0
    found = {row.sender: row for row in receivers_of(broadcast, [one.pk for one in senders])}
    gone: list[tuple[int, int]] = []
    for sender in senders:
        who = found.get(sender.pk, Receivers(sender.pk, [], []))
        gone += [(sender.pk, receiver) for receiver in who.gone]
        if why := audience.why_unable(sender.staff):
            sender.state, sender.reason = Step.FAILED, _("%(why)s，没有通知") % {"why": why}
        elif not who.keys:
            sender.state, sender.reason = Step.FAILED, _("客户在发送前都已不是好友，没有通知")
        else:
            sender.state = Step.ASKED
            post(broadcast, sender, who.keys)
    BroadcastSender.objects.bulk_update(senders, ["state", "reason"])
    results.note_not_friends(gone)
    return len(senders)


class Receivers(NamedTuple):
    sender: int
    keys: list[str]
    gone: list[int]


def receivers_of(broadcast: Broadcast, senders: Iterable[int]) -> list[Receivers]:
    """Whom the call is about, as WeCom names them, and who stopped being a friend since the plan."""
    with connection.cursor() as cursor:
        cursor.execute(_CHATS if broadcast.kind == Kind.GROUPS else _FRIENDS, [list(senders)])
        return [Receivers(sender, keys or [], gone or []) for sender, keys, gone in cursor.fetchall()]


def post(broadcast: Broadcast, sender: BroadcastSender, keys: list[str]) -> OutgoingCall:
    """Calls of one staff member go one after the other: an answer that was lost can be told from the next call."""
    body = messages.wecom_body(broadcast.content, use=use_of(broadcast), staff=sender.staff)
    groups = broadcast.kind == Kind.GROUPS
    body |= {"chat_type": "group", "chat_id_list": keys} if groups else {"chat_type": "single", "external_userid": keys}
    return outbox.post(
        API,
        {**body, "sender": sender.staff.userid},
        purpose=PURPOSE,
        idem_key=key_of(sender.pk),
        subject=f"mass:{sender.staff_id}",
        priority=OutgoingCall.Priority.NOTICE,
        context={"broadcast": broadcast.pk, "sender": sender.pk},
        by=broadcast.created_by,
    )


def key_of(sender: int) -> str:
    return f"broadcast:{sender}"


# -- what WeCom said ---------------------------------------------------------------------------------------------------


def asked(call: OutgoingCall) -> None:
    """The outcome of a sender's call, in the transaction that records it."""
    sender = BroadcastSender.objects.select_for_update().filter(pk=call.context["sender"]).first()
    if sender is None or sender.msgid:
        return
    state = Broadcast.objects.values_list("state", flat=True).get(pk=sender.broadcast_id)  # after the lock
    stopped = state == State.STOPPED
    msgid = (call.result or {}).get("msgid") if call.state == OutgoingCall.State.OK else None
    if msgid:
        sender.state, sender.msgid, sender.reason = Step.CREATED, str(msgid), ""
        sender.created_at = timezone.now()
        sender.poll_at = sender.created_at + results.FIRST_LOOK
        sender.save(update_fields=["state", "msgid", "reason", "created_at", "poll_at"])
        results.note_refused(sender, (call.result or {}).get("fail_list") or [])
        if state in (State.ENDED, State.FAILED):  # a call that a person sent again after the end
            over = Broadcast.objects.filter(pk=sender.broadcast_id, state=state)
            over.update(state=State.SENDING, ended_at=None, reason="")
        if stopped:
            cancel(sender, by=call.requested_by)
    else:
        never = call.state in (OutgoingCall.State.IGNORED, OutgoingCall.State.OK)  # taken back, or not made at all
        sender.state = Step.STOPPED if stopped and never else Step.FAILED
        sender.reason = "" if sender.state == Step.STOPPED else why_failed(call)
        sender.save(update_fields=["state", "reason"])
    results.look_soon(sender.broadcast_id)


def why_failed(call: OutgoingCall) -> str:
    if call.state == OutgoingCall.State.IGNORED:
        return _("已由操作员忽略")
    words = words_for(call.result_code)
    code = f"（{call.result_code}）" if call.result_code else ""
    return f"{words.cause}{words.fix}{code}"[:200]


# -- stopping, and trying again ----------------------------------------------------------------------------------------


@transaction.atomic
def stop(broadcast: Broadcast, *, by: str) -> None:
    """Nobody else is asked, and who has not sent yet no longer can."""
    row = Broadcast.objects.select_for_update(no_key=True).get(pk=broadcast.pk)
    if row.state not in (State.PLANNING, State.SENDING):
        raise ValidationError(_("这条群发已经结束，不需要停止"))
    row.state = State.STOPPED
    row.save(update_fields=["state"])
    senders = list(row.senders.select_for_update().order_by("id"))
    waiting = [one for one in senders if one.state == Step.ASKED]
    outbox.withdraw([key_of(one.pk) for one in waiting], by=by, reason="broadcast stopped")
    row.senders.filter(state=Step.PLANNED).update(state=Step.STOPPED)
    for sender in senders:
        if sender.state == Step.CREATED:
            cancel(sender, by=by)
    results.look_soon(row.pk)
    broadcast.refresh_from_db()


def cancel(sender: BroadcastSender, *, by: str) -> None:
    outbox.post(
        CANCEL,
        {"msgid": sender.msgid},
        purpose="broadcast_stop",
        idem_key=f"broadcast:{sender.pk}:stop",
        subject=f"mass:{sender.staff_id}",
        context={"sender": sender.pk},
        by=by,
    )


def cancelled(call: OutgoingCall) -> None:
    """Stopped at WeCom too; a last look tells who had it already."""
    sender = BroadcastSender.objects.select_for_update().filter(pk=call.context["sender"]).first()
    if sender is None or sender.state != Step.CREATED:
        return
    if call.state == OutgoingCall.State.OK or call.result_code == 41093:
        sender.state, sender.reason, sender.poll_at = Step.STOPPED, "", timezone.now()
    else:
        sender.reason = _("没有停止：%(why)s") % {"why": why_failed(call)}
    sender.save(update_fields=["state", "reason", "poll_at"])
    results.look_soon(sender.broadcast_id)


@transaction.atomic
def retry(broadcast: Broadcast, *, by: str) -> int:
    """Ask those again whose call WeCom refused, once its cause is mended; how many."""
    row = Broadcast.objects.select_for_update(no_key=True).get(pk=broadcast.pk)
    if row.state not in (State.SENDING, State.ENDED, State.FAILED):
        raise ValidationError(_("现在不能重新通知"))
    failed = list(row.senders.select_for_update().filter(state=Step.FAILED, msgid=""))
    calls = OutgoingCall.objects.filter(purpose=PURPOSE, idem_key__in=[key_of(one.pk) for one in failed])
    again = {call.context["sender"] for call in calls if call.state in outbox.RETRIABLE}
    outbox.retry_many([call for call in calls if call.context["sender"] in again], by)
    known = {call.context["sender"] for call in calls}
    row.senders.filter(pk__in=again).update(state=Step.ASKED, reason="")
    never = [one.pk for one in failed if one.pk not in known]
    row.senders.filter(pk__in=never).update(state=Step.PLANNED, reason="")
    if again or never:
        row.state, row.ended_at, row.reason = State.SENDING, None, ""
        row.save(update_fields=["state", "ended_at", "reason"])
    ask_planned(row, by=by)
    broadcast.refresh_from_db()
    return len(again) + len(never)


def ask_planned(broadcast: Broadcast, *, by: str) -> None:
    """A job that runs by now may have had its last look: who is left then is seen to soon."""
    if broadcast.senders.filter(state=Step.PLANNED).exists():
        job = start(JOB, by, {"broadcast": broadcast.pk}, subject=str(broadcast.pk))
        if job.state == Job.State.RUNNING:
            due.put(DUE, {broadcast.pk: timezone.now() + LOOKED_AFTER})


def waiting_for(broadcast: Broadcast) -> int:
    """Receivers of whom nothing final is known."""
    rows = broadcast.senders.filter(state__in=[Step.PLANNED, Step.ASKED, Step.UNKNOWN, Step.CREATED])
    return sum(one.total - one.sent - one.not_friend - one.at_limit - one.refused for one in rows)
