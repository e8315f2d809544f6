"""Files up and down (wecom-api.md 6.2): types, sizes, three days of life, wrong doors."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sandbox import media
from sandbox.api import SELLING_KINDS, Ask, Blob, api
from sandbox.errors import ApiError
from sandbox.media import MIB, Part

PICTURE_BYTES = 2 * MIB
PICTURES_A_DAY, PICTURES_A_MONTH = 1000, 3000
PURPOSES = {"1": "moment", "2": "album"}
DAY = 86_400


def sent_file(ask: Ask) -> Part:
    part = media.read_part(ask.content_type, ask.raw, "media")
    if part is None or not part.body:
        raise ApiError(44001)
    return part


@api("POST", "media/upload", raw=True)
def upload(ask: Ask) -> dict[str, Any]:
    kind = ask.query.get("type", "")
    if kind not in media.LARGEST:
        raise ApiError(40005)
    part = sent_file(ask)
    if len(part.body) <= media.SMALLEST:
        raise ApiError(40006)
    if len(part.body) > media.LARGEST[kind]:
        raise ApiError(media.TOO_LARGE[kind])
    content_type = media.sniff(kind, part)
    if not content_type:
        raise ApiError(40123 if kind == "image" else 40004)
    kept = media.add(ask.corp, kind, "message", part, content_type, ask.now)
    return {"type": kind, "media_id": kept.media_id, "created_at": str(int(ask.now))}


@api("POST", "media/uploadimg", raw=True)
def upload_picture(ask: Ask) -> dict[str, Any]:
    part = sent_file(ask)
    if not media.SMALLEST < len(part.body) <= PICTURE_BYTES:
        raise ApiError(40009)
    content_type = media.sniff("image", part)
    if not content_type:
        raise ApiError(40123)
    ages = [ask.now - one.created_at for one in ask.corp.media.values() if one.purpose == "picture"]
    if sum(age < DAY for age in ages) >= PICTURES_A_DAY or sum(age < 30 * DAY for age in ages) >= PICTURES_A_MONTH:
        raise ApiError(45009)
    kept = media.add(ask.corp, "image", "picture", part, content_type, ask.now)
    return {"url": f"{ask.world.for_browsers(ask.site)}/_sandbox/corps/{ask.corp.corp_id}/media/{kept.media_id}"}


@api("POST", "media/upload_attachment", SELLING_KINDS, raw=True)
def upload_attachment(ask: Ask) -> dict[str, Any]:
    """Files of moments (1: pictures, videos) and of the product album (2: pictures)."""
    kind, purpose = ask.query.get("media_type", ""), PURPOSES.get(ask.query.get("attachment_type", ""), "")
    if not ask.app.customer_contact:
        raise ApiError(48002)
    if kind not in ("image", "video", "file"):
        raise ApiError(40005)
    if kind not in {"moment": ("image", "video"), "album": ("image",)}.get(purpose, ()):
        raise ApiError(41072)
    part = sent_file(ask)
    if not media.SMALLEST < len(part.body) <= media.LARGEST[kind]:
        raise ApiError(41080)
    content_type = media.sniff(kind, part)
    if not content_type:
        raise ApiError(40123 if kind == "image" else 41090)
    kept = media.add(ask.corp, kind, purpose, part, content_type, ask.now)
    return {"type": kind, "media_id": kept.media_id, "created_at": int(ask.now)}


@api("GET", "media/get")
def download(ask: Ask) -> Blob:
    if not ask.query.get("media_id"):
        raise ApiError(41006)
    found = media.find(ask.corp, ask.query["media_id"], ask.now)
    place = f"attachment; filename=\"{found.filename}\"; filename*=UTF-8''{quote(found.filename)}"
    return Blob(found.body, found.content_type, ((b"content-disposition", place.encode()),))


@api("GET", "media/get/jssdk")
def download_voice(ask: Ask) -> Blob:
    """Voice of the JS-SDK only."""
    if not ask.query.get("media_id"):
        raise ApiError(41006)
    found = media.find(ask.corp, ask.query["media_id"], ask.now)
    if found.kind != "voice":
        raise ApiError(40007)
    return Blob(found.body, found.content_type)
