"""What workers do for the archive. The due index says when; losing a message of Celery's costs a minute."""

import logging
from collections.abc import Iterable
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from archive import access, media, opening, pull
from archive.models import ArchivedMedia, Envelope
from tenants import due
from tenants.tasks import enqueue

logger = logging.getLogger(__name__)

DUE = "archive_pull"
THE_ARCHIVE = 1  # the due index wants a number: a company has one archive
MINUTE = timedelta(minutes=1)


def soon() -> None:
    """There is news, or the access changed: look now. Part of the caller's transaction."""
    due.put(DUE, {THE_ARCHIVE: timezone.now()})


def fall_due(_refs: Iterable[int]) -> None:
    """Handler of the due index: a worker is woken, and in a minute again, whatever becomes of it."""
    if access.access() is not None:
        due.put(DUE, {THE_ARCHIVE: timezone.now() + MINUTE})
        enqueue(pull_and_open)


def keep_going() -> None:
    """Of the hourly round: a company whose row went missing is looked after again."""
    if (
        access.access() is not None
        and not due.DueRow.objects.filter(tenant=access.current_tenant(), kind=DUE, ref=THE_ARCHIVE).exists()
    ):
        soon()


@shared_task(soft_time_limit=110, time_limit=150)
def pull_and_open() -> None:
    """New envelopes, then what is in them; what does not fit into the time is done at once by another."""
    granted = access.access()
    if granted is None:
        return
    try:
        pulled = pull.pull(granted)
        opened = opening.open_closed(granted)
    except pull.Refused as error:
        logger.warning("archive stays closed: %s %s", error.code, error.text)
        return
    if pulled.more or opened.more:
        soon()
    elif pulled.code:
        due.put(DUE, {THE_ARCHIVE: timezone.now() + pull.wait_after(pulled)})
    if ArchivedMedia.objects.filter(state=ArchivedMedia.State.WAITING).exists():
        enqueue(fetch_media)


@shared_task(soft_time_limit=110, time_limit=150)
def fetch_media() -> None:
    granted = access.access()
    if granted is not None:
        stored, more = media.fetch_waiting(granted)
        if stored and more:
            enqueue(fetch_media)


def pull_now() -> dict[str, object]:
    """To the end, here: for the command and the tests."""
    granted = access.access()
    if granted is None:
        raise pull.Refused(41004, "no archive secret is stored")
    rows = 0
    while True:
        pulled = pull.pull(granted)
        rows += pulled.rows
        if not pulled.more:
            break
    opened = opening.Opened(more=True)
    total = opening.Opened()
    while opened.more:
        opened = opening.open_closed(granted)
        total.opened += opened.opened
        total.no_key += opened.no_key
        total.broken += opened.broken
        total.missing |= opened.missing
    files = sum(iter_files(granted))
    closed = Envelope.objects.exclude(state=Envelope.State.OPENED).count()
    return {
        "pulled": rows,
        "code": pulled.code,
        "opened": total.opened,
        "no_key": total.no_key,
        "missing_keys": sorted(total.missing),
        "broken": total.broken,
        "still_closed": closed,
        "files": files,
    }


def iter_files(granted: access.Access) -> Iterable[int]:
    more = True
    while more:
        stored, more = media.fetch_waiting(granted)
        yield stored
        more = more and stored > 0
