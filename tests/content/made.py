"""Small honest files of each kind, and dishonest ones."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from django.core.files.uploadedfile import SimpleUploadedFile

from content import files, materials
from content.models import Folder, Material, StoredFile


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int = 2, height: int = 2, *, shade: int = 0, extra: bytes = b"", tail: bytes = b"") -> bytes:
    """A grey picture; the sizes in the header may be larger than what the data holds."""
    rows = b"".join(b"\x00" + bytes([shade]) * min(width, 8) for _ in range(min(height, 8)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + tail


def jpeg(width: int = 16, height: int = 16, *, comment: bytes = b"", tail: bytes = b"") -> bytes:
    def segment(marker: int, body: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body

    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"),
            segment(0xFE, comment) if comment else b"",
            segment(0xC0, frame),
            segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            b"\x12\x34\x56\xff\xd9",
            tail,
        ]
    )


def box(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def mp4(size: int = 64) -> bytes:
    return (
        box(b"ftyp", b"isom\x00\x00\x02\x00isomiso2")
        + box(b"moov", box(b"mvhd", bytes(32)))
        + box(b"mdat", bytes(size))
    )


def pdf() -> bytes:
    return b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def archive(entries: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as written:
        for name, body in entries.items():
            written.writestr(zipfile.ZipInfo(name), body, compress_type=compression)
    return made.getvalue()


def xlsx(
    sheet: bytes = b'<worksheet><dimension ref="A1:C9"/><sheetData><row r="1" spans="1:3"/></sheetData></worksheet>',
) -> bytes:
    return archive(
        {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": sheet}
    )


def upload(name: str, body: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, body)


def stored(name: str = "价目表.png", body: bytes | None = None) -> StoredFile:
    body = png() if body is None else body
    rule = materials.rule_of(materials.kind_of(name))
    assert rule is not None
    return files.keep(io.BytesIO(body), name, len(body), rule)


def material(kind: str, title: str = "", *, folder: Folder | None = None, **body: str) -> Material:
    """A material of that kind, as an operator would have made it."""
    file = {
        "image": lambda: stored("新品.png"),
        "file": lambda: stored("价目表.pdf", pdf()),
        "video": lambda: stored("教程.mp4", mp4()),
        "miniprogram": lambda: stored("封面.png", png(shade=9)),
    }.get(kind, lambda: None)()
    given = {
        "text": {"text": "门店地址：人民路 1 号"},
        "link": {"url": "https://shop.example.com/spring?id=1", "desc": "春季上新"},
        "miniprogram": {"appid": "wx1234567890abcdef", "page": "pages/index.html"},
    }.get(kind, {})
    words = {
        "text": "地址",
        "image": "新品海报",
        "link": "春季上新",
        "file": "价目表",
        "video": "使用教程",
        "miniprogram": "门店商城",
    }
    return materials.save(
        Material(kind=kind), title=title or words[kind], given={**given, **body}, file=file, folder=folder
    )
