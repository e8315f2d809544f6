"""Envelopes come in: page after page until WeCom has no more, each page and the place it ends at in one transaction."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from archive import library
from archive.access import Access
from archive.models import PullCursor
from tenants.locks import alone_with
from tenants.staging import stage

logger = logging.getLogger(__name__)

LOCK_SPACE = 0x41524348  # "ARCH"
STALE_TOKEN = frozenset({40014, 42001, 40001})
TOO_MANY = 301058  # asked for more rows than this edition gives
BUSY = frozenset({45009, 45033, -1, 6000})
MISSING, DIED, GARBLED = -101, -102, -103  # ours, beside those of WeCom and its library
LEAST = 50

_COLUMNS = {
    "seq": "bigint",
    "msgid": "text",
    "key_version": "integer",
    "random_key": "text",
    "body": "text",
}
_INSERT = f"""
INSERT INTO archive_envelope ({", ".join(_COLUMNS)}, state, reason)
SELECT {", ".join(_COLUMNS)}, 'closed', '' FROM pg_temp.stage_envelopes ON CONFLICT (seq) DO NOTHING
"""  # noqa: S608  columns of this file


class Refused(Exception):
    """WeCom or its library said no; the number says why."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


class Overtaken(Exception):
    """Another puller moved the cursor: this one writes nothing more."""


@dataclass(frozen=True, slots=True)
class Pulled:
    rows: int = 0
    code: int = 0
    more: bool = False  # the time was up before WeCom's pages were


def pull(access: Access, *, seconds: float = 40.0) -> Pulled:
    """All that is new, or what fits into the time. One puller per company at a time; a second one does nothing."""
    with alone_with(LOCK_SPACE, f"pull:{access.corp_id}") as mine:
        if not mine:
            return Pulled()
        cursor, _ = PullCursor.objects.get_or_create(only=True)
        rows = 0
        try:
            for count in pages(access, cursor, time.monotonic() + seconds):
                rows += count
                if not count:
                    return Pulled(rows)
        except Refused as error:
            logger.warning("archive of %s: %s %s", access.corp_id, error.code, error.text)
            note(cursor, error.code, error.text)
            return Pulled(rows, error.code)
        return Pulled(rows, more=True)


def pages(access: Access, cursor: PullCursor, until: float) -> Any:
    """How many rows each page held, zero for the last one; each page is stored when its number is given."""
    limit = library.LIMIT
    while time.monotonic() < until:
        try:
            rows = page(access, cursor.seq, limit)
        except Refused as error:
            if error.code != TOO_MANY or limit <= LEAST:
                raise
            limit //= 2
            continue
        store(cursor, rows)
        yield len(rows)
        if not rows:
            return


def page(access: Access, seq: int, limit: int) -> list[dict[str, Any]]:
    """One page. Return code 0 does not mean success: WeCom's errcode stands in the text (wecom-api.md 7.2)."""
    process = library.process_of(access.corp_id, access.secret)
    for attempt in range(3):
        try:
            answer = process.pull(seq, limit)
        except library.LibraryMissing as error:
            raise Refused(MISSING, str(error)) from error
        except library.LibraryDied as error:
            if attempt < 2:
                continue
            raise Refused(DIED, str(error)) from error
        if answer.code:
            if answer.code in {10001, 10002, 10003} and attempt < 1:
                process.renew()
                continue
            raise Refused(answer.code)
        code, text, rows = read(answer.text)
        if code in STALE_TOKEN and attempt < 2:
            process.renew()
            continue
        if code:
            raise Refused(code, text)
        return rows
    raise Refused(DIED)


def read(text: bytes) -> tuple[int, str, list[dict[str, Any]]]:
    """(errcode, errmsg, rows) of an answer; a row without its parts is none of WeCom's, and stops the pull."""
    try:
        answer = orjson.loads(text)
        code = int(answer.get("errcode", 0))
        rows = [row_of(raw) for raw in answer.get("chatdata") or ()] if not code else []
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(GARBLED, type(error).__name__) from error
    return code, str(answer.get("errmsg", ""))[:160], rows


def row_of(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "seq": int(raw["seq"]),
        "msgid": str(raw["msgid"])[:128],
        "key_version": int(raw["publickey_ver"]),
        "random_key": str(raw.get("encrypt_random_key") or ""),
        "body": str(raw.get("encrypt_chat_msg") or ""),
    }


@transaction.atomic
def store(cursor: PullCursor, rows: Sequence[dict[str, Any]]) -> None:
    """The rows and the place behind them, together. The place moves only from where this puller saw it."""
    now, before = timezone.now(), cursor.seq
    values: dict[str, Any] = {"pulled_at": now, "result_code": 0, "reason": ""}
    if rows:
        with connection.cursor() as sql:
            stage(sql, "stage_envelopes", _COLUMNS, [tuple(row.values()) for row in rows])
            sql.execute(_INSERT)
        values["seq"] = max(before, *(row["seq"] for row in rows))
    if not PullCursor.objects.filter(pk=cursor.pk, seq=before).update(**values):
        raise Overtaken(f"{before}")
    cursor.seq = values.get("seq", before)


def note(cursor: PullCursor, code: int, text: str) -> None:
    PullCursor.objects.filter(pk=cursor.pk).update(result_code=code, reason=text[:200])


def wait_after(pulled: Pulled) -> timedelta:
    """Until the next look, if nothing tells us earlier: what only a person can mend is asked for less often."""
    if pulled.more:
        return timedelta(0)
    if pulled.code and pulled.code not in BUSY:
        return timedelta(minutes=5)
    return timedelta(minutes=1)
