"""The archive over HTTP: for the native library, and for the archive secret's token (wecom-api.md 7.2, 7.5)."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from sandbox import archive
from sandbox.api import Ask, Blob, api
from sandbox.archive_files import piece
from sandbox.archive_seal import sealed
from sandbox.corp import Corp
from sandbox.errors import ApiError

ARCHIVE = frozenset({"archive"})
MOST_ASKED = 100


def check_open(corp: Corp) -> None:
    settings = corp.archive.settings
    if not settings.enabled or not corp.archive.keys:
        raise ApiError(301053)
    if settings.expired:
        raise ApiError(301052)


@api("POST", "message/getchatdata", ARCHIVE)
def chat_data(ask: Ask) -> dict[str, Any]:
    """Messages after a seq, each sealed for its key; an empty list when there is no news."""
    check_open(ask.corp)
    found = ask.corp.archive
    ask.world.ceilings.admit_more(ask.corp.corp_id, "archive", found.settings.per_minute, ask.now)
    limit = ask.number("limit", 0, 2**32, found.settings.most)
    if limit > found.settings.most:
        raise ApiError(301058)
    seq = ask.number("seq", 0, 2**64 - 1, 0)
    rows = [sealed(entry, found.keys[entry.version]) for entry in found.since(seq, limit, ask.now)]
    return {"chatdata": rows}


@api("POST", "message/getchatmediadata", ARCHIVE)
def chat_media(ask: Ask) -> Blob:
    """A piece of a file: sealed bytes in JSON, its place in a header that the library looks for in capitals."""
    check_open(ask.corp)
    found = ask.corp.archive
    file = found.files.get(str(ask.body.get("fileid")))
    if file is None or file.authkey != ask.body.get("authkey"):
        raise ApiError(301048)
    if ask.now - file.at > found.settings.keep_seconds:
        raise ApiError(301048, "expired")
    body, place = piece(file, ask.range)
    answer = {"errcode": 0, "errmsg": "ok", "content": base64.b64encode(body).decode()}
    return Blob(orjson.dumps(answer), "application/json; charset=UTF-8", ((b"CONTENT-RANGE", place.encode()),))


# -- who is archived, who agreed -------------------------------------------------------------------------------------


@api("POST", "msgaudit/get_permit_user_list", ARCHIVE)
def permitted_users(ask: Ask) -> dict[str, Any]:
    check_open(ask.corp)
    edition = ask.number("type", 1, 3, 0) if ask.body.get("type") is not None else 0
    mine = ask.corp.archive.settings.edition
    return {"ids": archive.permitted(ask.corp) if edition in (0, mine) else []}


def consent(corp: Corp, place: str, external_userid: str) -> tuple[str, int]:
    """`place`: the member whose chat it is, or the group."""
    status, since = corp.archive.consents.get(f"{place} {external_userid}", ("Default_Agree", 0))
    return status, int(since)


@api("POST", "msgaudit/check_single_agree", ARCHIVE)
def single_agree(ask: Ask) -> dict[str, Any]:
    check_open(ask.corp)
    asked = ask.body.get("info")
    if not isinstance(asked, list) or not asked:
        raise ApiError(40063, "info")
    if len(asked) > MOST_ASKED:
        raise ApiError(301060)
    rows = []
    for pair in asked:
        userid, outsider = str(pair.get("userid") or ""), str(pair.get("exteranalopenid") or "")
        customer = ask.corp.customers.get(outsider)
        if userid.lower() not in ask.corp.staff or customer is None or userid not in customer.follows:
            raise ApiError(301061, f"{userid} {outsider}")
        status, since = consent(ask.corp, userid, outsider)
        row = {"status_change_time": since, "userid": userid, "exteranalopenid": outsider, "agree_status": status}
        rows.append(row)
    return {"agreeinfo": rows}


@api("POST", "msgaudit/check_room_agree", ARCHIVE)
def room_agree(ask: Ask) -> dict[str, Any]:
    check_open(ask.corp)
    group = ask.corp.groups.get(ask.text("roomid", 64))
    if group is None:
        raise ApiError(92002)
    rows = []
    for member in group.members:
        if archive.is_outside(ask.corp, member):
            status, since = consent(ask.corp, group.chat_id, member)
            rows.append({"status_change_time": since, "exteranalopenid": member, "agree_status": status})
    return {"agreeinfo": rows}


@api("POST", "msgaudit/groupchat/get", ARCHIVE)
def room_get(ask: Ask) -> dict[str, Any]:
    """Internal groups only: groups with customers are read elsewhere."""
    check_open(ask.corp)
    group = ask.corp.groups.get(ask.text("roomid", 64))
    if group is None:
        raise ApiError(92002)
    if any(archive.is_outside(ask.corp, member) for member in group.members):
        raise ApiError(301059)
    return {
        "roomname": group.name,
        "creator": group.owner,
        "room_create_time": group.create_time,
        "notice": group.notice,
        "members": [{"memberid": seat.userid, "jointime": seat.join_time} for seat in group.members.values()],
    }


@api("GET", "msgaudit/get_robot_info", ARCHIVE)
def robot_info(ask: Ask) -> dict[str, Any]:
    check_open(ask.corp)
    robot = ask.query.get("robot_id", "")
    if not robot.startswith("wb"):
        raise ApiError(301061)
    creator = next(iter(ask.corp.staff.values())).userid
    return {"data": {"robot_id": robot, "name": "客服机器人", "creator_userid": creator}}
