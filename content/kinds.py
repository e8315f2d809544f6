"""The kinds of material: what each holds, and WeCom's limits for it (wecom-api.md 5.7, 6.2). All sizes in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from content.models import Material, MediaId

Kind = Material.Kind
MB = 1024 * 1024
SMALLEST = 6  # media/upload refuses five bytes and less
LONGEST_TEXT = 4000
LONGEST_URL = 2048
MOST_ATTACHMENTS = 9


@dataclass(frozen=True)
class FileRule:
    """What may be uploaded for a kind, and as what WeCom takes it."""

    use: str
    largest: int
    extensions: tuple[str, ...]
    words: Any  # the rule in a sentence, shown before the upload


PICTURE = FileRule(MediaId.Use.IMAGE, 10 * MB, ("jpg", "jpeg", "png"), _("JPG 或 PNG，不超过 10 MB"))
VIDEO = FileRule(MediaId.Use.VIDEO, 10 * MB, ("mp4",), _("MP4，不超过 10 MB"))
DOCUMENTS = (
    "pdf",
    "doc",
    "docx",
    "xls",
    "xlsx",
    "ppt",
    "pptx",
    "txt",
    "csv",
    "zip",
    "jpg",
    "jpeg",
    "png",
    "mp4",
    "mp3",
)
DOCUMENT = FileRule(
    MediaId.Use.FILE, 20 * MB, DOCUMENTS, _("PDF、Word、Excel、PPT、TXT、CSV、ZIP、图片、音视频，不超过 20 MB")
)
FILE_RULES: dict[str, FileRule] = {
    Kind.IMAGE: PICTURE,
    Kind.FILE: DOCUMENT,
    Kind.VIDEO: VIDEO,
    Kind.LINK: PICTURE,  # its cover
    Kind.MINIPROGRAM: PICTURE,  # its cover, which WeCom requires
}
NEEDS_FILE = frozenset({Kind.IMAGE, Kind.FILE, Kind.VIDEO, Kind.MINIPROGRAM})
TITLE_BYTES: dict[str, int] = {Kind.LINK: 128, Kind.MINIPROGRAM: 64}
UPLOADED = frozenset({Kind.IMAGE, Kind.FILE, Kind.VIDEO, Kind.MINIPROGRAM})  # sent by media id


def size_in_words(size: int) -> str:
    """2.4 MB, 310 KB"""
    return f"{size / MB:.1f} MB" if size >= MB else f"{max(1, size // 1024)} KB"


def clean_title(kind: str, title: str) -> str:
    title = " ".join(title.split())
    limit = TITLE_BYTES.get(kind)
    if limit and len(title.encode()) > limit:
        words = _("标题太长：企业微信最多接受 %(bytes)d 字节，约 %(chars)d 个汉字")
        raise ValidationError({"title": words % {"bytes": limit, "chars": limit // 3}})
    return title


def clean_body(kind: str, given: Mapping[str, Any]) -> dict[str, str]:
    """What a material of that kind holds, checked; ValidationError by field."""
    if kind == Kind.TEXT:
        return {"text": clean_text(given.get("text", ""))}
    if kind == Kind.LINK:
        return {"url": clean_url(given.get("url", "")), "desc": _short(given.get("desc", ""), 512, "desc")}
    if kind == Kind.MINIPROGRAM:
        appid = str(given.get("appid", "")).strip()
        if not appid.startswith("wx") or not appid.isalnum() or not 10 <= len(appid) <= 32:
            raise ValidationError({"appid": _("请填写小程序的 AppID，形如 wx1234567890abcdef")})
        page = str(given.get("page", "")).strip()
        if not page or len(page.encode()) > 1024 or not page.isprintable():
            raise ValidationError({"page": _("请填写小程序页面路径，例如 pages/index.html")})
        return {"appid": appid, "page": page}
    return {}


def clean_text(given: Any, *, field: str = "text") -> str:
    text = "".join(char for char in str(given).replace("\r\n", "\n") if char == "\n" or char.isprintable()).strip()
    if not text:
        raise ValidationError({field: _("请填写文本内容")})
    if (over := len(text.encode()) - LONGEST_TEXT) > 0:
        raise ValidationError(
            {
                field: ngettext_lazy(
                    "内容超出 %(n)d 字节，企业微信最多接受 4000 字节",
                    "内容超出 %(n)d 字节，企业微信最多接受 4000 字节",
                    over,
                )
                % {"n": over}
            }
        )
    return text


def clean_url(given: Any) -> str:
    """An address on the web, for the customer's browser: we never open it ourselves."""
    url = str(given).strip()
    problem = {"url": _("请填写完整网址，以 https:// 或 http:// 开头")}
    if len(url.encode()) > LONGEST_URL:
        raise ValidationError({"url": _("网址太长：企业微信最多接受 2048 字节")})
    if any(not char.isprintable() or char in ' \\"<>^`{|}' for char in url):
        raise ValidationError(problem)
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for a port that is none
    except ValueError:
        raise ValidationError(problem) from None
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or "." not in host.strip(".") or parts.username or parts.password:
        raise ValidationError(problem)
    return url


def _short(given: Any, limit: int, field: str) -> str:
    text = " ".join(str(given).split())
    if len(text.encode()) > limit:
        raise ValidationError(
            {field: _("太长：最多 %(bytes)d 字节，约 %(chars)d 个汉字") % {"bytes": limit, "chars": limit // 3}}
        )
    return text
