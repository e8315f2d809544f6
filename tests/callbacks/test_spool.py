"""The spool: a line is on disk before WeCom hears 200, and is deleted only when it is a row."""

import errno
import os
import time
from pathlib import Path

import psycopg2
import pytest
from django.conf import LazySettings

from callbacks import inbox, insert, intake, spool
from callbacks.flush import Flusher
from tests.callbacks.door import Door, count, event_xml


def unreachable(*_: object) -> None:
    raise psycopg2.OperationalError("connection refused")


@pytest.fixture
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    settings.WECOM_SPOOL_DIR = tmp_path / "spool"
    return tmp_path / "spool"


@pytest.fixture
def down(door: Door, folder: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Postgres refuses the writer's connection."""
    door.post(event_xml())  # the receiver is known to this process
    monkeypatch.setattr(intake, "flusher", Flusher())
    monkeypatch.setattr(insert, "_connect", unreachable)
    return monkeypatch


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*")) if folder.is_dir() else []


def test_a_callback_is_spooled_encrypted_in_a_file_that_is_ours_alone(
    door: Door, folder: Path, down: pytest.MonkeyPatch
) -> None:
    assert door.post(event_xml(State="spooled")).status == 200
    [file] = files(folder)
    assert b"spooled" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert count() == 1
    assert spool.recover() == 0, "its process lives and writes"


def test_left_over_files_become_rows_once_and_go(door: Door, folder: Path, down: pytest.MonkeyPatch) -> None:
    plain = event_xml(State="spooled")
    for _ in range(3):
        assert door.post(plain).status == 200
    intake.flusher._spool.release()
    down.undo()
    assert spool.recover() == 3
    assert files(folder) == []
    assert count() == 2
    assert spool.recover() == 0


def test_a_torn_last_line_is_dropped_and_a_broken_one_is_kept(
    door: Door, folder: Path, down: pytest.MonkeyPatch
) -> None:
    door.post(event_xml(State="whole"))
    intake.flusher._spool.release()
    [file] = files(folder)
    line = file.read_bytes()
    down.undo()
    file.write_bytes(line + line[:100])
    assert spool.recover() == 1
    assert files(folder) == []
    file.write_bytes(line + line.replace(b"acme", b"evil"))
    assert spool.recover() == 1
    assert [path.suffix for path in files(folder)] == [".broken"]
    assert count() == 2


def test_a_file_that_cannot_be_read_holds_up_no_other(door: Door, folder: Path, down: pytest.MonkeyPatch) -> None:
    door.post(event_xml(State="spooled"))
    intake.flusher._spool.release()
    down.undo()
    (folder / "0-0.spool").mkdir()
    inbox.poll()
    assert [path.name for path in files(folder)] == ["0-0.spool"]
    assert count() == 2


def test_when_the_disk_is_full_too_wecom_is_asked_to_come_again(
    door: Door, folder: Path, down: pytest.MonkeyPatch
) -> None:
    assert door.post(event_xml(State="fits")).status == 200
    [file] = files(folder)
    size = file.stat().st_size
    write = os.write

    def full(descriptor: int, content: bytes) -> int:
        write(descriptor, bytes(content)[:7])
        raise OSError(errno.ENOSPC, "No space left on device")

    down.setattr(spool.os, "write", full)
    assert door.post(event_xml(State="does not")).status == 503
    down.setattr(spool.os, "write", write)
    assert file.stat().st_size == size, "nothing torn is left in the middle"
    assert door.post(event_xml(State="fits again")).status == 200


def test_a_receiver_is_known_as_long_as_postgres_is_away(door: Door, folder: Path, down: pytest.MonkeyPatch) -> None:
    def away(public_id: str) -> None:
        from django.db import OperationalError

        raise OperationalError("connection refused")

    down.setattr("callbacks.receivers._read", away)
    entry = intake.receivers._entries[door.receiver.public_id]
    entry.good_until = entry.loaded = time.monotonic() - 600
    assert door.post(event_xml(State="an hour into the outage")).status == 200
    intake.receivers.clear()
    assert door.post(event_xml(State="a process that just started")).status == 503
