"""Welcome messages, once for each code (wecom-api.md 5.8)."""

from __future__ import annotations

from typing import Any

from sandbox import conversations
from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.api.attachments import check_attachments, check_text
from sandbox.errors import ApiError
from sandbox.objects import Welcome

BEING_SENT = 3.0  # so long another app sees "being sent" instead of a used code
LONGEST_TEXT = 4000


@api("POST", "externalcontact/send_welcome_msg", SELLING_KINDS)
def send_welcome(ask: Ask) -> dict[str, Any]:
    """One message per code within 20 s of the event; the first app wins."""
    corp = ask.corp
    code = ask.text("welcome_code", 512)
    if not code:
        raise ApiError(41049)
    text, attachments = check_text(ask.body, LONGEST_TEXT), check_attachments(ask, ask.body.get("attachments"))
    if not text and not attachments:
        raise ApiError(40063, "text and attachments are both empty")
    welcome = corp.welcomes.get(code)
    check_welcome(ask, welcome)
    assert welcome is not None
    welcome.used_by, welcome.used_at = ask.app.key, ask.now
    welcome.content = {"text": text, "attachments": attachments}
    customer = corp.customers.get(welcome.external_userid)
    follow = customer.follows.get(welcome.userid) if customer else None
    if follow is not None:
        follow.welcomed = True
        corp.touch("customer", welcome.external_userid)
    for kind, payload in conversations.bubbles(text, attachments):
        conversations.say(corp, welcome.userid, [welcome.external_userid], kind, payload, via="welcome")
    waited = ask.now - welcome.created_at
    ask.world.effects.note(
        corp,
        "welcome",
        code=code,
        userid=welcome.userid,
        external_userid=welcome.external_userid,
        text=text,
        attachments=[item["msgtype"] for item in attachments],
        after=round(waited, 3),
    )
    return {}


def check_welcome(ask: Ask, welcome: Welcome | None) -> None:
    corp = ask.corp
    if welcome is None or ask.now - welcome.created_at > corp.limits.welcome_seconds:
        raise ApiError(41050)
    staff = corp.staff.get(welcome.userid.lower())
    if staff is None or not corp.sees(ask.app, staff):
        raise ApiError(41050)
    if welcome.used_by and welcome.used_by != ask.app.key and ask.now - welcome.used_at < BEING_SENT:
        raise ApiError(41096)
    if welcome.used_by:
        raise ApiError(41050)
    customer = corp.customers.get(welcome.external_userid)
    follow = customer.follows.get(welcome.userid) if customer else None
    if follow is not None and follow.chat_begun:
        raise ApiError(41051)
