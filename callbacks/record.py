"""What is kept of a callback: one row of the inbox, or one line of the spool while Postgres is away."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zlib import crc32

from wecom.events import Event

LANES = 4
SUSPECT_AFTER = 600  # seconds between WeCom's signed time and ours
_MAX_NAME = 80  # of the column
_CHINA = timedelta(hours=8)


class Record(NamedTuple):
    """The columns of the inbox, in the types that travel fastest: numbers, ASCII and bytes."""

    event_day: str
    dedupe_key: bytes
    tenant_id: int
    receiver_id: str
    key_version: int
    name: str
    lane: int
    urgent: bool
    suspect: bool
    event_at: int
    received_at: float
    body: bytes
    schema: str  # whom to wake; the row knows it by tenant_id


def lane_of(order_key: str) -> int:
    """Events of one customer or group share a lane, and a lane is drained in order."""
    return crc32(order_key.encode()) % LANES


def dedupe_key(receiver_id: str, plaintext: bytes) -> bytes:
    """Repeats differ in nonce and ciphertext, never in plaintext (wecom-api 1.5: events carry no id)."""
    return hashlib.sha256(receiver_id.encode() + plaintext).digest()


def is_suspect(signed_at: int, now: float) -> bool:
    """A captured callback played again later, or a wrong clock: kept, but never applied as it stands."""
    return abs(now - signed_at) > SUSPECT_AFTER


def day_of(at: datetime) -> str:
    """The day in China, where partitions begin."""
    return (at.astimezone(UTC) + _CHINA).date().isoformat()


def short_name(event: Event) -> str:
    return event.key[:_MAX_NAME]
