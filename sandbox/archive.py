"""The session archive of a corp: what was said, kept in one sequence, and its settings (wecom-api.md 7).

Messages lie here in plain; they are sealed when they are pulled, each for the key that was current when it was said.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.archive_files import ArchiveFile, sdk_file_id

if TYPE_CHECKING:
    from sandbox.conversations import Message
    from sandbox.corp import Corp

MOST = 200_000
FIVE_DAYS = 5 * 86_400.0


@dataclass(slots=True)
class Entry:
    """One record of the archive."""

    seq: int
    msgid: str
    at: float
    plain: dict[str, Any]
    version: int  # of the public key it is sealed for
    said: int = 0  # seq of the conversation's message
    broken: str = ""  # "short" or "garbled": a ciphertext nobody can open


@dataclass(slots=True)
class Settings:
    """What the admin console holds."""

    enabled: bool = False
    expired: bool = False
    permitted: list[str] | None = None  # members in the archive's range; None: all with 客户联系
    edition: int = 2
    most: int = 1000  # of one pull; asking for more: 301058
    per_minute: int = 600
    keep_seconds: float = FIVE_DAYS
    notify_seconds: float = 15.0
    step: int = 1  # seq is increasing, not dense


class Archive:
    def __init__(self) -> None:
        self.settings = Settings()
        self.keys: dict[int, str] = {}  # version → public key in PEM
        self.seq = 0
        self.entries: dict[int, Entry] = {}
        self.order: list[int] = []  # their seqs
        self.by_message: dict[int, Entry] = {}
        self.files: dict[str, ArchiveFile] = {}
        self.consents: dict[str, list[Any]] = {}  # "userid external_userid" → [status, since]
        self.notified_at = 0.0
        self.waiting = False

    @property
    def version(self) -> int:
        return max(self.keys, default=0)

    def put(self, entry: Entry) -> None:
        self.seq = max(self.seq, entry.seq)
        self.entries[entry.seq] = entry
        self.order.append(entry.seq)
        if entry.said and entry.plain.get("action") == "send":
            self.by_message[entry.said] = entry

    def since(self, seq: int, limit: int, now: float) -> Iterator[Entry]:
        """What came after that seq and is not older than five days."""
        oldest = now - self.settings.keep_seconds
        for number in self.order[bisect_right(self.order, seq) :]:
            if limit <= 0:
                return
            entry = self.entries[number]
            if entry.at >= oldest:
                limit -= 1
                yield entry


def add(corp: Corp, plain: dict[str, Any], at: float, *, said: int = 0, broken: str = "") -> Entry:
    """A record of the archive; `plain` gets its msgid."""
    archive = corp.archive
    outside = any(is_outside(corp, one) for one in [plain.get("from", ""), *plain.get("tolist", [])])
    msgid = plain.get("msgid") or f"{secrets.randbelow(10**19)}_{int(at * 1000)}{'_external' if outside else ''}"
    seq = archive.seq + archive.settings.step
    entry = Entry(seq, msgid, at, {"msgid": msgid, **plain}, archive.version, said, broken)
    archive.put(entry)
    corp.touch("archive", str(entry.seq))
    while len(archive.entries) > MOST:
        first = archive.order.pop(0)
        archive.by_message.pop(archive.entries.pop(first).said, None)
        corp.touch("archive", str(first))
    return entry


def is_outside(corp: Corp, person: str) -> bool:
    return bool(person) and person.lower() not in corp.staff and person[:2] in ("wm", "wo")


def permitted(corp: Corp) -> list[str]:
    """The members whose talk is kept."""
    named = corp.archive.settings.permitted
    if named is not None:
        return [userid for userid in named if userid.lower() in corp.staff]
    return [staff.userid for staff in corp.staff.values() if staff.customer_contact]


def keeps(corp: Corp, people: list[str]) -> bool:
    """Whether talk between these is kept: one of them is in the range."""
    named = corp.archive.settings.permitted
    for person in people:
        staff = corp.staff.get(person.lower())
        if staff is not None and (staff.customer_contact if named is None else staff.userid in named):
            return True
    return False


def refuses(corp: Corp, people: list[str]) -> bool:
    """Talk between two is not kept once the customer said no to it (wecom-api.md 7.1)."""
    pairs = (f"{one} {other}" for one in people for other in people if one != other)
    return any(corp.archive.consents.get(pair, ["", 0])[0] == "Disagree" for pair in pairs)


# -- from the conversations ------------------------------------------------------------------------------------------


def record(corp: Corp, message: Message) -> Entry | None:
    """A message of the conversations as the archive keeps it; a message taken back adds one more."""
    settings = corp.archive.settings
    if not settings.enabled or not corp.archive.keys or message.kind == "notice":
        return None
    people = [message.sender, *message.receivers]
    if not keeps(corp, people) or (not message.chat_id and refuses(corp, people)):
        return None
    if message.revoked_at:
        before = corp.archive.by_message.get(message.seq)
        if before is None:
            return None
        content = {"msgtype": "revoke", "revoke": {"pre_msgid": before.msgid}}
        return add(corp, envelope(message, "recall", message.revoked_at) | content, message.revoked_at)
    return add(corp, envelope(message, "send", message.at) | content_of(corp, message), message.at, said=message.seq)


def envelope(message: Message, action: str, at: float) -> dict[str, Any]:
    return {
        "action": action,
        "from": message.sender,
        "tolist": list(message.receivers),
        "roomid": message.chat_id,
        "msgtime": int(at * 1000),
    }


def content_of(corp: Corp, message: Message) -> dict[str, Any]:
    """msgtype and its object, in the archive's own words (wecom-api.md 7.4)."""
    kind, given = message.kind, message.payload
    if kind == "text":
        return {"msgtype": "text", "text": {"content": str(given.get("content") or "")}}
    if kind == "link":
        names = {"title": "title", "description": "desc", "link_url": "url", "image_url": "picurl"}
        return {"msgtype": "link", "link": {name: str(given.get(other) or "") for name, other in names.items()}}
    if kind == "miniprogram":
        title, appid = str(given.get("title") or ""), str(given.get("appid") or "")
        app = {"title": title, "description": title, "username": f"{appid}@app", "displayname": title}
        return {"msgtype": "weapp", "weapp": app}
    if kind == "card":
        return {"msgtype": "card", "card": {"corpname": corp.name, "userid": str(given.get("userid") or "")}}
    if kind == "location":
        place = {"longitude": 113.2644, "latitude": 23.1291, "address": "", "title": "", "zoom": 15} | given
        return {"msgtype": "location", "location": place}
    return {"msgtype": kind, kind: file_fields(corp, kind, given)}


