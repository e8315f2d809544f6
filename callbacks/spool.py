"""While Postgres is away, callbacks wait in local files, each line on disk before WeCom hears 200."""

import base64
import fcntl
import os
import threading
import time
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import orjson
import structlog
from django.conf import settings

from callbacks.gaps import EVERYBODY, NOTICE
from callbacks.insert import Inserter
from callbacks.record import Record

log = structlog.get_logger(__name__)

CHUNK = 500


class SpoolFailed(Exception):
    """The disk is full or gone: the callback is stored nowhere."""


class Spool:
    """This process's file, locked as long as it is written. A file without a lock is left over: anyone may drain it."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._size = 0

    @property
    def used(self) -> bool:
        return self._file is not None

    def append(self, records: Sequence[Record]) -> None:
        """All lines with one fsync; after a failure the file ends where it ended before."""
        content = b"".join(_line(record) for record in records)
        try:
            if self._file is None:
                self._file, self._size = _create(), 0
            _write_all(self._file, content)
            os.fsync(self._file)
        except OSError as error:
            self._cut_back()
            raise SpoolFailed(str(error)) from error
        self._size += len(content)

    def _cut_back(self) -> None:
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
        except OSError:
            log.exception("spool file cannot be cut back")
            self.release()  # its torn end is skipped when it is drained

    def release(self) -> None:
        """Closes the file; the lock goes with it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _create() -> int:
    folder = Path(settings.WECOM_SPOOL_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{time.time_ns()}-{os.getpid()}.spool"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    parent = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(parent)  # a file whose name is lost is lost
    finally:
        os.close(parent)
    return file


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def _line(record: Record) -> bytes:
    fields = record._asdict()
    fields["dedupe_key"] = record.dedupe_key.hex()
    fields["body"] = base64.b64encode(record.body).decode()
    content = orjson.dumps(fields)
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _record(line: bytes) -> Record:
    checksum, _, content = line.partition(b" ")
    if int(checksum, 16) != zlib.crc32(content):
        raise ValueError("checksum")
    fields = orjson.loads(content)
    fields["dedupe_key"] = bytes.fromhex(fields["dedupe_key"])
    fields["body"] = base64.b64decode(fields["body"])
    return Record(**fields)


def recover() -> int:
    """Puts every left-over file into the inbox, and only then deletes it. Repeats meet the inbox's unique index."""
    stored = 0
    inserter = Inserter()
    folder = Path(settings.WECOM_SPOOL_DIR)
    try:
        for path in sorted(folder.glob("*.spool")) if folder.is_dir() else []:
            try:
                stored += _recover_file(path, inserter)
            except OSError:  # it harms neither the files after it nor whoever polls
                log.exception("spool file cannot be drained", file=path.name)
    finally:
        inserter.close()
    return stored


def recover_soon() -> None:
    """In a thread of its own: a web process recovers while it serves."""
    threading.Thread(target=_recover_quietly, name="spool-recovery", daemon=True).start()


def _recover_quietly() -> None:
    try:
        recover()
    except Exception:  # the files stay, and the scheduler tries again
        log.warning("spool not drained yet", exc_info=True)


def _recover_file(path: Path, inserter: Inserter) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0  # another process was faster
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(file).st_nlink:
            return 0  # drained and deleted between the two lines above
        return _drain(path, inserter)
    except BlockingIOError:
        return 0  # its process lives and writes
    finally:
        os.close(file)


def _drain(path: Path, inserter: Inserter) -> int:
    stored = unreadable = 0
    whose: set[int] = set()
    with path.open("rb") as lines:
        while chunk := list(islice(lines, CHUNK)):
            records: list[Record] = []
            for line in chunk:
                try:
                    records.append(_record(line.rstrip(b"\n")))
                except (ValueError, TypeError, KeyError):
                    unreadable += line.endswith(b"\n")  # a torn last line was never answered with 200
            if records:
                refused = inserter.insert(records)
                whose |= {record.tenant_id for record in records}
                unreadable += len(refused)
                stored += len(records) - len(refused)
    if unreadable:
        whose.add(EVERYBODY)
    if whose:  # what was spooled is stored; what the same bad time kept from us is not
        inserter.execute(NOTICE, {"whose": sorted(whose)})
    if unreadable:
        path.rename(path.with_suffix(".broken"))
        log.error("spool file kept: unreadable lines", file=path.name, lines=unreadable)
    else:
        path.unlink()
    log.warning("spooled callbacks stored", count=stored)
    return stored
