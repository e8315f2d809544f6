"""Contact ways 「联系我」 (wecom-api.md 5.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox import contact_ways, conversations, cursors, media
from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.api.attachments import check_lengths, require
from sandbox.contact_ways import ContactWay
from sandbox.errors import ApiError

MOST_MEMBERS = 100
LONGEST = 30  # of a remark and a state
DAYS_14 = 14 * 86_400
DAYS_90 = 90 * 86_400
CONCLUSION = {
    "image": ("media_id",),
    "link": ("title", "url"),
    "miniprogram": ("title", "pic_media_id", "appid", "page"),
}


def flag(ask: Ask, name: str, default: bool) -> bool:
    value = ask.body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ApiError(40058, f"{name} is not a bool")
    return value


def choice(ask: Ask, name: str, allowed: tuple[int, ...], missing: int, wrong: int) -> int:
    value = ask.body.get(name)
    if value is None:
        raise ApiError(missing)
    if isinstance(value, bool) or value not in allowed:
        raise ApiError(wrong)
    return int(value)


def asked_members(ask: Ask, kind: int, way: ContactWay) -> tuple[list[str], list[int]]:
    """Members and departments of the way, checked; both are replaced when either is given."""
    corp = ask.corp
    if "user" not in ask.body and "party" not in ask.body and way.config_id:
        return way.user, way.party
    users = list(
        dict.fromkeys(corp.seller(userid, ask.app).userid for userid in ask.strings("user", MOST_MEMBERS * 10))
    )
    party = ask.body.get("party") or []
    if not isinstance(party, list) or not all(isinstance(one, int) and not isinstance(one, bool) for one in party):
        raise ApiError(40058, "party is not a list of integers")
    if any(number not in corp.visible_departments(ask.app) for number in party):
        raise ApiError(60011)
    if kind == 1 and (len(users) != 1 or party):
        raise ApiError(40058, "type 1 needs exactly one user")
    if not users and not party:
        raise ApiError(40063, "user and party are both empty")
    if any(corp.staff[userid.lower()].status != 1 for userid in users):
        raise ApiError(41054)
    found = contact_ways.expanded(corp, users, party)
    if len(found) > MOST_MEMBERS:
        raise ApiError(41041)
    if not found:
        raise ApiError(84074)
    return users, party


def check_conclusions(ask: Ask) -> dict[str, Any]:
    given = ask.body.get("conclusions")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ApiError(40058, "conclusions")
    if len(str((given.get("text") or {}).get("content") or "").encode()) > 4000:
        raise ApiError(45002)
    for kind, names in CONCLUSION.items():
        if kind in given:
            require(given[kind], kind, names)
            check_lengths(given[kind], kind, (("title", 128 if kind == "link" else 64), ("desc", 512)))
            for name in ("media_id", "pic_media_id"):
                if name in names:
                    media.check(ask.corp, given[kind][name], "image", ask.now)
    return given


def described(ask: Ask, way: ContactWay) -> ContactWay:
    """The way as the body wants it; what the body leaves out stays."""
    style = way.style
    if ask.body.get("style") is not None:
        style = choice(ask, "style", (0, 1, 2, 3), 41042, 41042)
    user, party = asked_members(ask, way.type, way)
    return replace(
        way,
        style=style,
        user=user,
        party=party,
        remark=ask.text("remark", LONGEST, way.remark),
        state=ask.text("state", LONGEST, way.state),
        skip_verify=flag(ask, "skip_verify", way.skip_verify),
        mark_source=flag(ask, "mark_source", way.mark_source),
        unionid=ask.text("unionid", 64, way.unionid),
        expires_in=ask.number("expires_in", 0, DAYS_14, way.expires_in),
        chat_expires_in=ask.number("chat_expires_in", 0, DAYS_14, way.chat_expires_in),
        conclusions=check_conclusions(ask) if "conclusions" in ask.body else way.conclusions,
    )


def keep(ask: Ask, way: ContactWay) -> None:
    ask.corp.contact_ways[way.config_id] = way
    ask.corp.touch("contact_way", way.config_id)


def the_way(ask: Ask) -> ContactWay:
    """The way of that id, if this app made it: nobody else sees it."""
    config_id = ask.text("config_id", 64)
    if not config_id:
        raise ApiError(41043)
    way = ask.corp.contact_ways.get(config_id)
    if way is None or way.app_key != ask.app.key:
        raise ApiError(41044)
    return way


@api("POST", "externalcontact/add_contact_way", SELLING_KINDS)
def way_add(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    kind = choice(ask, "type", (1, 2), 41037, 41039)
    scene = choice(ask, "scene", (1, 2), 41038, 41040)
    temp = flag(ask, "is_temp", False)
    if temp and (kind != 1 or not corp.limits.medical):
        raise ApiError(40058, "is_temp is for single ways of the medical industry")
    if not temp and len(corp.contact_ways) >= corp.limits.max_contact_ways:
        raise ApiError(41045)
    way = described(ask, ContactWay("", ask.app.key, kind, scene, ask.now))
    way.is_temp, way.is_exclusive = temp, flag(ask, "is_exclusive", False)
    if temp:
        way.expires_in, way.chat_expires_in = way.expires_in or 7 * 86_400, way.chat_expires_in or 86_400
    way.config_id = f"{corp.random.getrandbits(128):032x}"
    keep(ask, way)
    ask.world.effects.note(corp, "add_contact_way", config_id=way.config_id, state=way.state, user=way.user)
    answer = {"config_id": way.config_id}
    return answer | ({"qr_code": contact_ways.address(ask.site, way.config_id)} if scene == 2 else {})


@api("POST", "externalcontact/get_contact_way", SELLING_KINDS)
def way_get(ask: Ask) -> dict[str, Any]:
    return {"contact_way": contact_ways.view(the_way(ask), ask.site)}


@api("POST", "externalcontact/list_contact_way", SELLING_KINDS)
def way_list(ask: Ask) -> dict[str, Any]:
    """The app's own ways by the time they were made; the last 90 days unless asked otherwise."""
    corp, now = ask.corp, int(ask.now)
    limit = ask.number("limit", 1, 1000, 100)
    end = ask.number("end_time", 0, 2**40, now)
    start = ask.number("start_time", 0, 2**40, end - DAYS_90)
    if start > end:
        raise ApiError(40058, "start_time is after end_time")
    found = [
        way
        for way in corp.contact_ways.values()
        if way.app_key == ask.app.key and start <= int(way.created_at) <= end and not way.is_temp
    ]
    asked = cursors.question("ways", start // 60, end // 60)
    (place,) = cursors.take(corp, asked, ask.body.get("cursor"), 1)
    size = cursors.page_size(corp, limit, place)
    page = found[place : place + size]
    answer: dict[str, Any] = {"contact_way": [{"config_id": way.config_id} for way in page]}
    if place + size < len(found):
        answer["next_cursor"] = cursors.give(corp, asked, place + size)
    return answer


@api("POST", "externalcontact/update_contact_way", SELLING_KINDS)
def way_update(ask: Ask) -> dict[str, Any]:
    """Type, scene and exclusiveness stay as they are; members and departments are replaced."""
    way = the_way(ask)
    keep(ask, described(ask, way))
    ask.world.effects.note(ask.corp, "update_contact_way", config_id=way.config_id)
    return {}


@api("POST", "externalcontact/del_contact_way", SELLING_KINDS)
def way_delete(ask: Ask) -> dict[str, Any]:
    way = the_way(ask)
    del ask.corp.contact_ways[way.config_id]
    ask.corp.touch("contact_way", way.config_id)
    ask.world.effects.note(ask.corp, "del_contact_way", config_id=way.config_id)
    return {}


@api("POST", "externalcontact/close_temp_chat", SELLING_KINDS)
def close_temp_chat(ask: Ask) -> dict[str, Any]:
    """Ends a temporary session; its closing words go to the customer."""
    corp, external_userid = ask.corp, ask.text("external_userid", 64)
    staff = corp.seller(ask.body.get("userid"), ask.app)
    if not external_userid:
        raise ApiError(41035)
    for way in corp.contact_ways.values():
        userid, until = way.temps.get(external_userid, ("", 0.0))
        if userid != staff.userid or until < ask.now:
            continue
        del way.temps[external_userid]
        corp.touch("contact_way", way.config_id)
        text = str((way.conclusions.get("text") or {}).get("content") or "")
        more = [{"msgtype": kind, kind: way.conclusions[kind]} for kind in CONCLUSION if kind in way.conclusions]
        for kind, payload in conversations.bubbles(text, more[:1]):
            conversations.say(corp, staff.userid, [external_userid], kind, payload, via="welcome")
        return {}
    raise ApiError(84061)
