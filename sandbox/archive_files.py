"""Files of the archive: kept sealed, named by a file id that holds the key (wecom-api.md 7.2)."""

from __future__ import annotations

import base64
import os
import re
import secrets
from dataclasses import dataclass
from typing import Any

from Crypto.Cipher import AES

from sandbox.errors import ApiError

BLOCK = 512 << 10  # the library asks for pieces of this size
RANGE = re.compile(r"bytes=(\d+)-(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class ArchiveFile:
    fileid: str
    authkey: str
    key: str  # 32 hex digits
    body: bytes
    at: float

    @classmethod
    def of(cls, body: bytes, at: float) -> ArchiveFile:
        return cls(secrets.token_hex(40), secrets.token_hex(24), os.urandom(16).hex(), body, at)

    def sealed(self) -> bytes:
        pad = 16 - len(self.body) % 16
        return AES.new(bytes.fromhex(self.key), AES.MODE_ECB).encrypt(self.body + bytes([pad]) * pad)


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def protobuf(*fields: str | int) -> bytes:
    """Fields 1, 2, …: text by length, numbers as varint."""
    body = b""
    for number, value in enumerate(fields, 1):
        if isinstance(value, int):
            body += bytes([number << 3]) + varint(value)
        else:
            body += bytes([number << 3 | 2]) + varint(len(value.encode())) + value.encode()
    return body


def sdk_file_id(file: ArchiveFile) -> str:
    return base64.b64encode(protobuf(file.fileid, file.authkey, file.key)).decode()


def piece(file: ArchiveFile, wanted: str) -> tuple[bytes, str]:
    """The bytes of a Range header, and where they lie in the whole."""
    body = file.sealed()
    found = RANGE.fullmatch(wanted.replace(" ", ""))
    start, end = (int(found[1]), int(found[2])) if found else (0, BLOCK - 1)
    if start >= len(body):
        raise ApiError(301048, "range")
    end = min(end, len(body) - 1)
    return body[start : end + 1], f"BYTES {start}-{end}/{len(body)}"


def record(file: ArchiveFile) -> dict[str, Any]:
    fields = {name: getattr(file, name) for name in ArchiveFile.__slots__}
    return fields | {"body": base64.b64encode(file.body).decode()}


def opened(written: dict[str, Any]) -> ArchiveFile:
    return ArchiveFile(**written | {"body": base64.b64decode(written["body"])})
