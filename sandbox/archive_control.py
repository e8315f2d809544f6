"""The archive's page in the admin console, and the events it sends (wecom-api.md 7.1, 2.6)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, fields, replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from sandbox import archive, conversations, events
from sandbox.acts import CannotAct, Scene, act, welcome_code
from sandbox.archive_examples import EXAMPLES, Cast
from sandbox.archive_seal import public_key
from sandbox.control import Control, Refused, body_of
from sandbox.conversations import Message
from sandbox.corp import Corp
from sandbox.objects import App
from sandbox.seed import demo_secret
from sandbox.world import World

SYSTEM_AGENT = 2000004  # the archive's own app, named in its events


class Archivist:
    """Hears what is said, keeps it, and tells receivers that there is news: once in fifteen seconds at most."""

    def __init__(self, world: World) -> None:
        self.world = world
        conversations.listeners.append(self.hear)

    def hear(self, corp: Corp, message: Message) -> None:
        if self.world.corps.get(corp.corp_id) is corp and archive.record(corp, message) is not None:
            self.notify(corp)

    def notify(self, corp: Corp) -> None:
        kept = corp.archive
        if kept.waiting:
            return
        left = kept.notified_at + kept.settings.notify_seconds - time.time()
        if left <= 0:
            self.send(corp)
            return
        try:
            asyncio.get_running_loop().call_later(left, self.send, corp)
        except RuntimeError:  # a seed speaks before the server runs
            return
        kept.waiting = True

    def send(self, corp: Corp) -> None:
        corp.archive.waiting, corp.archive.notified_at = False, time.time()
        head: events.Fields = {"ToUserName": corp.corp_id, "FromUserName": "sys", "CreateTime": int(time.time())}
        told = head | {"MsgType": "event", "AgentID": SYSTEM_AGENT, "Event": "msgaudit_notify"}
        for receiver in corp.receivers.values():
            if receiver.corp_as or (receiver.events and "msgaudit_notify" not in receiver.events):
                continue  # no vendor hears of it
            text = events.to_json(told) if receiver.json else events.to_xml(told)
            try:
                self.world.sender.submit(corp, receiver, "msgaudit_notify", "", text)
            except RuntimeError:
                return


class ArchiveControl:
    def __init__(self, control: Control, archivist: Archivist) -> None:
        self.control, self.archivist = control, archivist

    def routes(self) -> list[Route]:
        base = "/_sandbox/corps/{corp_id}/archive"
        table = [
            ("GET", base, self.show),
            ("POST", base, self.change),
            ("GET", f"{base}/messages", self.messages),
            ("POST", f"{base}/messages", self.push),
            ("POST", f"{base}/examples", self.examples),
        ]
        return [Route(path, self.control.wrap(view), methods=[method]) for method, path, view in table]

    async def show(self, request: Request) -> Any:
        return view(self.control.path_corp(request))

    async def change(self, request: Request) -> Any:
        """Opens the archive with a first `public_key`, or changes it: a new key gets the next version."""
        corp, wish = self.control.path_corp(request), await body_of(request)
        kept, pem = corp.archive, wish.pop("public_key", None)
        app = corp.apps.get("archive")
        if app is None:
            secret = str(wish.get("secret") or demo_secret(corp.corp_id, "archive"))
            app = App("archive", "archive", "会话内容存档", secret, customer_contact=False)
            corp.apps["archive"] = app
        app.secret = str(wish.pop("secret", "") or app.secret)
        if "trusted_ips" in wish:
            app.trusted_ips = wish.pop("trusted_ips")
        unknown = set(wish) - {field.name for field in fields(kept.settings)}
        if unknown:
            raise Refused(400, f"unknown settings: {', '.join(sorted(unknown))}")
        if pem:
            public_key(pem)
            kept.keys[kept.version + 1] = pem
            wish.setdefault("enabled", True)
        kept.settings = replace(kept.settings, **wish)
        corp.touch("corp", corp.corp_id)
        return view(corp)

    async def messages(self, request: Request) -> Any:
        """What the archive holds, in plain: the truth to compare a copy with."""
        kept, query = self.control.path_corp(request).archive, request.query_params
        after, limit = int(query.get("after") or 0), int(query.get("limit") or 1000)
        rows = [asdict(entry) for entry in kept.entries.values() if entry.seq > after]
        return {"messages": rows[:limit], "seq": kept.seq}

    async def push(self, request: Request) -> Any:
        """Puts plaintexts into the archive as they are given; `broken` "short" or "garbled": nobody can open them."""
        corp, wish = self.control.path_corp(request), await body_of(request)
        self.check_keys(corp)
        now = time.time()
        seqs = []
        for plain in wish.get("messages") or ():
            at = float(plain.get("msgtime") or plain.get("time") or now * 1000) / 1000
            seqs.append(archive.add(corp, dict(plain), at, broken=str(wish.get("broken") or "")).seq)
        self.archivist.notify(corp)
        return {"seqs": seqs}

    async def examples(self, request: Request) -> Any:
        """{userid, external_userid?, chat_id?, types?}: one message of every type WeCom keeps."""
        corp, wish = self.control.path_corp(request), await body_of(request)
        self.check_keys(corp)
        names = [str(name) for name in wish.get("types") or EXAMPLES]
        cast = Cast(corp, str(wish.get("userid") or ""), str(wish.get("external_userid") or ""))
        cast.chat_id = str(wish.get("chat_id") or "")
        if cast.userid.lower() not in corp.staff:
            raise Refused(400, "userid must be a member")
        made = {}
        for name in names:
            if name not in EXAMPLES:
                raise Refused(400, f"no example of {name}: one of {', '.join(EXAMPLES)}")
            plain = cast.envelope() | EXAMPLES[name](cast)
            made[name] = archive.add(corp, plain, time.time()).seq
        self.archivist.notify(corp)
        return {"seqs": made}

    def check_keys(self, corp: Corp) -> None:
        if not corp.archive.keys:
            raise Refused(409, "the archive has no public key yet")


def view(corp: Corp) -> dict[str, Any]:
    kept, app = corp.archive, corp.apps.get("archive")
    return {
        "settings": asdict(kept.settings),
        "secret": app.secret if app else "",
        "trusted_ips": app.trusted_ips if app else None,
        "versions": sorted(kept.keys),
        "seq": kept.seq,
        "entries": len(kept.entries),
        "permitted": archive.permitted(corp),
    }


# -- acts ------------------------------------------------------------------------------------------------------------


@act
def archive_answers(scene: Scene) -> dict[str, Any]:
    """{userid, external_userid, agree}: a customer agrees to being archived, or refuses; with {chat_id} in a group."""
    corp, agree, now = scene.corp, bool(scene.wish.get("agree", True)), time.time()
    kind, status = ("agree", "Agree") if agree else ("disagree", "Disagree")
    chat_id = scene.text("chat_id")
    follow = None if chat_id else scene.follow()
    person = follow.external_userid if follow else outsider_in(scene, chat_id)
    corp.archive.consents[f"{follow.userid if follow else chat_id} {person}"] = [status, int(now)]
    corp.touch("corp", corp.corp_id)
    if corp.archive.keys and corp.archive.settings.enabled:
        told = {"userid": person, f"{kind}_time": int(now * 1000)}
        others = [follow.userid] if follow else [one for one in corp.groups[chat_id].members if one != person]
        plain = {"action": "send", "from": person, "tolist": others, "roomid": chat_id}
        archive.add(corp, plain | {"msgtime": int(now * 1000), "msgtype": kind, kind: told}, now)
    if agree and follow:
        code = welcome_code(scene, follow)
        scene.world.sender.customer_event(corp, "msg_audit_approved", follow, WelcomeCode=code)
    return {"status": kind}


def outsider_in(scene: Scene, chat_id: str) -> str:
    group, person = scene.corp.groups.get(chat_id), scene.text("external_userid")
    if group is None or person not in group.members or not archive.is_outside(scene.corp, person):
        raise CannotAct(f"群里没有这个外部联系人：{person}")
    return person


@act
def staff_switches_corp(scene: Scene) -> dict[str, Any]:
    """{userid}: the member's client goes to another corp; the archive notes it."""
    staff, now = scene.staff(), time.time()
    if not scene.corp.archive.keys:
        raise CannotAct("还没有开通会话内容存档")
    entry = archive.add(scene.corp, {"action": "switch", "time": int(now * 1000), "user": staff.userid}, now)
    return {"seq": entry.seq, "msgid": entry.msgid}
