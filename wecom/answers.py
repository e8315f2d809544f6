"""Reads what WeCom answers. Anything that is not an answer of WeCom is a BrokenAnswer, never an empty result."""

import json
from typing import Any

import orjson

_LARGE = 1024 * 1024
_MAX_CONTAINERS = 600_000
_NUL = b"\\u0000"


class BrokenAnswer(Exception):
    """Not JSON, not an object, or without what the call must bring."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_answer(body: bytes, lists: tuple[str, ...]) -> dict[str, Any]:
    """The object with `errcode` as a number (0 where WeCom leaves it out) and each of `lists` as a list."""
    answer = _decoded(body)
    said_ok = "errcode" in answer
    answer["errcode"] = code = _code(answer.get("errcode", 0))
    if code == 0:
        for name in lists:
            # Taking a cut or foreign answer for "no customers" would end real friendships.
            if name not in answer and said_ok:
                answer[name] = []
            if not isinstance(answer.get(name), list):
                raise BrokenAnswer(f"answer without {name}")
    return answer


def _decoded(body: bytes) -> dict[str, Any]:
    if not body:
        raise BrokenAnswer("empty answer")
    if len(body) > _LARGE and body.count(b"{") + body.count(b"[") > _MAX_CONTAINERS:
        raise BrokenAnswer("answer with too many parts")
    try:
        found = orjson.loads(body)
    except ValueError:
        found = _decoded_leniently(body)
    else:
        if _NUL in body:
            found = _clean(found)
    if not isinstance(found, dict):
        raise BrokenAnswer("answer not a JSON object")
    return found


def _decoded_leniently(body: bytes) -> Any:
    """Nicknames bring control characters and halves of surrogate pairs, which strict JSON refuses."""
    try:
        return _clean(json.loads(body.decode("utf-8", "replace"), strict=False))
    except (ValueError, RecursionError):
        raise BrokenAnswer("answer not JSON") from None


def _clean(value: Any) -> Any:
    """Text without NUL and lone surrogates: neither can be stored."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return value


def _code(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 12:
        return int(value)
    raise BrokenAnswer("errcode not a number")
