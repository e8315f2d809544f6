"""WeCom's names for our files: uploaded ahead, kept per (file, use), renewed in time while they are wanted."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from content.models import Material, MediaId, StoredFile
from content.storage import Missing, store
from tenants import due
from tenants.current import wecom_client
from tenants.faults import words_for
from tenants.locks import alone_with
from tenants.models import OutgoingCall
from tenants.polling import broker, inline
from wecom.errors import WeComError, WeComMisconfigured, WeComRefused

logger = logging.getLogger(__name__)

Kind = Material.Kind
Pair = tuple[StoredFile, str]  # a file and the use it is uploaded for
DUE = "media"
LOCK_SPACE = 0x4D454449  # "MEDI"
LIFE = timedelta(days=3)  # wecom-api.md 6.2
RENEWED_AFTER = timedelta(days=2, hours=12)
OLD_AGE = LIFE - RENEWED_AFTER
MARGIN = timedelta(minutes=10)  # an id that ends sooner is not given out any more
KEPT_FOR = timedelta(days=14)  # how long after its last use an id is still renewed
TRIED_AGAIN = timedelta(minutes=2)
WAITS = 40  # quarters of a second, for another upload of the same file
USES: dict[str, str] = {
    Kind.IMAGE: MediaId.Use.IMAGE,
    Kind.VIDEO: MediaId.Use.VIDEO,
    Kind.FILE: MediaId.Use.FILE,
    Kind.MINIPROGRAM: MediaId.Use.IMAGE,
}
ID_FIELDS = frozenset({"media_id", "pic_media_id", "mediaid"})

STANDING: list[Callable[[], Iterable[int]]] = []
"""Ids of materials that must be ready at any second, such as those of welcomes; filled by scrm/wiring.py."""


class MediaNotReady(Exception):
    """Files that do not lie at WeCom yet. They are on their way: try again soon. `reason`: why the last try failed."""

    def __init__(self, files: list[int], reason: str = "") -> None:
        super().__init__(files, reason)
        self.files = files
        self.reason = reason


def file_of(material: Material) -> Pair | None:
    """What of a material is sent by media id."""
    use = USES.get(material.kind)
    return (material.file, use) if use and material.file is not None else None


def media_id_of(file: StoredFile, use: str) -> str:
    return media_ids([(file, use)])[file.pk, use]


def media_ids(pairs: Iterable[Pair]) -> dict[tuple[int, str], str]:
    """Living ids of all, or MediaNotReady after having asked for those that are missing."""
    wanted = list({(file.pk, use): (file, use) for file, use in pairs}.values())
    if not wanted:
        return {}
    now = timezone.now()
    rows = {(row.file_id, row.use): row for row in MediaId.objects.filter(_any_of(wanted))}
    found = {key: row.media_id for key, row in rows.items() if _lives(row, now)}
    if missing := [(file, use) for file, use in wanted if (file.pk, use) not in found]:
        want(missing)
        reasons = [rows[file.pk, use].reason for file, use in missing if (file.pk, use) in rows]
        raise MediaNotReady([file.pk for file, _ in missing], next(filter(None, reasons), ""))
    stale = [row.pk for row in rows.values() if now - row.wanted_at > timedelta(hours=1)]
    if stale:
        MediaId.objects.filter(pk__in=stale).update(wanted_at=now)
    return found


def ready(file: StoredFile, use: str) -> str:
    """A living id, uploaded here and now if need be: for who waits. Raises what the upload raises."""
    try:
        return media_id_of(file, use)
    except MediaNotReady:
        row = MediaId.objects.get(file=file, use=use)
        return upload(row, priority=OutgoingCall.Priority.INTERACTIVE)


def want(pairs: Iterable[Pair]) -> None:
    """Have ids soon, and kept fresh from now on. Part of the caller's transaction."""
    wanted = list({(file.pk, use): (file, use) for file, use in pairs}.values())
    if not wanted:
        return
    now = timezone.now()
    rows = [MediaId(file=file, use=use, wanted_at=now) for file, use in wanted]
    MediaId.objects.bulk_create(rows, update_conflicts=True, unique_fields=["file", "use"], update_fields=["wanted_at"])
    stored = MediaId.objects.filter(_any_of(wanted))
    due.put(DUE, {row.pk: now for row in stored if not _lives(row, now)})


def _any_of(pairs: Iterable[Pair]) -> Q:
    condition = Q()
    for file, use in pairs:
        condition |= Q(file=file, use=use)
    return condition


def _lives(row: MediaId, now: Any) -> bool:
    return bool(row.media_id and row.expires_at and row.expires_at > now + MARGIN)


# -- by the clock ------------------------------------------------------------------------------------------------------


