"""Files at WeCom: temporary media that live three days, attachments of moments and albums, permanent pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sandbox.errors import ApiError

if TYPE_CHECKING:
    from sandbox.corp import Corp

SMALLEST = 5
MIB = 1 << 20
LARGEST = {"image": 10 * MIB, "voice": 2 * MIB, "video": 10 * MIB, "file": 20 * MIB}
TOO_LARGE = {"image": 40009, "voice": 40006, "video": 40011, "file": 40006}
PICTURE_TYPES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


@dataclass(slots=True)
class Media:
    media_id: str
    kind: str  # image | voice | video | file
    purpose: str  # message | moment | album | picture (permanent, by url)
    filename: str
    content_type: str
    created_at: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a multipart body."""

    filename: str
    content_type: str
    body: bytes


def sniff(kind: str, part: Part) -> str:
    """The content type the bytes speak of; empty when they are not of that kind."""
    if kind == "image":
        return next((name for magic, name in PICTURE_TYPES if part.body.startswith(magic)), "")
    if kind == "video":
        return "video/mp4" if part.body[4:8] == b"ftyp" else ""
    if kind == "voice":
        return "audio/amr" if part.body.startswith(b"#!AMR") else ""
    return part.content_type or "application/octet-stream"


def add(corp: Corp, kind: str, purpose: str, part: Part, content_type: str, now: float) -> Media:
    """Keeps the file; those that died leave their bytes behind."""
    media = Media(corp.new_id("", 64), kind, purpose, part.filename, content_type, now, part.body)
    for old in corp.media.values():
        if old.body and dead(corp, old, now):
            old.body = b""
            corp.touch("media", old.media_id)
    corp.media[media.media_id] = media
    corp.touch("media", media.media_id)
    return media


def dead(corp: Corp, media: Media, now: float) -> bool:
    return media.purpose != "picture" and now - media.created_at > corp.limits.media_seconds


def find(corp: Corp, media_id: Any, now: float) -> Media:
    """The file of that id while it lives (40007 else)."""
    media = corp.media.get(media_id) if isinstance(media_id, str) else None
    if media is None or media.purpose == "picture" or dead(corp, media, now):
        raise ApiError(40007)
    return media


def check(corp: Corp, media_id: Any, kind: str, now: float) -> Media:
    """A file that may be sent in a message: alive, of that kind, uploaded by media/upload."""
    media = find(corp, media_id, now)
    if media.kind != kind or media.purpose != "message":
        raise ApiError(40007, f"not a {kind} of media/upload")
    return media


def record(media: Media) -> dict[str, Any]:
    """As it is written down: orjson has no bytes."""
    view = {field.name: getattr(media, field.name) for field in fields(media)}
    return view | {"body": base64.b64encode(media.body).decode()}


def opened(written: dict[str, Any]) -> Media:
    return Media(**written | {"body": base64.b64decode(written["body"])})


# -- multipart -------------------------------------------------------------------------------------------------------


def option(header: str, name: str) -> str:
    """`name="value"` of a header, as UTF-8; the extended form `name*=` is not understood, as at WeCom."""
    for piece in header.split(";")[1:]:
        key, _, value = piece.strip().partition("=")
        if key.lower() == name:
            return value.strip().strip('"')
    return ""


def read_part(content_type: str, body: bytes, field: str) -> Part | None:
    """The file of that field; None when the body holds none with a file name."""
    boundary = option(content_type, "boundary")
    if not content_type.lower().startswith("multipart/form-data") or not boundary:
        return None
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        lines = [line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n")]
        headers = {name.strip().lower(): value.strip() for name, _, value in lines}
        disposition = headers.get("content-disposition", "")
        if option(disposition, "name") == field and option(disposition, "filename"):
            return Part(option(disposition, "filename"), headers.get("content-type", ""), content)
    return None
