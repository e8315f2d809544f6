"""All customer groups of a company with their members."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from contacts.bulk.groups import GroupNews, write_groups
from contacts.bulk.stays import GroupHeard
from contacts.models import GroupChat, ListedPage
from tenants.current import wecom_client
from tenants.db import commit_asynchronously
from tenants.jobs import JobRun
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import GroupDissolved, StaleCursor, WeComRefused
from wecom.objects import GroupChatInfo, GroupChatRef

READERS = 5
SET = 100
MAX_OWNERS_UNFILTERED = 1000  # 81017


def sync_groups(run: JobRun, checkpoint: dict[str, Any], owners: Sequence[str], *, source: str) -> None:
    """Lists, reads and writes groups by the hundred; the place after a set is saved with it."""
    client = wecom_client()
    filters: list[list[str]] = [[]]
    if len(owners) > MAX_OWNERS_UNFILTERED:
        filters = [list(owners[start : start + 100]) for start in range(0, len(owners), 100)]
    place = dict(checkpoint.get("groups") or {"filter": 0, "cursor": ""})
    while place["filter"] < len(filters):
        run.proceed()
        try:
            page = client.group_chats(place["cursor"], filters[place["filter"]], limit=SET)
        except StaleCursor:
            if not place["cursor"]:
                raise
            place["cursor"] = ""
            continue
        place["cursor"] = page.next_cursor
        if not page.next_cursor:
            place["filter"] += 1
        _write(run, checkpoint | {"groups": dict(place)}, client, page.rows, source)


def _write(
    run: JobRun, checkpoint: dict[str, Any], client: WeComClient, rows: Sequence[GroupChatRef], source: str
) -> None:
    at = timezone.now()
    news = list(_read(client, rows))
    with transaction.atomic():
        commit_asynchronously()
        written = write_groups(news, at=at, source=source)
        if written.listed:
            ListedPage.objects.create(job_id=run.job.pk, of=ListedPage.Of.GROUPS, ids=written.listed)
        run.save(checkpoint, groups_unreadable=len(rows) - len(news), **written.counts)


def _read(client: WeComClient, rows: Sequence[GroupChatRef]) -> Iterator[GroupNews]:
    status = {row.chat_id: row.status for row in rows}
    for chat_id, answer in side_by_side(client.group_chat, list(status), width=READERS):
        if isinstance(answer, WeComRefused):
            continue
        if isinstance(answer, Exception):
            raise answer
        yield GroupNews(chat_id, answer, status[chat_id])


def close_unlisted(run: JobRun, *, before: datetime, source: str) -> int:
    """Groups that no page named: asked for one by one, as only WeCom's answer says that one was dissolved."""
    listed = ListedPage.objects.filter(job_id=run.job.pk, of=ListedPage.Of.GROUPS).values_list("ids", flat=True)
    seen = {pk for ids in listed for pk in ids}
    client, closed = wecom_client(), 0
    living = GroupChat.objects.filter(dismissed_at=None, opened_at__lt=before).values_list("pk", "chat_id")
    for chat_id in [chat_id for pk, chat_id in living if pk not in seen]:
        run.proceed()
        news = _look_up(client, chat_id)
        if news is not None:
            write_groups([news], at=timezone.now(), source=source)
            closed += bool(news.heard)
    return closed


def _look_up(client: WeComClient, chat_id: str) -> GroupNews | None:
    try:
        info: GroupChatInfo = client.group_chat(chat_id)
    except GroupDissolved:
        return GroupNews(chat_id, None, heard=[GroupHeard("dismiss", timezone.now())])
    except WeComRefused:
        return None
    return GroupNews(chat_id, info)
