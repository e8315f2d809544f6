"""OAuth codes and user tickets: given to a page, exchanged once by its server (wecom-api.md 3.3)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sandbox.corp import Corp
from sandbox.errors import ApiError

KEPT = 10_000


@dataclass(slots=True)
class Code:
    corp_id: str
    person: str  # a member's userid, or an external_userid
    scope: str
    given_at: float
    used: bool = False


@dataclass(slots=True)
class UserTicket:
    corp_id: str
    userid: str
    given_at: float


class Logins:
    def __init__(self) -> None:
        self.codes: dict[str, Code] = {}
        self.user_tickets: dict[str, UserTicket] = {}

    def give_code(self, corp: Corp, person: str, scope: str, now: float) -> str:
        code = secrets.token_urlsafe(32)
        self.codes[code] = Code(corp.corp_id, person, scope, now)
        while len(self.codes) > KEPT:
            del self.codes[next(iter(self.codes))]
        return code

    def take_code(self, corp: Corp, value: str, now: float) -> Code:
        """Each code opens once, for five minutes."""
        if not value:
            raise ApiError(41008)
        code = self.codes.get(value)
        if code is None or code.used or code.corp_id != corp.corp_id:
            raise ApiError(40029)
        if now - code.given_at > corp.limits.oauth_code_seconds:
            raise ApiError(42003)
        code.used = True
        return code

    def give_user_ticket(self, corp: Corp, userid: str, now: float) -> str:
        value = secrets.token_urlsafe(48)
        self.user_tickets[value] = UserTicket(corp.corp_id, userid, now)
        while len(self.user_tickets) > KEPT:
            del self.user_tickets[next(iter(self.user_tickets))]
        return value

    def take_user_ticket(self, corp: Corp, value: Any, now: float) -> UserTicket:
        ticket = self.user_tickets.get(value) if isinstance(value, str) else None
        if ticket is None or ticket.corp_id != corp.corp_id:
            raise ApiError(84015)
        if now - ticket.given_at > corp.limits.user_ticket_seconds:
            raise ApiError(84014)
        return ticket
