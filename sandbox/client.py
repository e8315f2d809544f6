"""What the chat client shows: the windows of a member and the phones of customers, read from the corp as it is."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import Route

from sandbox import conversations, moments
from sandbox.control import Control, Refused
from sandbox.conversations import Message
from sandbox.corp import Corp
from sandbox.moments import Moment, Posting
from sandbox.objects import App, AppMessage, GroupChat, Staff

ROOM_LENGTH = 200
APP_MESSAGES = 100


class Client:
    def __init__(self, control: Control) -> None:
        self.control = control
        self.world = control.world

    def routes(self) -> list[Route]:
        table = {"corps": self.corps, "desk": self.desk, "room": self.room, "phone": self.phone}
        table |= {"moments": self.moments, "requests": self.requests}
        return [Route(f"/chat/api/{name}", self.control.wrap(view), methods=["GET"]) for name, view in table.items()]

    def corp(self, request: Request) -> Corp:
        return self.control.wished_corp({"corp_id": request.query_params.get("corp_id", "")})

    # -- who can be played -------------------------------------------------------------------------------------------

    async def corps(self, request: Request) -> Any:
        """The corps with their apps and members; the members with most customers first."""
        return {"corps": [self.corp_view(corp) for corp in self.world.corps.values()]}

    def corp_view(self, corp: Corp) -> dict[str, Any]:
        members = sorted(corp.staff.values(), key=lambda staff: -len(corp.book(staff)))
        apps = [app_view(app) for app in corp.apps.values() if app.kind == "app" and not app.disabled]
        return {
            "corp_id": corp.corp_id,
            "name": corp.name,
            "apps": apps,
            "staff": [staff_view(corp, staff) for staff in members],
        }

    # -- a member's window -------------------------------------------------------------------------------------------

    async def desk(self, request: Request) -> Any:
        """The conversations of a member with the latest line of each, messages of apps, and the corp's latest seq."""
        corp = self.corp(request)
        staff = corp.staff.get(request.query_params.get("userid", "").lower())
        if staff is None:
            raise Refused(404, "no such member")
        rooms = [self.pair_room(corp, staff, key) for key in corp.conversations.rooms if staff.userid in key.split(" ")]
        rooms += [group_room(corp, group) for group in corp.groups.values() if in_it(group, staff.userid)]
        found = sorted((room for room in rooms if room), key=lambda room: -room["at"])
        return {
            "me": staff_view(corp, staff),
            "rooms": found,
            "notices": notices(corp, staff),
            "seq": corp.conversations.seq,
        }

    def pair_room(self, corp: Corp, staff: Staff, key: str) -> dict[str, Any]:
        other = next((person for person in key.split(" ") if person != staff.userid), "")
        lines = corp.conversations.rooms[key]
        return {"peer": other, "chat_id": "", **person_view(corp, other, staff.userid), **last_line(lines)}

    # -- a conversation, a phone -------------------------------------------------------------------------------------

    async def room(self, request: Request) -> Any:
        corp, query = self.corp(request), request.query_params
        chat_id, userid, peer = query.get("chat_id", ""), query.get("userid", ""), query.get("peer", "")
        if chat_id:
            group = corp.groups.get(chat_id)
            if group is None:
                raise Refused(404, "no such group")
            lines = conversations.in_group(corp, chat_id)[-ROOM_LENGTH:]
            people = {one: seat.name for one, seat in group.members.items()}
            about = {"title": group_title(group), "kind": "group", "members": people, "owner": group.owner}
        else:
            lines = conversations.between(corp, userid, peer)[-ROOM_LENGTH:]
            about = {"title": person_view(corp, peer, userid)["name"], **person_view(corp, peer, userid)}
        names = {line.sender: person_view(corp, line.sender, userid)["name"] for line in lines if line.sender}
        return about | {"lines": [conversations.view(line) for line in lines], "names": names}

    async def phone(self, request: Request) -> Any:
        """What a customer's phone lists: the members he added, and the groups he is in."""
        corp = self.corp(request)
        customer = corp.customers.get(request.query_params.get("external_userid", ""))
        if customer is None:
            raise Refused(404, "no such customer")
        rooms = []
        for follow in customer.follows.values():
            lines = conversations.between(corp, follow.userid, customer.external_userid)
            staff = corp.staff.get(follow.userid.lower())
            name = staff.name if staff is not None else follow.userid
            gone = follow.deleted_by_customer
            rooms.append({"userid": follow.userid, "chat_id": "", "name": name, "deleted": gone, **last_line(lines)})
        groups = [group for group in corp.groups.values() if in_it(group, customer.external_userid)]
        rooms += [{"userid": "", "deleted": False, **group_room(corp, group)} for group in groups]
        rooms.sort(key=lambda room: -room["at"])
        return {"external_userid": customer.external_userid, "name": customer.name, "rooms": rooms}

    async def moments(self, request: Request) -> Any:
        """Moments of the corp: which a member is to publish (`userid`), or a customer sees (`external_userid`)."""
        corp, query = self.corp(request), request.query_params
        userid, external_userid = query.get("userid", ""), query.get("external_userid", "")
        rows = []
        for moment in reversed(list(corp.moments.values())[-50:]):
            moments.settle(corp, moment, time.time())
            postings = moment.postings.values()
            shown = [one for one in postings if one.userid == userid or external_userid in one.seen_by]
            rows += [posting_view(corp, moment, posting) for posting in shown]
        return {"moments": rows}

    async def requests(self, request: Request) -> Any:
        """Customers who wait for a member to accept them: by a code that asks for it, or added one way."""
        corp = self.corp(request)
        staff = corp.staff.get(request.query_params.get("userid", "").lower())
        if staff is None:
            raise Refused(404, "no such member")
        asked = [one for way in corp.contact_ways.values() for one, to in way.requests.items() if to == staff.userid]
        rows = [{"act": "staff_accepts_request", "external_userid": one} for one in asked]
        half = [tie.external_userid for tie in corp.book(staff) if tie.one_way and not tie.deleted_by_customer]
        rows += [{"act": "staff_accepts", "external_userid": one} for one in half]
        return {"requests": [row | {"name": corp.customers[row["external_userid"]].name} for row in rows]}


