"""Events as WeCom tells them: two outer forms, XML or JSON, read into one (path/90238 to 92130)."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from wecom.errors import BadCallback
from wecom.payload import fields_of
from wecom.vocabulary import KNOWN_EVENTS, SUITE_EVENTS

__all__ = ["KNOWN_EVENTS", "BadCallback", "Event", "parse_event"]

_MAX_NAME = 64
_MAX_ID = 128
_LATEST = 4_102_444_800  # the year 2100
_IDS = ("UserID", "ExternalUserID", "ChatId", "SuiteId", "WelcomeCode")


class Event(NamedTuple):
    """One thing that happened at WeCom. It is a hint: the object itself is read from WeCom where order matters."""

    name: str
    change_type: str
    corp_id: str
    agent_id: int | None
    suite_id: str | None
    at: datetime
    fields: dict[str, Any]

    @property
    def key(self) -> str:
        """The name by which the vocabulary and the wiring know this event."""
        return f"{self.name}.{self.change_type}" if self.change_type else self.name

    @property
    def order_key(self) -> str:
        """Events with the same key are applied in turn; others may overtake each other."""
        if self.external_user_id:
            return f"c:{self.external_user_id}"
        if self.chat_id:
            return f"g:{self.chat_id}"
        if self.name in SUITE_EVENTS:  # each stands for itself: of two authorisations one may fail
            return f"p:{self.text('AuthCode') or self.corp_id or self.name}"
        if self.name == "change_external_tag":
            return "t"
        if self.key == "change_contact.update_tag":
            return f"st:{self.text('TagId')}"
        return "s" if self.name == "change_contact" else self.name

    @property
    def user_id(self) -> str:
        """The member concerned: named by the payload, or the sender of what a member did in an app."""
        sender = self.text("FromUserName")
        return self.text("UserID") or ("" if sender == "sys" else sender)

    @property
    def external_user_id(self) -> str:
        return self.text("ExternalUserID")

    @property
    def chat_id(self) -> str:
        return self.text("ChatId")

    @property
    def welcome_code(self) -> str:
        return self.text("WelcomeCode")

    @property
    def state(self) -> str:
        return self.text("State")

    def text(self, name: str) -> str:
        """A field that should be text, or nothing."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""

    def listed(self, name: str) -> list[str]:
        """A field that lists ids, whether WeCom wrote elements or commas."""
        value = self.fields.get(name, "")
        if isinstance(value, list):
            return [item for item in value if isinstance(item, str)]
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else []


def parse_event(plaintext: bytes) -> Event:
    """Reads a decrypted payload. Fields nobody knows yet are kept; only what cannot be an event is refused."""
    fields = fields_of(plaintext)
    name, change_type = _name_of(fields)
    for id_name in _IDS:
        value = fields.get(id_name, "")
        if not isinstance(value, str) or len(value) > _MAX_ID:
            raise BadCallback(f"{id_name} is not an id")
    info_form = "InfoType" in fields
    agent = fields.get("AgentID", "")
    return Event(
        name=name,
        change_type=change_type,
        corp_id=_corp_of(fields, info_form),
        agent_id=int(agent) if isinstance(agent, str) and agent.isdecimal() and len(agent) < 19 else None,
        suite_id=fields.get("SuiteId") or None,
        at=_time_of(fields, info_form),
        fields=fields,
    )


def _name_of(fields: dict[str, Any]) -> tuple[str, str]:
    """(event, change type); a member's message to the app is the event `message` of its type."""
    change_type = fields.get("ChangeType", "")
    if "InfoType" in fields:
        name = fields["InfoType"]
    elif fields.get("MsgType") == "event":
        name = fields.get("Event", "")
    else:
        name, change_type = "message", fields.get("MsgType", "")
        if not change_type:
            raise BadCallback("no event in the payload")
    for part in (name, change_type):
        if not isinstance(part, str) or len(part) > _MAX_NAME:
            raise BadCallback("event name unreadable")
    if not name:
        raise BadCallback("no event in the payload")
    return name, change_type


def _corp_of(fields: dict[str, Any], info_form: bool) -> str:
    """The company concerned; empty for what concerns a whole suite, such as suite_ticket."""
    names = ("AuthCorpId", "PaidCorpId", "CorpId") if info_form else ("ToUserName",)
    for name in names:
        if found := fields.get(name):
            break
    else:
        found = ""
    if not isinstance(found, str) or len(found) > _MAX_ID:
        raise BadCallback("corp id unreadable")
    return found


def _time_of(fields: dict[str, Any], info_form: bool) -> datetime:
    text = fields.get("TimeStamp" if info_form else "CreateTime", "")
    if not isinstance(text, str) or not text.isdecimal() or len(text) > 12 or int(text) > _LATEST:
        raise BadCallback("time unreadable")
    return datetime.fromtimestamp(int(text), UTC)
