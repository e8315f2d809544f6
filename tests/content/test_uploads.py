"""What may be uploaded, and F40: bombs, polyglots and odd names are refused in two seconds and little memory."""

import io
import resource
import struct
import time
import zipfile
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from content.kinds import DOCUMENT, MB, PICTURE, VIDEO, FileRule
from content.uploads import Checked, check
from tests.content.made import archive, box, chunk, jpeg, mp4, pdf, png, xlsx


def checked(name: str, body: bytes, rule: FileRule = DOCUMENT) -> Checked:
    return check(io.BytesIO(body), name, len(body), rule)


def reason(name: str, body: bytes, rule: FileRule = DOCUMENT) -> str:
    """Why it is refused; it must not take long nor much memory."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ValidationError) as refused:
        checked(name, body, rule)
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024  # kilobytes
    return " ".join(refused.value.messages)


@pytest.mark.parametrize(
    ("name", "body", "rule", "mime"),
    [
        ("海报.png", png(640, 480), PICTURE, "image/png"),
        ("海报.JPG", jpeg(800, 600), PICTURE, "image/jpeg"),
        ("教程.mp4", mp4(), VIDEO, "video/mp4"),
        ("价目表.pdf", pdf(), DOCUMENT, "application/pdf"),
        ("清单.csv", "姓名,电话\n李雷,1".encode("gb18030"), DOCUMENT, "text/csv"),
        ("说明.txt", "您好".encode() * 100_000, DOCUMENT, "text/plain"),
        ("表格.xlsx", xlsx(), DOCUMENT, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("资料.zip", archive({"一.txt": b"1", "夹/二.pdf": pdf()}), DOCUMENT, "application/zip"),
        ("旧表.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), DOCUMENT, "application/vnd.ms-excel"),
    ],
)
def test_honest_files_are_taken(name: str, body: bytes, rule: FileRule, mime: str) -> None:
    found = checked(name, body, rule)
    assert (found.name.lower(), found.mime, found.size) == (name.lower(), mime, len(body))


def test_the_size_of_a_picture_is_read_from_its_header() -> None:
    assert (checked("a.png", png(640, 480), PICTURE).width, checked("a.jpg", jpeg(800, 600), PICTURE).height) == (
        640,
        600,
    )


@pytest.mark.parametrize(
    ("name", "body", "rule"),
    [
        ("大图.png", png() + bytes(10 * MB), PICTURE),
        ("大片.mp4", mp4(10 * MB), VIDEO),
        ("大文件.pdf", pdf() + bytes(20 * MB), DOCUMENT),
    ],
)
def test_what_wecom_would_refuse_for_its_size_is_refused_here(name: str, body: bytes, rule: FileRule) -> None:
    assert "文件太大" in reason(name, body, rule)


def test_a_hundred_megapixels_in_a_kilobyte() -> None:
    assert "尺寸太大" in reason("a.png", png(10_000, 10_000), PICTURE)
    assert "尺寸太大" in reason("a.jpg", jpeg(60_000, 60_000), PICTURE)
    assert "尺寸太大" in reason("a.png", png(2**31 - 1, 2**31 - 1), PICTURE)


NOT_WHAT_IT_SAYS: dict[str, Callable[[], tuple[str, bytes, FileRule]]] = {
    "a page named png": lambda: ("a.png", b"<html><script>alert(1)</script>", PICTURE),
    "a jpeg named png": lambda: ("a.png", jpeg(), PICTURE),
    "a program named pdf": lambda: ("a.pdf", b"MZ" + bytes(100), DOCUMENT),
    "a png cut short": lambda: ("a.png", png(9, 9)[:-8], PICTURE),
    "a png whose chunk has no end": lambda: ("a.png", png()[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT", PICTURE),
    "a png of a million chunks": lambda: ("a.png", png(extra=chunk(b"tEXt", b"") * 600_000), PICTURE),
    "a jpeg without a frame": lambda: ("a.jpg", b"\xff\xd8\xff\xd9" + bytes(100), PICTURE),
    "a jpeg that is all filling": lambda: ("a.jpg", b"\xff\xd8" + b"\xff" * 5_000_000, PICTURE),
    "an mp4 without a movie": lambda: ("a.mp4", box(b"ftyp", b"isom") + box(b"mdat", bytes(9)), VIDEO),
    "an mp4 of boxes without end": lambda: ("a.mp4", box(b"ftyp", b"isom") + box(b"free") * 1_000_000, VIDEO),
    "a text of zeros": lambda: ("a.txt", bytes(1000), DOCUMENT),
    "a zip named docx": lambda: ("a.docx", archive({"a.txt": b"1"}), DOCUMENT),
    "half a zip": lambda: ("a.zip", archive({"a.txt": b"1" * 999})[:-30], DOCUMENT),
    "a zip with something behind it": lambda: ("a.zip", archive({"a.txt": b"1"}) + b"x" * 10, DOCUMENT),
}


@pytest.mark.parametrize("case", NOT_WHAT_IT_SAYS)
def test_bytes_that_are_not_what_the_name_says(case: str) -> None:
    assert "不符" in reason(*NOT_WHAT_IT_SAYS[case]())


SECOND_NATURES: dict[str, Callable[[], tuple[str, bytes, FileRule]]] = {
    "a png with a script in its text": lambda: (
        "a.png",
        png(extra=chunk(b"tEXt", b"x\x00<script>1</script>")),
        PICTURE,
    ),
    "a png with a page in its text": lambda: ("a.png", png(extra=chunk(b"iTXt", b"<html>")), PICTURE),
    "a jpeg with a program in its comment": lambda: ("a.jpg", jpeg(comment=b"<?php system($_GET[0]);?>"), PICTURE),
    "a jpeg that is an archive": lambda: ("a.jpg", jpeg(tail=archive({"a.class": b"1"})), PICTURE),
    "a jpeg that is a pdf": lambda: ("a.jpg", jpeg(comment=pdf()), PICTURE),
    "a video with a page": lambda: ("a.mp4", mp4() + box(b"free", b"<html><body>"), VIDEO),
    "a script across two pieces": lambda: (
        "a.jpg",
        jpeg(tail=bytes(256 * 1024 - len(jpeg()) - 3) + b"<script>" + b"\xff\xd9"),
        PICTURE,
    ),
}


@pytest.mark.parametrize("case", SECOND_NATURES)
def test_a_picture_that_is_something_else_as_well(case: str) -> None:
    assert "夹带" in reason(*SECOND_NATURES[case]())


def test_a_png_with_something_behind_its_end() -> None:
    assert reason("a.png", png(tail=archive({"a": b"1"})), PICTURE)


# -- archives ----------------------------------------------------------------------------------------------------------


def lying(entries: int, *, each: int) -> bytes:
    """An archive whose table promises `each` bytes of every entry; all of them share the same few."""
    body = archive({"0": b"x" * 50}, compression=zipfile.ZIP_STORED)
    place = body.index(b"PK\x01\x02")
    entry = bytearray(body[place : body.index(b"PK\x05\x06")])
    struct.pack_into("<L", entry, 24, each)
    table = b"".join(bytes(entry) for _ in range(entries))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, len(table), place, 0)
    return body[:place] + table + end


BOMBS: dict[str, Callable[[], tuple[str, bytes]]] = {
    "one entry of a thousand to one": lambda: ("a.zip", archive({"0.txt": bytes(150 * MB)})),
    "a sheet of a thousand to one": lambda: ("a.xlsx", xlsx(b"<worksheet>" + b" " * (150 * MB))),
    "entries that share their bytes": lambda: ("a.zip", lying(4000, each=40 * MB)),
    "a table of sixty thousand entries": lambda: ("a.zip", lying(60_000, each=1)),
    "archives in an archive": lambda: ("a.zip", archive({f"{n}.zip": archive({"0": bytes(MB)}) for n in range(16)})),
    "a way out of the folder": lambda: ("a.zip", archive({"../../etc/cron.d/x": b"1"})),
    "a way to the root": lambda: ("a.zip", archive({"/etc/passwd": b"1"})),
    "a way to a drive": lambda: ("a.zip", archive({"C:\\Windows\\x.txt": b"1"})),
    "a program inside": lambda: ("a.zip", archive({"发票.pdf.exe": b"MZ"})),
    "a sheet of a million columns by its dimension": lambda: (
        "a.xlsx",
        xlsx(b'<worksheet><dimension ref="A1:BDWGN1"/><sheetData/></worksheet>'),
    ),
    "a sheet of a million columns by its cells": lambda: (
        "a.xlsx",
        xlsx(b'<worksheet><sheetData><row r="1"><c r="BDWGN1"/></row></sheetData></worksheet>'),
    ),
    "a sheet of a million columns by its spans": lambda: (
        "a.xlsx",
        xlsx(b'<worksheet><sheetData><row r="1" spans="1:1000000"/></sheetData></worksheet>'),
    ),
}


@pytest.mark.parametrize("case", BOMBS)
def test_archives_that_mean_harm_are_refused_unopened(case: str) -> None:
    assert reason(*BOMBS[case]())


def test_an_archive_with_a_password_is_refused_in_words() -> None:
    body = bytearray(xlsx())
    for place in [n for n in range(len(body)) if body[n : n + 4] == b"PK\x01\x02"]:
        body[place + 8] |= 1
    for place in [n for n in range(len(body)) if body[n : n + 4] == b"PK\x03\x04"]:
        body[place + 6] |= 1
    assert "加密" in reason("a.xlsx", bytes(body))


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.png",
        "a\\b.png",
        "a\x00.png",
        "a\r\nX: 1.png",
        "价\u0007.png",
        "\ud800.png",
        "无扩展名",
        ".png",
        " .png",
    ],
)
def test_names_that_are_paths_or_hide_something_are_refused(name: str) -> None:
    assert reason(name, png(), PICTURE)


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.exe", "a.png.exe", "a.gif", "a.js", "a.png "])
def test_other_kinds_are_refused_with_what_is_allowed(name: str) -> None:
    if name.strip() == "a.png":
        assert checked(name, png(), PICTURE).name == "a.png"
    else:
        assert "JPG 或 PNG" in reason(name, png(), PICTURE)


def test_a_name_is_shown_as_it_reads() -> None:
    assert checked("发票\u202egnp.pdf", pdf()).name == "发票gnp.pdf"
    assert len(checked("长" * 300 + ".pdf", pdf()).name) == 100
    assert checked('价"目:表.pdf', pdf()).name == "价_目_表.pdf"