def posting_view(corp: Corp, moment: Moment, posting: Posting) -> dict[str, Any]:
    staff = corp.staff.get(posting.userid.lower())
    names = {one["external_userid"]: "" for one in (*posting.likes, *posting.comments)}
    names = {one: corp.customers[one].name for one in names if one in corp.customers}
    return {
        "moment_id": moment.moment_id,
        "userid": posting.userid,
        "author": staff.name if staff else posting.userid,
        "at": moment.created_at,
        "text": moment.text,
        "attachments": moment.attachments,
        "published": posting.status == moments.PUBLISHED,
        "cancelled": bool(moment.cancelled_at),
        "customers": len(posting.customers),
        "seen_by": len(posting.seen_by),
        "likes": [names.get(one["external_userid"], "") for one in posting.likes],
        "comments": [names.get(one["external_userid"], "") for one in posting.comments],
    }


def app_view(app: App) -> dict[str, Any]:
    names = ("key", "name", "agent_id", "home_url", "sidebar_url")
    return {name: getattr(app, name) for name in names} | {"host": urlsplit(app.sidebar_url or app.home_url).hostname}


def notices(corp: Corp, staff: Staff) -> list[dict[str, Any]]:
    """What apps sent to the member, the latest last; a card as it stands after what he pressed."""
    found = [message for message in corp.app_messages.values() if staff.userid in message.users]
    return [notice_view(corp, staff, message) for message in found[-APP_MESSAGES:]]


def notice_view(corp: Corp, staff: Staff, message: AppMessage) -> dict[str, Any]:
    app = corp.apps.get(message.app_key)
    return {
        "id": message.at,
        "msgid": message.msgid,
        "app": app.name if app else message.app_key,
        "at": message.at,
        "msgtype": message.kind,
        "content": message.replaced.get(staff.userid) or message.content,
        "recalled": bool(message.recalled_at),
        "answer": message.answers.get(staff.userid, ""),
    }


def staff_view(corp: Corp, staff: Staff) -> dict[str, Any]:
    department = corp.departments.get(staff.departments[0]) if staff.departments else None
    return {
        "userid": staff.userid,
        "name": staff.name,
        "position": staff.position,
        "department": department.name if department else "",
        "customers": len(corp.book(staff)),
        "customer_contact": staff.customer_contact,
    }


def person_view(corp: Corp, person: str, seen_by: str) -> dict[str, Any]:
    """Somebody in a conversation, as the member calls him."""
    staff = corp.staff.get(person.lower()) or corp.left.get(person.lower())
    if staff is not None:
        return {"kind": "staff", "name": staff.name, "nick": staff.name, "friend": True}
    customer = corp.customers.get(person)
    if customer is None:
        return {"kind": "gone", "name": person, "nick": person, "friend": False}
    follow = customer.follows.get(seen_by)
    friend = follow is not None and not follow.one_way
    name = follow.remark if follow is not None and follow.remark else customer.name
    corp_name = customer.corp_name or "微信"
    return {"kind": "customer", "name": name, "nick": customer.name, "friend": friend, "from": corp_name}


def group_title(group: GroupChat) -> str:
    return group.name or "、".join(seat.name for seat in list(group.members.values())[:3])


def in_it(group: GroupChat, person: str) -> bool:
    return not group.dismissed and person in group.members


def group_room(corp: Corp, group: GroupChat) -> dict[str, Any]:
    lines = conversations.in_group(corp, group.chat_id)
    about = {"peer": "", "chat_id": group.chat_id, "kind": "group", "name": group_title(group)}
    return about | {"size": len(group.members), **last_line(lines)}


def last_line(lines: list[Message]) -> dict[str, Any]:
    if not lines:
        return {"at": 0.0, "last": "", "seq": 0, "sender": ""}
    line = lines[-1]
    return {"at": line.at, "last": in_words(line), "seq": line.seq, "sender": line.sender}


def in_words(line: Message) -> str:
    """A message in the list of conversations: its text, or what it is."""
    if line.revoked_at:
        return "撤回了一条消息"
    if line.kind in ("text", "notice"):
        return str(line.payload.get("content") or "")[:60]
    names = {"image": "图片", "link": "链接", "file": "文件", "video": "视频", "miniprogram": "小程序", "voice": "语音"}
    return f"[{names.get(line.kind, '消息')}] {line.payload.get('title') or line.payload.get('filename') or ''}".strip()
