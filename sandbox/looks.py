"""What the page (and a test that wants the truth) reads of a corp: people, groups, tags, chats."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from sandbox import conversations
from sandbox.api.groups import group_view
from sandbox.control import Control, Refused
from sandbox.conversations import Message
from sandbox.corp import Corp
from sandbox.objects import Follow


class Looks:
    def __init__(self, control: Control) -> None:
        self.control = control

    def routes(self) -> list[Route]:
        names = {"staff": self.staff, "customers": self.customers, "groups": self.groups, "tags": self.tags}
        names |= {"departments": self.departments, "chat": self.chat, "truth": self.truth}
        names |= {"messages": self.messages}
        return [
            Route(f"/_sandbox/corps/{{corp_id}}/{name}", self.control.wrap(view), methods=["GET"])
            for name, view in names.items()
        ]

    async def staff(self, request: Request) -> Any:
        corp = self.control.path_corp(request)
        rows = [asdict(staff) | {"customers": len(corp.book(staff))} for staff in corp.staff.values()]
        return {"staff": rows}

    async def departments(self, request: Request) -> Any:
        return {
            "departments": [asdict(department) for department in self.control.path_corp(request).departments.values()]
        }

    async def tags(self, request: Request) -> Any:
        groups = self.control.path_corp(request).tag_groups.values()
        return {
            "groups": [
                asdict(group) | {"tags": [asdict(tag) for tag in group.live()]} for group in groups if not group.deleted
            ]
        }

    async def customers(self, request: Request) -> Any:
        """The customers of one member, the latest first; `q` looks in names and remarks."""
        corp, query = self.control.path_corp(request), request.query_params
        staff = corp.staff.get(query.get("userid", "").lower())
        if staff is None:
            raise Refused(404, "no such member")
        wanted, limit = query.get("q", "").strip().lower(), int(query.get("limit") or 50)
        rows = []
        for follow in reversed(corp.book(staff)):
            row = pair_view(corp, follow)
            if wanted and wanted not in f"{row['name']} {follow.remark}".lower():
                continue
            rows.append(row)
            if len(rows) == limit:
                break
        return {"customers": rows, "total": len(corp.book(staff))}

    async def groups(self, request: Request) -> Any:
        corp = self.control.path_corp(request)
        userid = request.query_params.get("userid", "").lower()
        found = [g for g in corp.groups.values() if not g.dismissed and (not userid or g.owner.lower() == userid)]
        found.sort(key=lambda group: -group.create_time)
        rows = [
            {
                "chat_id": g.chat_id,
                "name": g.name,
                "owner": g.owner,
                "size": len(g.members),
                "create_time": g.create_time,
            }
            for g in found
        ]
        chat_id = request.query_params.get("chat_id", "")
        if chat_id:
            group = corp.groups.get(chat_id)
            if group is None:
                raise Refused(404, "no such group")
            return {"group": group_view(group)}
        return {"groups": rows[: int(request.query_params.get("limit") or 200)], "total": len(rows)}

    async def chat(self, request: Request) -> Any:
        corp, query = self.control.path_corp(request), request.query_params
        external_userid, userid = query.get("external_userid", ""), query.get("userid", "")
        customer = corp.customers.get(external_userid)
        if customer is None:
            raise Refused(404, "no such customer")
        follow = customer.follows.get(userid)
        lines = conversations.between(corp, userid, external_userid)[-200:]
        codes = [
            asdict(w) for w in corp.welcomes.values() if w.external_userid == external_userid and w.userid == userid
        ]
        return {
            "pair": pair_view(corp, follow) if follow else None,
            "name": customer.name,
            "lines": [line_view(message, external_userid) for message in lines],
            "welcome": codes[-1] if codes else None,
        }

    async def messages(self, request: Request) -> Any:
        """What was said: in one room (userid and external_userid, or chat_id), or in all, after a `seq`."""
        corp, query = self.control.path_corp(request), request.query_params
        after, limit = int(query.get("after") or 0), int(query.get("limit") or 500)
        if query.get("chat_id"):
            found = conversations.in_group(corp, query["chat_id"])
        elif query.get("userid"):
            found = conversations.between(corp, query["userid"], query.get("external_userid", ""))
        else:
            found = conversations.since(corp, after, limit)
        rows = [message for message in found if message.seq > after][:limit]
        return {"messages": [conversations.view(message) for message in rows], "seq": corp.conversations.seq}

    async def truth(self, request: Request) -> Any:
        """All of the corp as it really is, to compare a synchronised copy with."""
        corp = self.control.path_corp(request)
        return {
            "staff": [asdict(staff) for staff in corp.staff.values()],
            "staff_tags": {str(tag.id): asdict(tag) for tag in corp.staff_tags.values()},
            "customers": {
                customer.external_userid: {
                    "name": customer.name,
                    "follows": [pair_view(corp, f) for f in customer.follows.values()],
                }
                for customer in corp.customers.values()
            },
            "groups": {
                group.chat_id: group_view(group) | {"dismissed": group.dismissed} for group in corp.groups.values()
            },
            "tags": {
                tag.id: {"name": tag.name, "group": group.group_name}
                for group, tag in corp.tags.values()
                if not tag.deleted
            },
        }


def line_view(message: Message, external_userid: str) -> dict[str, Any]:
    """A message as the phone of the bench draws it: text, or one card."""
    spoken = "customer" if message.sender == external_userid else "staff"
    sender = "notice" if message.kind == "notice" else message.via if message.via in ("welcome", "mass") else spoken
    text = str(message.payload.get("content") or "") if message.kind in ("text", "notice") else ""
    cards = [] if message.kind in ("text", "notice") else [{"msgtype": message.kind, message.kind: message.payload}]
    if message.revoked_at:
        text, cards = "（已撤回）", []
    return {"seq": message.seq, "at": message.at, "sender": sender, "text": text, "attachments": cards}


def pair_view(corp: Corp, follow: Follow) -> dict[str, Any]:
    customer = corp.customers[follow.external_userid]
    names = [live[1].name for live in map(corp.live_tag, follow.tags) if live is not None]
    live_ids = [tag_id for tag_id in follow.tags if corp.live_tag(tag_id) is not None]
    return asdict(follow) | {
        "name": customer.name,
        "gender": customer.gender,
        "type": customer.type,
        "tags": live_ids,
        "tag_names": names,
    }
