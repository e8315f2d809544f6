"""Reads single fields of an answer. None of them raises: WeCom leaves fields out, and adds others, without notice."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Raw = Mapping[str, Any]


def text(raw: Raw, name: str) -> str:
    """A field that should be text; numbers are written out, anything else counts as absent."""
    value = raw.get(name)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) else ""


def number(raw: Raw, name: str, default: int = 0) -> int:
    """A field that should be a whole number, also when WeCom writes it as text (gender of a member)."""
    value = raw.get(name)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    return default


def moment(raw: Raw, name: str) -> datetime | None:
    """A Unix time; None for absent, zero or impossible."""
    seconds = number(raw, name)
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 253_402_300_800 else None


def objects(raw: Raw, name: str) -> list[dict[str, Any]]:
    value = raw.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(raw: Raw, name: str) -> list[str]:
    value = raw.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def numbers(raw: Raw, name: str) -> list[int]:
    value = raw.get(name)
    return [item for item in value if isinstance(item, int)] if isinstance(value, list) else []


def ids_in(raw: Raw, name: str, key: str) -> list[str]:
    """The `key` of each object in a list: `[{"userid": "a"}]` as `["a"]`."""
    return [found for item in objects(raw, name) if (found := text(item, key))]
