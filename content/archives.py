"""Zip archives and the office formats made of them: judged by their table of contents, never unpacked.

The table is bounded before it is read; what it promises is compared with what the file can hold.
"""

import re
import struct
import zipfile
import zlib
from typing import IO

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

END = struct.Struct("<4s4H2LH")  # end of central directory
MOST_ENTRIES = 5_000
LARGEST_TABLE = 2 * 1024 * 1024
LARGEST_INSIDE = 200 * 1024 * 1024
HIGHEST_RATIO = 200  # of an entry above a megabyte: office documents stay far below
ARCHIVES = (".zip", ".rar", ".7z", ".gz", ".tgz", ".bz2", ".xz", ".jar", ".cab", ".iso")
PROGRAMS = (
    ".exe",
    ".dll",
    ".bat",
    ".cmd",
    ".com",
    ".scr",
    ".js",
    ".vbs",
    ".ps1",
    ".sh",
    ".msi",
    ".apk",
    ".lnk",
    ".html",
    ".htm",
)
SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
WIDE_CELL = re.compile(rb'r="[A-Z]{4,}\d|spans="\d+:(?:1638[5-9]|163[9]\d|16[4-9]\d\d|1[7-9]\d{3}|[2-9]\d{4}|\d{6,})"')
WIDE_DIMENSION = re.compile(rb'<dimension ref="[^"]*?:?[A-Z]{4,}\d')
LOOKED_AT = 512 * 1024  # of each sheet, unpacked


def refuse_bomb(file: IO[bytes], size: int, *, inside: str, wrong: ValidationError) -> None:
    """ValidationError unless the archive is honest, small when unpacked, and free of archives and programs."""
    _bound_table(file, size, wrong)
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _judge(entries, size, office=bool(inside))
            if inside and not any(entry.filename.startswith(inside) for entry in entries):
                raise wrong
            if inside == "xl/":
                _refuse_wide_sheets(archive, entries)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, ValueError, OSError):
        raise wrong from None
    except RuntimeError:  # encrypted
        raise ValidationError(_("不支持加密的文件，请去掉密码后再上传")) from None


def _bound_table(file: IO[bytes], size: int, wrong: ValidationError) -> None:
    """The table of contents is read only once it is known to be small, and to stand at the file's end."""
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        raise wrong
    start = max(0, size - END.size - 65_535)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or place + END.size > len(tail):
        raise wrong
    _sign, disk, _start_disk, here, total, table, offset, comment = END.unpack_from(tail, place)
    if disk or here != total or start + place + END.size + comment != size:
        raise wrong
    if total > MOST_ENTRIES or table > LARGEST_TABLE or offset + table > size:  # zip64 says 65535 and 2^32-1 here
        raise ValidationError(_("压缩包里的文件太多，不能上传"))


def _judge(entries: list[zipfile.ZipInfo], size: int, *, office: bool) -> None:
    too_large = ValidationError(_("文件解压后过大，不能上传"))
    if (
        sum(entry.compress_size for entry in entries) > size
        or sum(entry.file_size for entry in entries) > LARGEST_INSIDE
    ):
        raise too_large
    if len({entry.header_offset for entry in entries}) != len(entries):  # entries that share their bytes
        raise too_large
    for entry in entries:
        if entry.file_size > 1024 * 1024 and entry.file_size > HIGHEST_RATIO * max(1, entry.compress_size):
            raise too_large
        name = entry.filename.replace("\\", "/").lower()
        if (
            name.startswith("/")
            or ".." in name.split("/")
            or re.match(r"[a-z]:", name)
            or "\x00" in entry.orig_filename
        ):
            raise ValidationError(_("压缩包里有不安全的文件路径，不能上传"))
        if not office and name.endswith(ARCHIVES):
            raise ValidationError(_("压缩包里还有压缩包，请展开后再上传"))
        if not office and name.endswith(PROGRAMS):
            raise ValidationError(_("压缩包里有程序或网页文件，不能上传"))


def _refuse_wide_sheets(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    """No sheet has more than 16,384 columns; one that says so is made to choke whoever opens it."""
    for entry in [one for one in entries if SHEET.fullmatch(one.filename)][:50]:
        with archive.open(entry) as sheet:
            start = sheet.read(LOOKED_AT)
        if WIDE_DIMENSION.search(start) or WIDE_CELL.search(start):
            raise ValidationError(_("表格的列数超出 Excel 的上限，不能上传"))
