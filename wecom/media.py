"""Files given to WeCom. The multipart body is written by hand for the sake of the file's name (path/90253)."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from wecom.fields import Raw, moment, text

_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|]+')
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Upload:
    """A file under the field `media`. WeCom wants its name as plain UTF-8: the form `filename*=` is refused (44001)."""

    filename: str
    content: bytes = field(repr=False)

    def encoded(self) -> tuple[str, bytes]:
        """Content type and body. The boundary is random, so that no file can hold it."""
        boundary = f"scrm-{secrets.token_hex(16)}"
        name = plain_name(self.filename)
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="media"; filename="{name}"; filelength={len(self.content)}\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = b"".join((head.encode(), self.content, f"\r\n--{boundary}--\r\n".encode()))
        return f"multipart/form-data; boundary={boundary}", body


def plain_name(filename: str) -> str:
    """A name that cannot end its header early, with its extension kept when it is cut."""
    name = _UNSAFE.sub("_", filename.encode("utf-8", "ignore").decode()).strip(" .") or "file"
    stem, dot, extension = name.rpartition(".")
    if dot and len(extension) <= 8:
        return f"{stem[: _LONGEST - len(extension) - 1]}.{extension}"
    return name[:_LONGEST]


@dataclass(slots=True)
class UploadedMedia:
    """A temporary file at WeCom; its time comes as text in places."""

    media_id: str
    kind: str
    created_at: datetime | None
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        return cls(text(raw, "media_id"), text(raw, "type"), moment(raw, "created_at"), raw)
