"""What welcome and mass messages carry: a text and up to nine attachments (wecom-api.md 5.7, 5.8)."""

from __future__ import annotations

from typing import Any

from sandbox import media
from sandbox.api import Ask
from sandbox.errors import ApiError

KINDS = ("image", "link", "miniprogram", "video", "file")
MOST = 9
LINK = (("title", 128), ("desc", 512), ("url", 2048), ("picurl", 2048))
MINIPROGRAM = (("title", 64), ("appid", 64), ("page", 1024))


def check_text(body: dict[str, Any], longest: int) -> str:
    text = body.get("text")
    if text is None:
        return ""
    content = text.get("content") if isinstance(text, dict) else None
    if content is None:
        return ""
    if not isinstance(content, str):
        raise ApiError(40058, "text.content is not a string")
    if len(content.encode()) > longest:
        raise ApiError(45002)
    return content


def check_attachments(ask: Ask, given: Any) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MOST:
        raise ApiError(41064)
    for item in given:
        kind = item.get("msgtype") if isinstance(item, dict) else None
        if kind not in KINDS or not isinstance(item.get(kind), dict):
            raise ApiError(41065)
        check_one(ask, kind, item[kind])
    return given


def check_one(ask: Ask, kind: str, content: dict[str, Any]) -> None:
    """One attachment: fields, their lengths, and that its file is there and alive."""
    if kind == "link":
        require(content, "link", ("title", "url"))
        check_lengths(content, "link", LINK)
        if not str(content["url"]).startswith(("http://", "https://")):
            raise ApiError(40094)
    elif kind == "miniprogram":
        require(content, "miniprogram", ("title", "pic_media_id", "appid", "page"))
        check_lengths(content, "miniprogram", MINIPROGRAM)
        media.check(ask.corp, content["pic_media_id"], "image", ask.now)
    elif kind == "image" and not content.get("media_id"):
        if not str(content.get("pic_url") or "").startswith(("http://", "https://")):
            raise ApiError(40063, "media_id and pic_url are both empty")
    else:
        require(content, kind, ("media_id",))
        media.check(ask.corp, content["media_id"], kind, ask.now)


def require(content: dict[str, Any], kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        if not isinstance(content.get(name), str) or not content[name]:
            raise ApiError(40063, f"{kind} {name} is empty")


def check_lengths(content: dict[str, Any], kind: str, limits: tuple[tuple[str, int], ...]) -> None:
    for name, longest in limits:
        if len(str(content.get(name) or "").encode()) > longest:
            raise ApiError(40058, f"{kind} {name} exceed max length {longest}")
