"""保存期限: every night what is older than the company wishes is deleted, file by file and batch by batch.

What an open alert needs stays until somebody settled it; settled alerts go with their message.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from archive import alerts, exporting, overdue
from archive.models import Alert, ArchivedMedia, ArchivedMessage, Conversation, Dropped, Envelope, Retention, TalkExport
from archive.storing import SUBJECT
from content.storage import store
from tenants import due, jobs
from tenants.jobs import JobRun
from tenants.models import Job
from tenants.staging import one_writer

JOB = "archive_drop"
SHORTEST, LONGEST = 7, 3650  # days; WeCom itself keeps five (wecom-api.md 7.3)
TALKS = 100  # conversations that are looked through at a time
BATCH = 500


def days_kept() -> int | None:
    """None: for ever."""
    return Retention.objects.filter(only=True).values_list("days", flat=True).first()


def keep_for(days: int | None, by: str) -> None:
    values = {"days": days, "changed_by": by[:80], "changed_at": timezone.now()}
    Retention.objects.update_or_create(only=True, defaults=values)


def tonight() -> Job | None:
    exporting.forget_old()
    return jobs.start(JOB, by="schedule") if days_kept() else None


def drop(run: JobRun) -> None:
    """The job; goes on where it stopped, with the limit it began with."""
    days = days_kept()
    if not days:
        return
    before = run.checkpoint.get("before") or (timezone.now() - timedelta(days=days)).isoformat()
    limit, after = datetime.fromisoformat(before), int(run.checkpoint.get("after", 0))
    while talks := list(Conversation.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:TALKS]):
        while ids := old_ids(talks, limit, alerts.around_open(talks)):
            run.proceed()
            files = drop_files(ids)
            with transaction.atomic():
                drop_messages(ids)
                run.save({"before": before, "after": after}, messages=len(ids), files=files)
        after = talks[-1]
        run.proceed()
        spared = ArchivedMessage.objects.filter(pk__in=alerts.around_open(talks), at__lt=limit).count()
        run.save({"before": before, "after": after}, spared=spared)
    drop_envelopes(run, limit)
    counts = run.job.counts
    if counts.get("messages") or counts.get("spared"):
        Dropped.objects.create(
            before=limit,
            messages=counts.get("messages", 0),
            files=counts.get("files", 0),
            spared=counts.get("spared", 0),
        )


def old_ids(talks: Iterable[int], limit: datetime, needed: set[int]) -> list[int]:
    """By conversation, whose index knows the times: the table is not read through."""
    old = ArchivedMessage.objects.filter(conversation__in=list(talks), at__lt=limit).exclude(pk__in=needed)
    return list(old.values_list("pk", flat=True)[:BATCH])


def drop_files(message_ids: list[int]) -> int:
    """Before their rows: killed in between, the next run finds the rows and is told again that the files are gone."""
    keys = list(ArchivedMedia.objects.filter(message__in=message_ids).exclude(key="").values_list("key", flat=True))
    for key in keys:
        store().delete(key)
    return len(keys)


def drop_messages(ids: list[int]) -> None:
    """In the caller's transaction, together with what conversations say of them."""
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
    rows = ArchivedMessage.objects.filter(pk__in=ids)
    gone: dict[int, int] = {}
    for talk in rows.values_list("conversation", flat=True):
        gone[talk] = gone.get(talk, 0) + 1
    Alert.objects.filter(message__in=ids).delete()
    ArchivedMedia.objects.filter(message__in=ids).delete()
    rows.delete()
    for talk, count in gone.items():
        Conversation.objects.filter(pk=talk, messages__gte=count).update(messages=F("messages") - count)
    left = set(ArchivedMessage.objects.filter(conversation__in=gone).values_list("conversation", flat=True).distinct())
    forget_talks([talk for talk in gone if talk not in left])


def forget_talks(empty: list[int]) -> None:
    """A conversation of which nothing is left: its last words, and copies that were taken of it."""
    if not empty:
        return
    exporting.delete(TalkExport.objects.filter(conversation__in=empty))
    due.drop(overdue.DUE, empty)
    Conversation.objects.filter(pk__in=empty).delete()


def drop_envelopes(run: JobRun, limit: datetime) -> None:
    """The oldest first, until one is young enough; what could not be opened in all this time goes as well."""
    while True:
        rows = list(Envelope.objects.order_by("seq").values_list("pk", "received_at")[:BATCH])
        old = [pk for pk, received_at in rows if received_at < limit]
        if not old:
            return
        run.proceed()
        Envelope.objects.filter(pk__in=old).delete()
