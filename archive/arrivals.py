"""A message on its way: sealed as it was pulled, opened or not, and read for the tables."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from archive import kinds
from archive.people import Place


@dataclass(slots=True)
class Payload:
    """A plaintext: as an object, and as the text that Postgres takes."""

    value: dict[str, Any]
    text: str


class Sealed(NamedTuple):
    """An envelope as it is read for opening: a model instance costs more than all the rest of its message."""

    pk: int
    seq: int
    msgid: str
    key_version: int
    random_key: str
    body: str


@dataclass(slots=True)
class Outcome:
    """What became of an envelope."""

    envelope: Sealed
    state: str
    reason: str = ""
    payload: Payload | None = None


@dataclass(slots=True)
class Arrival:
    """A message on its way into the tables."""

    envelope: Sealed
    payload: Payload
    reading: kinds.Reading
    place: Place
    sender: str
    at: datetime
    from_customer: bool
    text: str
    files: list[kinds.File]
    id: int = 0
    conversation: int = 0

    @property
    def is_system(self) -> bool:
        return self.reading.kind in kinds.SYSTEM


def payload_of(text: str) -> Payload | None:
    """Strict JSON goes to Postgres as it is. NUL and halves of characters are JSON that Postgres refuses."""
    try:
        value = orjson.loads(text)
        if "\\u0000" not in text:
            return Payload(value, text) if isinstance(value, dict) else None
    except orjson.JSONDecodeError:
        pass
    try:
        loose = json.loads(text, strict=False, parse_constant=lambda _: None)
        clean = json.dumps(loose, ensure_ascii=False).replace("\\u0000", "").encode("utf-8", "replace").decode()
        value = json.loads(clean)
    except (ValueError, RecursionError):
        return None
    return Payload(value, clean) if isinstance(value, dict) else None
