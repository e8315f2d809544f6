"""Whom a browser plays: the chat client writes it into a cookie, pages inside its windows are opened by that person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode

COOKIE = "sandbox_visitor"
ENTRIES = ("single_chat_tools", "group_chat_tools", "contact_profile", "chat_attachment", "normal")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A member in front of a page: where it was opened, and beside which chat."""

    corp_id: str
    person: str
    entry: str = "normal"
    peer: str = ""  # the customer of the open chat
    chat_id: str = ""

    @property
    def jar(self) -> str:
        """The name of this person's own cookie jar: two members played in one browser share no session."""
        return hashlib.sha256(f"{self.corp_id}/{self.person}".encode()).hexdigest()[:10]


def visitor_of(cookies: Mapping[str, str]) -> Visitor | None:
    fields = dict(parse_qsl(unquote(cookies.get(COOKIE, ""))))
    if not fields.get("corp_id") or not fields.get("person"):
        return None
    entry = fields.get("entry", "normal")
    return Visitor(
        fields["corp_id"],
        fields["person"],
        entry if entry in ENTRIES else "normal",
        fields.get("peer", ""),
        fields.get("chat_id", ""),
    )


def cookie_of(visitor: Visitor) -> str:
    """The cookie's value, for those who write it without the chat client."""
    fields = {name: getattr(visitor, name) for name in Visitor.__slots__}
    return quote(urlencode({name: value for name, value in fields.items() if value}), safe="")
