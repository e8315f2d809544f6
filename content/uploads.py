"""What may come in: by size, by name, and by what the bytes really are. Nothing is unpacked or decoded to find out."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from content.archives import refuse_bomb
from content.kinds import SMALLEST, FileRule, size_in_words
from content.pictures import NotAPicture, Picture, read_jpeg, read_png
from content.storage import pieces

LARGEST_BODY = 64 * 1024 * 1024  # ten files at once
LONGEST_NAME = 100
MOST_PIXELS = 50_000_000
LONGEST_EDGE = 10_800  # wecom-api.md 6.2
BIDI = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
FOREIGN = (b"<script", b"<SCRIPT", b"<html", b"<HTML", b"<?php", b"%PDF-", b"<!DOCTYPE", b"<!doctype")
ARCHIVE_TAIL = 65_557
SECOND_NATURE = _("文件里夹带了其他内容，不能上传")
TOO_LARGE = "_upload_too_large"
MIMES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "zip": "application/zip",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
INSIDE = {"docx": "word/", "xlsx": "xl/", "pptx": "ppt/"}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class Checked:
    """A file that may be stored."""

    name: str
    mime: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None


class BoundedUpload(FileUploadHandler):
    """First of the upload handlers: a body larger than anything we take is not read at all."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  the name that Django calls it by
        content_length: int,
        boundary: str,
        encoding: Any = None,
    ) -> tuple[QueryDict, MultiValueDict[str, Any]] | None:
        if content_length <= LARGEST_BODY:
            return None
        setattr(self.request, TOO_LARGE, True)
        return QueryDict(), MultiValueDict()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def was_too_large(request: HttpRequest) -> bool:
    """The form is empty because its body was not read."""
    return getattr(request, TOO_LARGE, False)


def check(file: IO[bytes], name: str, size: int, rule: FileRule) -> Checked:
    """The file as it will be stored, or ValidationError in words."""
    name = clean_name(name)
    extension = name.rpartition(".")[2].lower()
    if extension not in rule.extensions:
        raise ValidationError(_("不支持这种文件：请上传 %(rule)s") % {"rule": rule.words})
    if size > rule.largest:
        words = {"size": size_in_words(size), "rule": rule.words}
        raise ValidationError(_("文件太大（%(size)s）：请上传 %(rule)s") % words)
    if size < SMALLEST:
        raise ValidationError(_("文件是空的，请重新选择"))
    digest = hashlib.sha256()
    for piece in pieces(file):
        digest.update(piece)
    picture = _look_inside(file, extension, size)
    return Checked(name, MIMES[extension], size, digest.hexdigest(), picture.width, picture.height)


def clean_name(name: str) -> str:
    """The name alone, without a path, hidden characters or characters that Windows refuses."""
    name = unicodedata.normalize("NFC", BIDI.sub("", name))
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name) or "/" in name or "\\" in name:
        raise ValidationError(_("文件名里有不允许的字符，请改名后再上传"))
    name = re.sub(r'[:*?"<>|]', "_", name).strip(" .")
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem.strip():
        raise ValidationError(_("文件名需要带扩展名，例如“价目表.pdf”"))
    return f"{stem.strip()[: LONGEST_NAME - len(extension) - 1]}.{extension}"


NOTHING = Picture(None, None)


def _look_inside(file: IO[bytes], extension: str, size: int) -> Picture:
    """The bytes must be what the name says, and nothing else besides."""
    file.seek(0)
    head = file.read(64)
    wrong = ValidationError(_("文件内容与扩展名“%(extension)s”不符，可能已损坏或被改名") % {"extension": extension})
    if extension in {"jpg", "jpeg", "png"}:
        return _picture(file, extension, size, wrong)
    if extension == "mp4":
        _refuse_unless(_is_mp4(file, size), wrong)
        _refuse_second_nature(file)
    elif extension == "mp3":
        _refuse_unless(head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0), wrong)
    elif extension == "pdf":
        _refuse_unless(head.startswith(b"%PDF-"), wrong)
    elif extension in {"doc", "xls", "ppt"}:
        _refuse_unless(head.startswith(OLE), wrong)
    elif extension in {"txt", "csv"}:
        _refuse_unless(_is_text(file), wrong)
    else:
        refuse_bomb(file, size, inside=INSIDE.get(extension, ""), wrong=wrong)
    return NOTHING


def _picture(file: IO[bytes], extension: str, size: int, wrong: ValidationError) -> Picture:
    try:
        picture = read_png(file, size) if extension == "png" else read_jpeg(file, size)
    except NotAPicture:
        raise wrong from None
    width, height = picture.width or 0, picture.height or 0
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_EDGE:
        raise ValidationError(
            _("图片尺寸太大（%(width)d × %(height)d）：最长边不超过 10800 像素") % {"width": width, "height": height}
        )
    _refuse_second_nature(file)
    return picture


def _refuse_unless(good: bool, wrong: ValidationError) -> None:
    if not good:
        raise wrong


def _refuse_second_nature(file: IO[bytes]) -> None:
    """A picture that is a page, a program or an archive as well is not let in."""
    window = b""
    for piece in pieces(file):
        window = window[-ARCHIVE_TAIL:] + piece
        if any(mark in window for mark in FOREIGN):
            raise ValidationError(SECOND_NATURE)
    tail = window[-ARCHIVE_TAIL:]
    place = tail.rfind(b"PK\x05\x06")  # an archive ends with its table, whatever stands before it
    if place >= 0 and place + 22 + int.from_bytes(tail[place + 20 : place + 22], "little") == len(tail):
        raise ValidationError(SECOND_NATURE)


def _is_mp4(file: IO[bytes], size: int) -> bool:
    """Boxes from end to end, `ftyp` first, a `moov` among them."""
    place, names = 0, list[bytes]()
    while place + 8 <= size and len(names) < 1000:
        file.seek(place)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - place
        if length < 8 or place + length > size:
            return False
        names.append(name)
        place += length
    return bool(names) and names[0] == b"ftyp" and b"moov" in names


def _is_text(file: IO[bytes]) -> bool:
    """No zero byte, and words in one of the encodings that are met in China."""
    start = b""
    for piece in pieces(file):
        if b"\x00" in piece:
            return False
        start = start or piece
    for encoding in ("utf-8", "gb18030"):
        try:
            start[: -4 if len(start) > 4 else None].decode(encoding)
        except UnicodeDecodeError as error:
            if error.start > len(start) - 16:
                return True
        else:
            return True
    return False
