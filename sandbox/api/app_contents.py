"""What messages of an app may hold, kind by kind (wecom-api.md 6.1)."""

from __future__ import annotations

from typing import Any

from sandbox import media
from sandbox.api import Ask
from sandbox.api.cards import check_card
from sandbox.errors import ApiError

MEDIA = ("image", "voice", "video", "file")
KINDS = (
    *MEDIA,
    "text",
    "markdown",
    "textcard",
    "news",
    "mpnews",
    "miniprogram_notice",
    "template_card",
)
TEXT_BYTES = 2048
MPNEWS_BYTES = 666 << 10
MISSING = {"title": 41016, "description": 41033, "url": 41010}
ARTICLE = {"title": 128, "description": 512, "url": 2048, "author": 64, "digest": 512}


def check_content(ask: Ask, kind: str, content: Any) -> None:
    if not isinstance(content, dict) or not content:
        raise ApiError(44004)
    if kind in ("text", "markdown"):
        check_words(content)
    elif kind in MEDIA:
        if not content.get("media_id"):
            raise ApiError(41006)
        media.check(ask.corp, content["media_id"], kind, ask.now)
        check_lengths(content)
    elif kind == "textcard":
        check_textcard(content)
    elif kind in ("news", "mpnews"):
        articles = content.get("articles")
        if not isinstance(articles, list) or not 1 <= len(articles) <= 8:
            raise ApiError(45008)
        for article in articles:
            check_article(ask, kind, article if isinstance(article, dict) else {})
    elif kind == "miniprogram_notice":
        raise ApiError(48002, "only for apps of a mini program")
    elif kind == "template_card":
        check_card(content)


def check_words(content: dict[str, Any]) -> None:
    text = content.get("content")
    if not isinstance(text, str) or not text:
        raise ApiError(44004)
    if len(text.encode()) > TEXT_BYTES:
        raise ApiError(45002)


def check_lengths(content: dict[str, Any]) -> None:
    for name, longest in ARTICLE.items():
        if len(str(content.get(name) or "").encode()) > longest:
            raise ApiError(40058, f"{name} exceed max length {longest}")


def check_textcard(content: dict[str, Any]) -> None:
    for name, code in MISSING.items():
        if not isinstance(content.get(name), str) or not content[name]:
            raise ApiError(code)
    check_lengths(content)
    if not content["url"].startswith(("http://", "https://")):
        raise ApiError(45034)
    if len(str(content.get("btntxt") or "")) > 4:
        raise ApiError(40058, "btntxt exceed max length 4")


def check_article(ask: Ask, kind: str, article: dict[str, Any]) -> None:
    if not article.get("title"):
        raise ApiError(41016)
    check_lengths(article)
    if kind == "mpnews":
        media.check(ask.corp, article.get("thumb_media_id"), "image", ask.now)
        if not article.get("content") or len(str(article["content"]).encode()) > MPNEWS_BYTES:
            raise ApiError(45002 if article.get("content") else 44004)
    elif not article.get("url") and not (article.get("appid") and article.get("pagepath")):
        raise ApiError(41010)
