"""What people and WeCom say to each other: one room for each pair of people and one for each group, in one sequence.

The chat client shows the rooms, the archive reads all of it by `seq`. Listeners hear each message when it is said.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.corp import Corp

KINDS = ("text", "image", "voice", "video", "file", "link", "miniprogram", "card", "location", "emotion", "notice")
MOST = 200_000  # of one corp: older ones are forgotten


@dataclass(slots=True)
class Message:
    """One message, or (kind `notice`, sender "") a grey line of WeCom itself that no archive holds."""

    seq: int  # grows by one with each message of the corp
    id: str
    room: str  # chat_id of the group, or the two ids of a pair
    at: float
    sender: str
    receivers: list[str]
    chat_id: str  # "" between two people
    kind: str
    payload: dict[str, Any]  # what WeCom's attachments hold under their msgtype: text {content}, link {title, url, …}
    via: str = "typed"  # typed | welcome | mass | sidebar | wecom
    revoked_at: float = 0.0


class Conversations:
    """The messages of one corp."""

    def __init__(self) -> None:
        self.seq = 0
        self.messages: dict[int, Message] = {}  # by seq, in order
        self.rooms: dict[str, list[Message]] = defaultdict(list)

    def put(self, message: Message) -> None:
        self.seq = max(self.seq, message.seq)
        self.messages[message.seq] = message
        self.rooms[message.room].append(message)


Listener = Callable[["Corp", Message], None]
listeners: list[Listener] = []  # each is called in the event loop, at once, and must not raise


def room_of(*people: str) -> str:
    """The room of two people, whoever of them speaks."""
    return " ".join(sorted(person for person in set(people) if person))


def say(
    corp: Corp,
    sender: str,
    receivers: Iterable[str],
    kind: str,
    payload: dict[str, Any],
    *,
    chat_id: str = "",
    at: float | None = None,
    via: str = "typed",
) -> Message:
    """Puts a message into the room of that group, or of the two people; a group's receivers may be left out."""
    talk = corp.conversations
    seen_by = list(receivers)
    if chat_id and not seen_by and chat_id in corp.groups:
        seen_by = [member for member in corp.groups[chat_id].members if member != sender]
    message = Message(
        talk.seq + 1,
        corp.new_id("msg", 40),
        chat_id or room_of(sender, *seen_by),
        time.time() if at is None else at,
        sender,
        seen_by,
        chat_id,
        kind,
        payload,
        via,
    )
    talk.put(message)
    corp.touch("message", str(message.seq))
    forget_old(corp)
    for listener in listeners:
        listener(corp, message)
    return message


def bubbles(text: str, attachments: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """What a welcome or a mass message looks like in the chat: the text first, each attachment after it."""
    spoken: list[tuple[str, dict[str, Any]]] = [("text", {"content": text})] if text else []
    return spoken + [(str(item["msgtype"]), item[item["msgtype"]]) for item in attachments]


def notice(corp: Corp, people: Iterable[str], text: str, *, chat_id: str = "") -> Message:
    """A grey line of WeCom in the room."""
    return say(corp, "", people, "notice", {"content": text}, chat_id=chat_id, via="wecom")


def revoke(corp: Corp, message: Message, at: float | None = None) -> None:
    """The sender takes it back; it stays in its place, marked. Listeners hear it once more."""
    message.revoked_at = time.time() if at is None else at
    corp.touch("message", str(message.seq))
    for listener in listeners:
        listener(corp, message)


def between(corp: Corp, staff: str, customer: str) -> list[Message]:
    return list(corp.conversations.rooms.get(room_of(staff, customer), ()))


def in_group(corp: Corp, chat_id: str) -> list[Message]:
    return list(corp.conversations.rooms.get(chat_id, ()))


def since(corp: Corp, seq: int, limit: int = 1000) -> list[Message]:
    """Messages after that seq, the oldest first."""
    talk = corp.conversations
    if not talk.messages:
        return []
    first = max(seq + 1, next(iter(talk.messages)))
    found = (talk.messages.get(number) for number in range(first, talk.seq + 1))
    return [message for message, _ in zip((m for m in found if m is not None), range(limit), strict=False)]


def last_of(corp: Corp, staff: str, customer: str) -> float:
    """When these two last spoke; 0 when they never did. WeCom's own lines and mass messages do not count."""
    for message in reversed(corp.conversations.rooms.get(room_of(staff, customer), ())):
        if message.via in ("typed", "sidebar"):
            return message.at
    return 0.0


def rename(corp: Corp, old: str, new: str) -> None:
    """A member's userid changed: his rooms go with him, what was said keeps the old name."""
    talk = corp.conversations
    for room in [room for room in talk.rooms if old in room.split(" ") and " " in room]:
        other = next((person for person in room.split(" ") if person != old), "")
        moved = talk.rooms.pop(room)
        for message in moved:
            message.room = room_of(new, other)
            corp.touch("message", str(message.seq))
        talk.rooms[room_of(new, other)].extend(moved)


def forget_old(corp: Corp) -> None:
    talk = corp.conversations
    while len(talk.messages) > MOST:
        first = next(iter(talk.messages))
        gone = talk.messages.pop(first)
        corp.touch("message", str(first))
        room = talk.rooms[gone.room]
        room.remove(gone)
        if not room:
            del talk.rooms[gone.room]


def view(message: Message) -> dict[str, Any]:
    """As the control API shows it."""
    return {name: getattr(message, name) for name in Message.__slots__}
