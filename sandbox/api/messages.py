"""Welcome messages and messages of the app to its members (wecom-api.md 5.8, 6.1)."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.errors import ApiError
from sandbox.objects import ChatLine, Welcome

ATTACHMENTS = {"image", "link", "miniprogram", "video", "file"}
TEXT_BYTES = {"text": 2048, "markdown": 2048}
MESSAGE_TYPES = {
    "text",
    "image",
    "voice",
    "file",
    "video",
    "textcard",
    "news",
    "mpnews",
    "markdown",
    "miniprogram_notice",
    "template_card",
}
BEING_SENT = 3.0  # so long another app sees "being sent" instead of a used code
LARGEST_INTERVAL = 4 * 3600


def check_attachments(given: Any) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > 9:
        raise ApiError(41064)
    for item in given:
        kind = item.get("msgtype") if isinstance(item, dict) else None
        if kind not in ATTACHMENTS or not isinstance(item.get(kind), dict):
            raise ApiError(41065)
        if kind == "link":
            link = item["link"]
            if not link.get("title") or not link.get("url"):
                raise ApiError(40063, "link title or url is empty")
            for name, longest in (("title", 128), ("desc", 512), ("url", 2048)):
                if len(str(link.get(name) or "").encode()) > longest:
                    raise ApiError(40058, f"link {name} exceed max length {longest}")
    return given


def check_text(body: dict[str, Any], longest: int) -> str:
    text = body.get("text")
    if text is None:
        return ""
    content = text.get("content") if isinstance(text, dict) else None
    if not isinstance(content, str):
        raise ApiError(40058, "text.content is not a string")
    if len(content.encode()) > longest:
        raise ApiError(45002)
    return content


@api("POST", "externalcontact/send_welcome_msg", SELLING_KINDS)
def send_welcome(ask: Ask) -> dict[str, Any]:
    """One message per code within 20 s of the event; the first app wins."""
    corp = ask.corp
    code = ask.text("welcome_code", 512)
    if not code:
        raise ApiError(41049)
    text, attachments = check_text(ask.body, 4000), check_attachments(ask.body.get("attachments"))
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
    corp.say(welcome.external_userid, welcome.userid, ChatLine(time.time(), "welcome", text, attachments))
    waited = ask.now - welcome.created_at
    ask.world.effects.note(
        corp,
        "welcome",
        code=code,
        userid=welcome.userid,
        external_userid=welcome.external_userid,
        text=text,
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


@api("POST", "message/send", frozenset({"app"}))
def message_send(ask: Ask) -> dict[str, Any]:
    kind = check_message(ask)
    users, unknown_users, unknown_parties = receivers(ask)
    everybody_unknown = not users
    if everybody_unknown:
        raise ApiError(81013)
    msgid = ask.corp.new_id("msg", 40)
    content = ask.body.get(kind)
    repeated = ask.body.get("enable_duplicate_check") == 1 and seen_before(ask, kind, content)
    for userid in [] if repeated else users:
        shown = within_frequency(ask, userid)
        ask.world.effects.note(
            ask.corp,
            "message" if shown else "message_dropped",
            userid=userid,
            msgtype=kind,
            content=content,
            msgid=msgid,
        )
    tags = str(ask.body.get("totag") or "")
    return {
        "invaliduser": "|".join(userid.lower() for userid in unknown_users),
        "invalidparty": "|".join(unknown_parties),
        "invalidtag": tags,
        "unlicenseduser": "",
        "msgid": msgid,
    }


def check_message(ask: Ask) -> str:
    body = ask.body
    agent = body.get("agentid")
    if agent is None:
        raise ApiError(41011)
    if not isinstance(agent, int) and not (isinstance(agent, str) and agent.isdigit()):
        raise ApiError(40056)
    if int(agent) != ask.app.agent_id:
        raise ApiError(301002)
    kind = body.get("msgtype")
    if kind not in MESSAGE_TYPES:
        raise ApiError(40058, "msgtype")
    check_content(str(kind), body.get(kind))
    return str(kind)


def check_content(kind: str, content: Any) -> None:
    """The sizes of the kinds people send (wecom-api.md 6.1)."""
    if not isinstance(content, dict) or not content:
        raise ApiError(44004)
    longest = TEXT_BYTES.get(kind)
    if longest:
        text = content.get("content")
        if not isinstance(text, str) or not text:
            raise ApiError(44004)
        if len(text.encode()) > longest:
            raise ApiError(45002)
    if kind in ("news", "mpnews") and not 1 <= len(content.get("articles") or []) <= 8:
        raise ApiError(45008)
    for name, limit in (("title", 128), ("description", 512), ("url", 2048)) if kind == "textcard" else ():
        value = content.get(name)
        if not isinstance(value, str) or not value:
            raise ApiError(40063, name)
        if len(value.encode()) > limit:
            raise ApiError(40058, f"{name} exceed max length {limit}")


def receivers(ask: Ask) -> tuple[list[str], list[str], list[str]]:
    """Who gets it, and which ids stood for nobody this app may reach."""
    corp, app = ask.corp, ask.app
    asked = {
        name: [part for part in str(ask.body.get(name) or "").split("|") if part]
        for name in ("touser", "toparty", "totag")
    }
    if not any(asked.values()):
        raise ApiError(82001)
    for name, most, code in (("touser", 1000, 40032), ("toparty", 100, 82002), ("totag", 100, 82003)):
        if len(asked[name]) > most:
            raise ApiError(code)
    visible = {staff.userid.lower(): staff for staff in corp.visible_staff(app)}
    if asked["touser"] == ["@all"]:
        return [staff.userid for staff in visible.values()], [], []
    users = {key.lower(): visible[key.lower()].userid for key in asked["touser"] if key.lower() in visible}
    unknown = [userid for userid in asked["touser"] if userid.lower() not in visible]
    unknown_parties = []
    for party in asked["toparty"]:
        if not party.isdigit() or int(party) not in corp.visible_departments(app):
            unknown_parties.append(party)
            continue
        inside = corp.subtree([int(party)])
        users |= {key: s.userid for key, s in visible.items() if any(number in inside for number in s.departments)}
    return list(users.values()), unknown, unknown_parties


def within_frequency(ask: Ask, userid: str) -> bool:
    """Over 30 a minute from one app a member sees nothing more, and nobody is told."""
    times = ask.world.message_times.setdefault((ask.corp.corp_id, ask.app.key, userid), deque())
    while times and times[0] < ask.now - 60:
        times.popleft()
    if len(times) >= 30:
        return False
    times.append(ask.now)
    return True


def seen_before(ask: Ask, kind: str, content: Any) -> bool:
    interval = ask.number("duplicate_check_interval", 1, LARGEST_INTERVAL, 1800)
    key = (
        ask.corp.corp_id,
        ask.app.key,
        str(ask.body.get("touser")),
        str(ask.body.get("toparty")),
        kind,
        repr(content),
    )
    last = ask.world.message_hashes.get(key, 0.0)
    ask.world.message_hashes[key] = ask.now
    return ask.now - last < interval
