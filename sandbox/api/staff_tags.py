"""Tags of contacts, 通讯录标签 (wecom-api.md 4.3): a self-built app sees them all, and whom of them its range holds."""

from __future__ import annotations

from typing import Any

from sandbox.api import Ask, api
from sandbox.errors import ApiError


@api("GET", "tag/list")
def staff_tag_list(ask: Ask) -> dict[str, Any]:
    return {"taglist": [{"tagid": tag.id, "tagname": tag.name} for tag in ask.corp.staff_tags.values()]}


@api("GET", "tag/get")
def staff_tag_get(ask: Ask) -> dict[str, Any]:
    text = ask.query.get("tagid", "")
    tag = ask.corp.staff_tags.get(int(text)) if text.isascii() and text.isdigit() else None
    if tag is None:
        raise ApiError(40068)
    members = [staff for userid in tag.users if (staff := ask.corp.staff.get(userid.lower())) is not None]
    departments = ask.corp.visible_departments(ask.app)
    return {
        "tagname": tag.name,
        "userlist": [{"userid": s.userid, "name": s.name} for s in members if ask.corp.sees(ask.app, s)],
        "partylist": [number for number in tag.parties if number in departments],
    }
