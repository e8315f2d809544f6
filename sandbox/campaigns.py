"""Codes to scan, files to look at, and what became of mass messages: for the page, the chat client and tests."""

from __future__ import annotations

import html
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox import contact_ways, mass
from sandbox.contact_ways import ContactWay
from sandbox.control import Control, Refused, site_of
from sandbox.corp import Corp
from sandbox.mass import MassMessage

SCAN = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>添加企业微信联系人</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/lab.css"></head>
<body data-view="scan"><main class="scan"><h1>{corp}</h1>
<img src="/_sandbox/qr/{config_id}" alt="二维码" width="200" height="200"><p>{note}</p>
<form id="scan" data-corp="{corp_id}">
<label class="field">微信昵称<input name="name" placeholder="留空则随机取名"></label>
<button class="button">扫码添加</button></form><p id="result" role="status"></p></main>
<script type="module" src="/scan.js"></script></body></html>"""


class Campaigns:
    def __init__(self, control: Control) -> None:
        self.control = control

    def routes(self) -> list[Route]:
        table = {
            "/_sandbox/qr/{config_id}": self.qr,
            "/_sandbox/scan/{config_id}": self.scan,
            "/_sandbox/corps/{corp_id}/contact_ways": self.ways,
            "/_sandbox/corps/{corp_id}/mass": self.mass,
            "/_sandbox/corps/{corp_id}/received": self.received,
            "/_sandbox/corps/{corp_id}/media": self.files,
            "/_sandbox/corps/{corp_id}/media/{media_id}": self.file,
        }
        return [Route(path, self.control.wrap(view), methods=["GET"]) for path, view in table.items()]

    def the_way(self, request: Request) -> tuple[Corp, ContactWay]:
        config_id = request.path_params["config_id"]
        for corp in self.control.world.corps.values():
            if config_id in corp.contact_ways:
                return corp, corp.contact_ways[config_id]
        raise Refused(404, "no such contact way")

    async def qr(self, request: Request) -> Any:
        _, way = self.the_way(request)
        return Response(
            contact_ways.picture(self.control.world.for_browsers(site_of(request)), way.config_id),
            media_type="image/png",
        )

    async def scan(self, request: Request) -> Any:
        """What a customer's phone shows when it opens the code."""
        corp, way = self.the_way(request)
        names = "、".join(staff.name for staff in contact_ways.reachable(corp, way)[:5]) or "暂无可添加的成员"
        note = f"添加{names}" + ("" if way.skip_verify else "（需要对方通过）")
        words = {
            "corp": html.escape(corp.name),
            "corp_id": corp.corp_id,
            "config_id": way.config_id,
            "note": html.escape(note),
        }
        return HTMLResponse(SCAN.format(**words))

    async def ways(self, request: Request) -> Any:
        """All contact ways of the corp, the latest first, with who came through them."""
        corp, site = self.control.path_corp(request), site_of(request)
        rows = [way_view(corp, way, site) for way in reversed(corp.contact_ways.values())]
        return {"contact_ways": rows[: int(request.query_params.get("limit") or 200)], "total": len(rows)}

    async def mass(self, request: Request) -> Any:
        """Mass messages, the latest first, with each task; `userid`: only those this member was asked to send."""
        corp, query = self.control.path_corp(request), request.query_params
        mass.settle(corp)
        userid, limit = query.get("userid", ""), int(query.get("limit") or 50)
        found = [one for one in reversed(corp.mailings.messages.values()) if not userid or userid in one.tasks]
        habits = {key: asdict(habit) for key, habit in corp.mailings.habits.items()}
        shown = [mass_view(one, userid) for one in found[:limit]]
        default = asdict(corp.mailings.habit(""))
        return {"messages": shown, "total": len(found), "habits": habits, "default": default, "kinds": mass.HABITS}

    async def received(self, request: Request) -> Any:
        """How often each customer and group got each text of a mass message, and who got one twice."""
        corp, got = self.control.path_corp(request), Counter[tuple[str, str]]()
        mass.settle(corp)
        for message in corp.mailings.messages.values():
            for task in message.tasks.values():
                got.update((aim.to, message.text) for aim in task.aims if aim.status == mass.SENT)
        people: dict[str, dict[str, int]] = {}
        for (to, text), count in got.items():
            people.setdefault(to, {})[text] = count
        twice = sorted({to for (to, _), count in got.items() if count > 1})
        return {"received": people, "total": sum(got.values()), "twice": twice}

    async def files(self, request: Request) -> Any:
        corp, now = self.control.path_corp(request), time.time()
        return {
            "media": [
                {
                    "media_id": file.media_id,
                    "kind": file.kind,
                    "purpose": file.purpose,
                    "filename": file.filename,
                    "created_at": file.created_at,
                    "size": len(file.body),
                    "dead": (now - file.created_at > corp.limits.media_seconds and file.purpose != "picture"),
                }
                for file in corp.media.values()
            ]
        }

    async def file(self, request: Request) -> Any:
        """The bytes, as chats show them."""
        file = self.control.path_corp(request).media.get(request.path_params["media_id"])
        if file is None or not file.body:
            raise Refused(404, "no such file, or it has expired")
        return Response(file.body, media_type=file.content_type)


def way_view(corp: Corp, way: ContactWay, site: str) -> dict[str, Any]:
    members = [{"userid": staff.userid, "name": staff.name} for staff in contact_ways.reachable(corp, way)]
    requests = [
        {"external_userid": key, "name": corp.customers[key].name, "userid": userid}
        for key, userid in way.requests.items()
    ]
    extra = {"created_at": way.created_at, "app_key": way.app_key, "added": way.added, "requests": requests}
    return contact_ways.view(way, site) | extra | {"members": members}


def mass_view(message: MassMessage, userid: str) -> dict[str, Any]:
    """With the statuses counted for each member; for one member also the people he is asked to send to."""
    tasks = []
    for task in message.tasks.values():
        if userid and task.userid != userid:
            continue
        counts = [0, 0, 0, 0]
        for aim in task.aims:
            counts[aim.status] += 1
        row: dict[str, Any] = {"userid": task.userid, "status": task.status, "declined": task.declined}
        row |= {"due_at": task.due_at, "send_time": task.send_time, "asked": len(task.aims), "counts": counts}
        tasks.append(row | ({"aims": [asdict(aim) for aim in task.aims]} if userid else {}))
    return {
        "msgid": message.msgid,
        "chat_type": message.chat_type,
        "created_at": message.created_at,
        "create_type": message.create_type,
        "text": message.text,
        "attachments": message.attachments,
        "allow_select": message.allow_select,
        "cancelled": bool(message.cancelled_at),
        "reminders": len(message.reminders),
        "tasks": tasks,
    }
