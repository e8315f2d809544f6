"""Opaque cursors: they carry the place in the listing, are tied to its question, and go stale (50100)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from sandbox.corp import Corp
from sandbox.errors import ApiError


def question(*parts: Any) -> str:
    """A short name of what was asked, so that a cursor of one listing does not open another."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def sign(corp: Corp, text: str) -> str:
    return hmac.new(f"{corp.corp_id}/{corp.cursor_epoch}".encode(), text.encode(), hashlib.sha256).hexdigest()[:10]


def give(corp: Corp, asked: str, *place: int) -> str:
    text = f"{asked}.{int(time.time())}.{'.'.join(map(str, place))}"
    return base64.urlsafe_b64encode(f"{text}.{sign(corp, text)}".encode()).decode().rstrip("=")


def take(corp: Corp, asked: str, cursor: Any, length: int) -> list[int]:
    """The place a cursor stands for; zeros for the first page."""
    if cursor in (None, ""):
        return [0] * length
    if not isinstance(cursor, str):
        raise ApiError(50100)
    try:
        text, _, signature = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().rpartition(".")
        name, given_at, *place = text.split(".")
        numbers = [int(number) for number in place]
    except ValueError as error:
        raise ApiError(50100) from error
    fresh = time.time() - int(given_at) <= corp.limits.cursor_seconds
    if name != asked or len(numbers) != length or not fresh or not hmac.compare_digest(signature, sign(corp, text)):
        raise ApiError(50100)
    return numbers


def page_size(corp: Corp, limit: int, *place: int) -> int:
    """Some pages come shorter than asked for although more follow, as they do at WeCom."""
    if not corp.limits.short_pages or limit < 4:
        return limit
    roll = hashlib.sha256(repr(place).encode()).digest()
    return limit - 1 - roll[1] % (limit // 4) if roll[0] % 4 == 0 else limit
