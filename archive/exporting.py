"""导出: a conversation as one file, every page and row of which says who took it out and when."""

import csv
import io
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import IO, Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.timezone import make_aware
from django.utils.translation import gettext as _now

from accounts.models import Operator
from archive import showing
from archive.models import ArchivedMessage, Conversation, TalkExport
from content.storage import store
from tenants import jobs
from tenants.current import current_tenant
from tenants.jobs import JobRun

JOB = "archive_export"
MOST = 50_000  # messages a file
BATCH = 500
KEPT = timedelta(days=7)
SPOOLED = 4 * 1024 * 1024
Form = TalkExport.Form
State = TalkExport.State
TYPES = {Form.HTML: "text/html; charset=utf-8", Form.CSV: "text/csv; charset=utf-8"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run
WATERMARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="420" height="240"><text x="20" y="180" fill="#000"'
    ' fill-opacity=".08" font-size="16" font-family="sans-serif" transform="rotate(-22 20 180)">{text}</text></svg>'
)


@transaction.atomic
def ask_for(talk: Conversation, *, form: str, start: Any, end: Any, operator: Operator) -> TalkExport:
    row = TalkExport.objects.create(
        conversation=talk, form=form, start=start, end=end, operator_id=operator.pk, by=str(operator)[:80]
    )
    jobs.start(JOB, by=operator.get_username(), params={"export": row.pk}, subject=str(row.pk))
    return row


def messages_of(talk: Conversation, start: Any, end: Any) -> QuerySet[ArchivedMessage]:
    rows = ArchivedMessage.objects.filter(conversation=talk)
    if start:
        rows = rows.filter(at__gte=make_aware(datetime.combine(start, time.min)))
    if end:
        rows = rows.filter(at__lt=make_aware(datetime.combine(end + timedelta(days=1), time.min)))
    return rows


def make(run: JobRun) -> None:
    """The job. The file is written from the start each time, and is nobody's until it is whole."""
    row = TalkExport.objects.select_related("conversation").filter(pk=run.params["export"], state=State.WAITING).first()
    if row is None:
        return
    rows = messages_of(row.conversation, row.start, row.end)
    run.save(total=min(rows.count(), MOST))
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as file:
        count = (write_html if row.form == Form.HTML else write_csv)(file, row, pieces(rows, run))
        size = file.tell()
        file.seek(0)
        key = f"{row.pk % 256:02x}-export-{row.pk}-{secrets.token_hex(6)}"
        store().put(key, file, size, TYPES[Form(row.form)])
    kept = TalkExport.objects.filter(pk=row.pk, state=State.WAITING)
    if not kept.update(state=State.DONE, key=key, size=size, messages=count):
        store().delete(key)  # the conversation is gone meanwhile, or another worker was faster


def pieces(rows: QuerySet[ArchivedMessage], run: JobRun) -> Iterator[list[showing.Line]]:
    """Oldest first, as it was said; kept alive between two pieces, not cut into slices. Begun again, the job has come
    further only where it is past the place of before."""
    last: ArchivedMessage | None = None
    done = 0
    while done < MOST:
        after = rows if last is None else rows.filter(Q(at__gt=last.at) | Q(at=last.at, pk__gt=last.pk))
        found = list(after.order_by("at", "id")[: min(BATCH, MOST - done)])
        if not found:
            return
        yield showing.lines(found)
        last, done = found[-1], done + len(found)
        run.heartbeat()
        if done > run.job.done:
            run.save(done=done)


def mark_of(row: TalkExport) -> str:
    """Who took it out, and when."""
    at = timezone.localtime(row.at).strftime("%Y-%m-%d %H:%M")
    return _now("{who} 于 {at} 导出").format(who=row.by, at=at)


def name_of(row: TalkExport) -> str:
    return showing.entries([row.conversation])[0].name


def file_name(row: TalkExport) -> str:
    days = "-".join(f"{day:%Y%m%d}" for day in (row.start, row.end) if day)
    return f"{name_of(row)[:40]}{'-' if days else ''}{days}.{row.form}"


def write_html(file: IO[bytes], row: TalkExport, found: Iterator[list[showing.Line]]) -> int:
    mark, count = mark_of(row), 0
    svg = WATERMARK.format(text=escape(f"{current_tenant().name} · {mark}"))
    context = {"title": name_of(row), "mark": mark, "company": current_tenant().name, "picture": quote(svg)}
    file.write(render_to_string("archive/export/head.html", context).encode())
    for lines in found:
        file.write(render_to_string("archive/export/lines.html", {"lines": lines}).encode())
        count += len(lines)
    file.write(render_to_string("archive/export/foot.html", {**context, "count": count}).encode())
    return count


def write_csv(file: IO[bytes], row: TalkExport, found: Iterator[list[showing.Line]]) -> int:
    """The watermark is a column, so that a part that was cut out has it too."""
    at, count = timezone.localtime(row.at).strftime("%Y-%m-%d %H:%M"), 0
    names = [_now("时间"), _now("发送人"), _now("账号"), _now("类型"), _now("内容"), _now("撤回时间")]
    file.write("\ufeff".encode() + in_csv([[*names, _now("导出人"), _now("导出时间")]]))
    for lines in found:
        file.write(in_csv([[*cells(line), row.by, at] for line in lines]))
        count += len(lines)
    return count


def cells(line: showing.Line) -> list[str]:
    message = line.message
    moments = (timezone.localtime(one).strftime("%Y-%m-%d %H:%M:%S") if one else "" for one in _times(message))
    said, revoked = moments
    return [said, line.person.name, message.sender, line.part.label, message.text, revoked]


def _times(message: ArchivedMessage) -> tuple[datetime, datetime | None]:
    return message.at, message.revoked_at


def in_csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row] for row in rows])
    return text.getvalue().encode()


def delete(rows: QuerySet[TalkExport]) -> int:
    """Files first: a row whose file is gone is found again, a file without a row is not."""
    found = list(rows)
    for row in found:
        if row.key:
            store().delete(row.key)
    return TalkExport.objects.filter(pk__in=[row.pk for row in found]).delete()[0]


def forget_old() -> int:
    return delete(TalkExport.objects.filter(at__lt=timezone.now() - KEPT))
