"""Mass messages that were not ours, of members or made in WeCom's own admin: they count against the same limit."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from broadcasts.lookup import RESULTS, TASKS, is_known, listed, pages
from broadcasts.models import Broadcast, SeenSending
from broadcasts.results import CONFIRMED, moment_of, note_receipts
from contacts.models import Customer, GroupChat
from tenants.current import wecom_client
from tenants.jobs import JobRun
from tenants.models import OutgoingCall
from wecom.client import WeComClient
from wecom.errors import WeComRefused

JOB = "broadcast_seen"
FARTHEST, AGAIN = timedelta(days=31), timedelta(days=4)  # WeCom lists a month; members confirm days later
KINDS = {
    "single": (Broadcast.Kind.CUSTOMERS, Customer, "external_userid"),
    "group": (Broadcast.Kind.GROUPS, GroupChat, "chat_id"),
}


def work(run: JobRun) -> None:
    """A month at the first time, then the last days; a member's part is counted once, when it is sent."""
    client = wecom_client(priority=OutgoingCall.Priority.BACKFILL)
    back = AGAIN if SeenSending.objects.exists() else FARTHEST
    since = int((timezone.now() - back + timedelta(hours=1)).timestamp())
    for chat_type in KINDS:
        for row in listed(client, chat_type, since):
            run.proceed()
            if not is_known(row["msgid"]):
                look_at(client, chat_type, row["msgid"])


def look_at(client: WeComClient, chat_type: str, msgid: str) -> None:
    try:
        for task in pages(client, TASKS, {"msgid": msgid, "limit": 1000}, "task_list"):
            userid = str(task.get("userid", ""))
            counted = SeenSending.objects.filter(msgid=msgid, userid=userid).exists()
            if task.get("status") == CONFIRMED and userid and not counted:
                wish = {"msgid": msgid, "userid": userid, "limit": 1000}
                note(chat_type, msgid, userid, list(pages(client, RESULTS, wish, "send_list")))
    except WeComRefused:
        return  # gone meanwhile


def note(chat_type: str, msgid: str, userid: str, rows: list[dict[str, Any]]) -> None:
    kind, model, name = KINDS[chat_type]
    got: dict[str, datetime] = {
        str(row[name]): at
        for row in rows
        if row.get("status") == 1 and row.get(name) and (at := moment_of(row.get("send_time")))
    }
    known = dict(model.objects.filter(**{f"{name}__in": list(got)}).values_list(name, "pk"))
    try:
        with transaction.atomic():
            SeenSending.objects.create(msgid=msgid, userid=userid)
            note_receipts(kind, [(known[key], at) for key, at in got.items() if key in known])
    except IntegrityError:
        return  # counted by another run
