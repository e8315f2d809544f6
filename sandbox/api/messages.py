"""Messages of an app to its members (wecom-api.md 6.1)."""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any

from sandbox.api import Ask, api
from sandbox.api.app_contents import KINDS, check_content
from sandbox.api.cards import INTERACTIVE
from sandbox.errors import ApiError
from sandbox.objects import AppMessage

LARGEST_INTERVAL = 4 * 3600
DAY = 86_400
A_MINUTE, AN_HOUR = 30, 1000  # so many a member sees from one app
KEPT = 20_000


@api("POST", "message/send", frozenset({"app"}))
def message_send(ask: Ask) -> dict[str, Any]:
    kind = check_message(ask)
    users, unknown_users, unknown_parties = receivers(ask)
    if not users:
        raise ApiError(81013)
    msgid = ask.corp.new_id("msg", 40)
    content = ask.body.get(kind)
    repeated = ask.body.get("enable_duplicate_check") == 1 and seen_before(ask, kind, content)
    message = AppMessage(msgid, ask.app.key, kind, content if isinstance(content, dict) else {}, ask.now)
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
        if shown:
            message.users.append(userid)
    keep(ask, message)
    tags = str(ask.body.get("totag") or "")
    return {
        "invaliduser": "|".join(userid.lower() for userid in unknown_users),
        "invalidparty": "|".join(unknown_parties),
        "invalidtag": tags,
        "unlicenseduser": "",
        "msgid": msgid,
    } | ({"response_code": next(iter(message.response_codes))} if message.response_codes else {})


def keep(ask: Ask, message: AppMessage) -> None:
    """What was sent can be taken back for a day, and a card answered and replaced."""
    if message.kind == "template_card" and message.content.get("card_type") in INTERACTIVE:
        message.response_codes[secrets.token_urlsafe(32)] = ask.now
    sent = ask.corp.app_messages
    sent[message.msgid] = message
    ask.corp.touch("app_message", message.msgid)
    while len(sent) > KEPT:
        first = next(iter(sent))
        del sent[first]
        ask.corp.touch("app_message", first)


@api("POST", "message/recall", frozenset({"app"}))
def recall(ask: Ask) -> dict[str, Any]:
    """Takes a message back: of the same app, within a day."""
    message = ask.corp.app_messages.get(ask.text("msgid", 64))
    if message is None or message.app_key != ask.app.key or message.recalled_at:
        raise ApiError(40058, "invalid msgid")
    if ask.now - message.at > DAY:
        raise ApiError(42052)
    message.recalled_at = ask.now
    ask.corp.touch("app_message", message.msgid)
    for entry in ask.world.effects.ring:
        if entry.get("msgid") == message.msgid:
            entry["recalled"] = True
    ask.world.effects.note(ask.corp, "message_recalled", msgid=message.msgid)
    return {}


@api("POST", "message/get_statistics", frozenset({"app"}))
def statistics(ask: Ask) -> dict[str, Any]:
    """How many people the app wrote to, today or yesterday."""
    day = ask.number("time_type", 0, 1, 0)
    midnight = ask.now - (ask.now + 8 * 3600) % DAY - day * DAY
    own = [message for message in ask.corp.app_messages.values() if message.app_key == ask.app.key]
    count = sum(len(message.users) for message in own if midnight <= message.at < midnight + DAY)
    return {"statistics": [{"agentid": ask.app.agent_id, "app_name": ask.app.name, "count": count}]}


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
    if kind not in KINDS:
        raise ApiError(40008)
    check_content(ask, str(kind), body.get(kind))
    return str(kind)


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
    """Over 30 a minute or 1,000 an hour from one app a member sees nothing more, and nobody is told."""
    times = ask.world.message_times.setdefault((ask.corp.corp_id, ask.app.key, userid), deque())
    while times and times[0] < ask.now - 3600:
        times.popleft()
    if len(times) >= AN_HOUR or (len(times) >= A_MINUTE and times[-A_MINUTE] >= ask.now - 60):
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