def file_fields(corp: Corp, kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """A picture, voice, video, file or emotion, whose bytes are kept under a file id of their own."""
    media = corp.media.get(str(given.get("media_id") or ""))
    body = media.body if media is not None and media.body else b"sandbox " + repr(sorted(given.items())).encode()
    filename = str(given.get("filename") or (media.filename if media is not None else "") or f"{kind}.bin")
    return keep_file(corp, kind, body, filename)


def keep_file(corp: Corp, kind: str, body: bytes, filename: str) -> dict[str, Any]:
    file = ArchiveFile.of(body, time.time())
    corp.archive.files[file.fileid] = file
    corp.touch("archive_file", file.fileid)
    size = "voice_size" if kind == "voice" else "imagesize" if kind == "emotion" else "filesize"
    fields: dict[str, Any] = {"md5sum": hashlib.md5(body).hexdigest(), size: len(body), "sdkfileid": sdk_file_id(file)}
    if kind in ("voice", "video"):
        fields["play_length"] = 12
    if kind == "file":
        fields |= {"filename": filename, "fileext": filename.rpartition(".")[2]}
    if kind == "emotion":
        fields |= {"type": 1, "width": 240, "height": 240}
    return fields


# -- written down ----------------------------------------------------------------------------------------------------


def head(archive: Archive) -> dict[str, Any]:
    keys = {str(version): pem for version, pem in archive.keys.items()}
    return {"settings": archive.settings, "keys": keys, "consents": archive.consents, "seq": archive.seq}


def restore(archive: Archive, written: dict[str, Any]) -> None:
    archive.settings = Settings(**written.get("settings", {}))
    archive.keys = {int(version): pem for version, pem in written.get("keys", {}).items()}
    archive.consents = dict(written.get("consents", {}))
    archive.seq = int(written.get("seq", 0))
