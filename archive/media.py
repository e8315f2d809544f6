"""Files of messages, in a queue of their own: block by block, resumed where it stopped, before WeCom forgets them."""

import logging
import mimetypes
import time
from pathlib import Path
from typing import Any

from django.db.models import F
from django.db.models.functions import Least

from archive import kinds, library
from archive.access import Access
from archive.models import ArchivedMedia
from archive.pull import LOCK_SPACE
from content.storage import Missing, store
from tenants.isolation import tenant_path
from tenants.locks import alone_with

logger = logging.getLogger(__name__)

State = ArchivedMedia.State
TRIES = 5
GONE = frozenset({10005, 10010})  # a file id that is none, a file that WeCom has deleted
LARGEST = 300 << 20
SIGNS = (  # what a file begins with, whatever it is called
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"#!AMR", "audio/amr"),
    (b"%PDF-", "application/pdf"),
)
SHOWN = frozenset({"image/jpeg", "image/png", "image/gif", "video/mp4"})  # by the page itself; others are downloads


class Unfetched(Exception):
    """The library refused a block."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def fetch_waiting(access: Access, *, seconds: float = 30.0) -> tuple[int, bool]:
    """How many files were stored, and whether more wait. The oldest first: they are the next to be deleted."""
    until, stored, seen = time.monotonic() + seconds, 0, 0
    with alone_with(LOCK_SPACE, f"media:{access.corp_id}") as mine:
        if not mine:
            return 0, False
        process = library.process_of(access.corp_id, access.secret)
        while time.monotonic() < until:
            media = next_after(seen)
            if media is None:
                return stored, False
            seen = media.pk
            stored += fetch(process, media, until)
    return stored, next_after(seen) is not None


def next_after(pk: int) -> ArchivedMedia | None:
    rows = ArchivedMedia.objects.filter(state=State.WAITING, pk__gt=pk).order_by("pk")
    return rows.select_related("message").first()


def fetch(process: Any, media: ArchivedMedia, until: float) -> bool:
    try:
        done = blocks(process, media, until)
    except Unfetched as error:
        code = error.code
    except library.LibraryDied:
        code = 10003
    else:
        return done
    logger.warning("archived file %s: %s", media.pk, code)
    rows = ArchivedMedia.objects.filter(pk=media.pk)
    if code in GONE:
        rows.update(state=State.GONE)
        part_of(media).unlink(missing_ok=True)
    elif media.attempts + 1 >= TRIES:
        rows.update(state=State.FAILED, attempts=media.attempts + 1)
    else:
        rows.update(attempts=Least(F("attempts") + 1, TRIES))
    return False


def part_of(media: ArchivedMedia) -> Path:
    path = tenant_path("archive", f"{media.pk}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def blocks(process: Any, media: ArchivedMedia, until: float) -> bool:
    """True when the file is whole. Bytes first, then where the next block begins: a killed worker repeats one block."""
    part = part_of(media)
    size, index = resumed(media, part)
    with part.open("r+b" if part.exists() else "w+b") as file:
        file.truncate(size)
        file.seek(size)
        while True:
            piece = process.piece(media.fileid, index)
            if piece.code:
                raise Unfetched(piece.code)
            file.write(piece.body)
            file.flush()
            size, index = size + len(piece.body), piece.index
            if size > LARGEST:
                raise Unfetched(10010)
            if piece.last:
                break
            ArchivedMedia.objects.filter(pk=media.pk).update(index=f"{size}|{index}"[:64])
            if time.monotonic() >= until:
                return False
        keep(media, file, size)
    part.unlink(missing_ok=True)
    return True


def resumed(media: ArchivedMedia, part: Path) -> tuple[int, str]:
    """How much is here, and the library's name of what comes next; from the start where the part is not on this
    machine."""
    size, _, index = media.index.partition("|")
    if not size.isdigit() or not part.exists() or part.stat().st_size < int(size):
        return 0, ""
    return int(size), index


def keep(media: ArchivedMedia, file: Any, size: int) -> None:
    file.seek(0)
    mime = mime_of(file.read(16), name_of(media))
    key = f"{media.pk % 256:02x}-archive-{media.pk}"
    store().put(key, file, size, mime)
    ArchivedMedia.objects.filter(pk=media.pk).update(
        state=State.STORED, key=key, size=size, mime=mime, index="", attempts=0
    )


def mime_of(head: bytes, name: str) -> str:
    for sign, mime in SIGNS:
        if head.startswith(sign):
            return mime
    if head[4:8] == b"ftyp":
        return "video/mp4"
    guessed = mimetypes.guess_type(name)[0] or ""
    return (
        guessed if guessed and not guessed.startswith(("image/", "video/", "text/html")) else "application/octet-stream"
    )


def name_of(media: ArchivedMedia) -> str:
    """The file's name as it was sent; of a part of a message its own."""
    reading = kinds.read(media.message.payload)
    for file in reading.all_files():
        if file.place == media.place and file.name:
            return file.name
    return ""


def opened(media: ArchivedMedia) -> Any:
    """The stored bytes; raises Missing where the storage lost them."""
    if not media.key:
        raise Missing(str(media.pk))
    return store().open(media.key)