def fall_due(refs: list[int]) -> None:
    """Handler of the due rows: WeCom is called after the commit. Each row is put again, should the worker die there."""
    now = timezone.now()
    rows = MediaId.objects.filter(pk__in=refs)
    kept = [row.pk for row in rows if now - row.wanted_at < KEPT_FOR] + standing(refs)
    if not kept:
        return
    due.put(DUE, dict.fromkeys(kept, now + TRIED_AGAIN))
    tenant = connection.tenant
    schema = tenant.schema_name

    def send() -> None:
        for pk in kept:
            if not broker.send(renew, schema, {"media": pk}, queue="outbox", expires=60):
                inline.submit((tenant.pk, DUE, pk), lambda pk=pk: _renew_in(tenant, pk))  # type: ignore[misc]

    transaction.on_commit(send, robust=True)


def _renew_in(tenant: Any, pk: int) -> None:
    with tenant:
        renew_one(pk)


def standing(refs: Iterable[int]) -> list[int]:
    """Those of the rows that something in permanent use needs."""
    materials = {pk for source in STANDING for pk in source()}
    rows = MediaId.objects.filter(pk__in=list(refs), file__materials__in=materials)
    return list(rows.values_list("pk", flat=True).distinct())


@shared_task
def renew(*, media: int) -> None:
    renew_one(media)


def renew_one(pk: int) -> None:
    """Upload unless that was done meanwhile; a failure is written down and tried again later."""
    row = MediaId.objects.select_related("file").filter(pk=pk).first()
    if row is None:
        return
    try:
        upload(row)
    except (WeComError, Missing) as error:
        logger.warning("media id %s could not be renewed: %s", pk, error)


def upload(row: MediaId, *, priority: int = OutgoingCall.Priority.NOTICE, dead: str = "", timeout: float = 60.0) -> str:
    """Give WeCom the file and keep the id it answers with; who comes second waits for the first one's answer.

    `dead`: an id that is no good. Called outside of transactions wherever possible, as it waits for WeCom.
    """
    for _try in range(WAITS):
        with alone_with(LOCK_SPACE, f"{row.tenant_id}:{row.pk}") as mine:
            if mine:
                return _upload(row.pk, priority, dead, timeout)
        time.sleep(0.25)
    return _upload(row.pk, priority, dead, timeout)


def _upload(pk: int, priority: int, dead: str, timeout: float) -> str:
    row = MediaId.objects.select_related("file").get(pk=pk)
    if row.media_id not in ("", dead) and row.expires_at and row.expires_at > timezone.now() + OLD_AGE:
        return row.media_id
    now = timezone.now()
    try:
        with store().open(row.file.key) as file:
            content = file.read()
        client = wecom_client("app", priority=priority)
        media = client.upload_media(row.use, row.file.name, content, timeout=timeout)
    except (WeComError, Missing) as error:
        _failed(row, error)
        raise
    _succeeded(row, media.media_id, now)
    return media.media_id


@transaction.atomic
def _succeeded(row: MediaId, media_id: str, at: Any) -> None:
    MediaId.objects.filter(pk=row.pk).update(
        former_id=row.media_id, media_id=media_id, expires_at=at + LIFE, failed_at=None, reason=""
    )
    due.put(DUE, {row.pk: at + RENEWED_AFTER})


@transaction.atomic
def _failed(row: MediaId, error: Exception) -> None:
    """WeCom's refusal of a file is final until somebody asks for it again; what lies at us or the network is not."""
    now = timezone.now()
    text = _("素材的文件已不存在，请重新上传")
    if isinstance(error, WeComError):
        words = words_for(error.code)
        text = _("%(words)s（错误码 %(code)d）") % {"words": f"{words.cause}{words.fix}", "code": error.code}
    MediaId.objects.filter(pk=row.pk).update(failed_at=now, reason=text[:200])
    if isinstance(error, WeComRefused | Missing):
        due.drop(DUE, [row.pk])
    else:
        wait = timedelta(minutes=10) if isinstance(error, WeComMisconfigured) else TRIED_AGAIN
        due.put(DUE, {row.pk: now + wait})


# -- a call whose id died ----------------------------------------------------------------------------------------------


def mend(call: OutgoingCall, body: dict[str, Any]) -> dict[str, Any] | None:
    """The body of a call that WeCom refused for a dead media id (40007), with living ones; None where that is not ours
    to mend. The outbox sends it once more."""
    dead = set(_ids_in(body))
    rows = MediaId.objects.filter(Q(media_id__in=dead) | Q(former_id__in=dead)).exclude(media_id="")
    living: dict[str, str] = {}
    timeout = 3.0 if call.deadline else 60.0
    for row in rows:
        old = row.media_id if row.media_id in dead else row.former_id
        fresh = upload(row, priority=call.priority, dead=old, timeout=timeout) if row.media_id in dead else row.media_id
        living[old] = fresh
    if not dead or dead - set(living):
        return None
    replaced: dict[str, Any] = _replaced(body, living)
    return replaced


def _ids_in(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ID_FIELDS and isinstance(inner, str) and inner:
                yield inner
            else:
                yield from _ids_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids_in(inner)


def _replaced(value: Any, living: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: living.get(inner, inner) if name in ID_FIELDS and isinstance(inner, str) else _replaced(inner, living)
            for name, inner in value.items()
        }
    return [_replaced(inner, living) for inner in value] if isinstance(value, list) else value
