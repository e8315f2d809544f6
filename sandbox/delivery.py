"""Sends callbacks as WeCom does: signed, sealed, five seconds to answer, re-sent when that fails (wecom-api.md 1)."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from sandbox import events
from sandbox.corp import Corp
from sandbox.crypto import Seal
from sandbox.http import Answer, Client
from sandbox.objects import App, Delivery, Follow, GroupChat, Receiver
from sandbox.suites import WORD
from sandbox.vendor_ids import VendorIds

RING = 20_000
SHUFFLE_SECONDS = 0.3


class Source(Protocol):
    """Who has something to tell: a corp, or a suite about its tickets and authorisations."""

    @property
    def corp_id(self) -> str: ...
    @property
    def receivers(self) -> Mapping[str, Receiver]: ...
    @property
    def delivery(self) -> Delivery: ...
    @property
    def apps(self) -> Mapping[str, App]: ...


@dataclass(slots=True)
class Message:
    """One copy of an event on its way to one receiver."""

    id: int
    corp_id: str
    receiver: str
    url: str
    name: str
    change_type: str
    plaintext: str
    created_at: float
    state: str = "waiting"  # waiting | delivered | failed | dropped
    attempts: list[dict[str, Any]] = field(default_factory=list)
    sends: int = 0
    within: float = 0.0  # seconds to answer in, where they are fewer than for other callbacks


class Sender:
    def __init__(self) -> None:
        self.ids = itertools.count(1)
        self.client = Client()
        self.ring: deque[Message] = deque(maxlen=RING)
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.waiting: dict[str, deque[Message]] = defaultdict(deque)
        self.held: dict[str, list[Message]] = defaultdict(list)
        self.running: Counter[str] = Counter()
        self.sleeping: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()

    # -- events ------------------------------------------------------------------------------------------------------

    def customer_event(
        self, corp: Corp, change_type: str, follow: Follow, by: App | None = None, **fields: Any
    ) -> None:
        name = "change_external_contact"
        fields = {"UserID": follow.userid, "ExternalUserID": follow.external_userid} | fields
        self.post(corp, events.event(corp.corp_id, int(time.time()), name, change_type, **fields), by, follow.userid)

    def group_event(self, corp: Corp, change_type: str, group: GroupChat, **fields: Any) -> None:
        fields = {"ChatId": group.chat_id} | fields
        body = events.event(corp.corp_id, int(time.time()), "change_external_chat", change_type, **fields)
        self.post(corp, body, None, group.owner)

    def tag_event(self, corp: Corp, change_type: str, tag_id: str, kind: str, by: App | None = None) -> None:
        fields = {"Id": tag_id, "TagType": kind or None}
        self.post(corp, events.event(corp.corp_id, int(time.time()), "change_external_tag", change_type, **fields), by)

    def contact_event(self, corp: Corp, change_type: str, **fields: Any) -> None:
        self.post(corp, events.event(corp.corp_id, int(time.time()), "change_contact", change_type, **fields), None)

    def app_event(self, corp: Corp, app: App, name: str, userid: str, **fields: Any) -> None:
        """What a member does with an app: only that app hears of it."""
        body = events.event(corp.corp_id, int(time.time()), name, "", **fields) | {"FromUserName": userid}
        for receiver in corp.receivers.values():
            if receiver.app_key != app.key or (receiver.events and name not in receiver.events) or receiver.suite_id:
                continue
            self.counts[corp.corp_id]["events"] += 1
            for _ in range(max(1, corp.delivery.duplicate)):
                self.submit(corp, receiver, name, "", told(corp, receiver, body))

    def post(self, corp: Corp, fields: events.Fields, by: App | None, userid: str = "") -> None:
        """Hands an event to every receiver that should know: not to the app whose own call caused it."""
        for receiver in corp.receivers.values():
            if by is not None and receiver.app_key == by.key:
                continue
            if receiver.events and fields["Event"] not in receiver.events:
                continue
            if userid and not self.concerns(corp, receiver, userid):
                continue
            plaintext = told(corp, receiver, fields)
            self.counts[corp.corp_id]["events"] += 1
            for _ in range(max(1, corp.delivery.duplicate)):
                self.submit(corp, receiver, fields["Event"], fields.get("ChangeType", ""), plaintext)

    def concerns(self, corp: Corp, receiver: Receiver, userid: str) -> bool:
        """Only members with 客户联系 inside the app's visible range make customer events for it."""
        app = corp.apps.get(receiver.app_key)
        staff = corp.staff.get(userid.lower())
        if app is None or staff is None:
            return app is None or corp.left.get(userid.lower()) is not None
        return staff.customer_contact and corp.sees(app, staff)

    # -- the queue ---------------------------------------------------------------------------------------------------

    def submit(
        self, corp: Source, receiver: Receiver, name: str, change_type: str, plaintext: bytes, within: float = 0.0
    ) -> Message:
        text = plaintext.decode("utf-8", "replace")
        message = Message(next(self.ids), corp.corp_id, receiver.id, receiver.url, name, change_type, text, time.time())
        message.within = within
        self.ring.append(message)
        if random.random() < corp.delivery.drop:
            message.state = "dropped"
            self.counts[corp.corp_id]["dropped"] += 1
            return message
        if corp.delivery.shuffle > 1:
            self.hold(corp, message)
        else:
            self.release(corp, [message])
        return message

    def hold(self, corp: Source, message: Message) -> None:
        """Keeps events until the window is full (or a moment has passed), then lets them go in any order."""
        held = self.held[corp.corp_id]
        held.append(message)
        if len(held) >= corp.delivery.shuffle:
            self.let_go(corp)
        elif len(held) == 1:
            asyncio.get_running_loop().call_later(SHUFFLE_SECONDS, self.let_go, corp)

    def let_go(self, corp: Source) -> None:
        held = self.held.pop(corp.corp_id, [])
        random.shuffle(held)
        self.release(corp, held)

    def release(self, corp: Source, messages: list[Message]) -> None:
        if corp.delivery.delay > 0:
            self.later(corp, corp.delivery.delay, messages)
            return
        self.waiting[corp.corp_id].extend(messages)
        self.pump(corp)

    def later(self, corp: Source, seconds: float, messages: list[Message]) -> None:
        self.sleeping[corp.corp_id] += len(messages)

        def wake() -> None:
            self.sleeping[corp.corp_id] -= len(messages)
            self.waiting[corp.corp_id].extend(message for message in messages if message.state == "waiting")
            self.pump(corp)

        asyncio.get_running_loop().call_later(seconds, wake)

    def pump(self, corp: Source) -> None:
        key = corp.corp_id
        if corp.delivery.paused:
            return
        for _ in range(min(len(self.waiting[key]), corp.delivery.concurrency - self.running[key])):
            self.running[key] += 1
            task = asyncio.get_running_loop().create_task(self.work(corp))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def work(self, corp: Source) -> None:
        waiting = self.waiting[corp.corp_id]
        try:
            while waiting and not corp.delivery.paused:
                await self.attempt(corp, waiting.popleft())
        finally:
            self.running[corp.corp_id] -= 1

    # -- one delivery ------------------------------------------------------------------------------------------------

    async def attempt(self, corp: Source, message: Message) -> None:
        receiver = corp.receivers.get(message.receiver)
        counts = self.counts[corp.corp_id]
        if receiver is None:
            message.state = "failed"
            counts["failed"] += 1
            return
        started = time.time()
        status, problem = 0, ""
        seconds = min(corp.delivery.timeout, message.within or corp.delivery.timeout)
        try:
            answer = await self.send(corp, receiver, message, seconds)
            status = answer.status
            if status == 200 and receiver.suite_id and answer.body != WORD.encode():
                problem = f"the answer is not the text {WORD}: {answer.body[:80]!r}"
        except TimeoutError:
            problem = f"no answer within {seconds:g} s"
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            problem = in_words(error)
        message.sends += 1
        counts["sends"] += 1
        took = round(time.time() - started, 4)
        message.attempts.append({"at": started, "status": status, "seconds": took, "problem": problem})
        if status == 200 and not problem:
            message.state = "delivered"
            counts["delivered"] += 1
        elif message.sends > corp.delivery.resends:
            message.state = "failed"
            counts["failed"] += 1
        else:
            counts["resends"] += 1
            self.later(corp, corp.delivery.resend_wait, [message])

    async def send(self, corp: Source, receiver: Receiver, message: Message, seconds: float) -> Answer:
        addressee = receiver.suite_id or receiver.corp_as or corp.corp_id
        seal = Seal(receiver.token, receiver.aes_key, addressee)
        encrypted = seal.encrypt(message.plaintext.encode())
        app = None if receiver.suite_id else corp.apps.get(receiver.app_key)
        agent = str(app.agent_id) if app is not None and app.agent_id else ""
        if receiver.json:
            fields = {"ToUserName": addressee, "AgentID": agent, "Encrypt": encrypted}
            body, kind = events.to_json(fields), "application/json"
        else:
            cells = (
                events.element("ToUserName", addressee)
                + events.element("AgentID", agent)
                + events.element("Encrypt", encrypted)
            )
            body, kind = f"<xml>{cells}</xml>".encode(), "text/xml"
        url = f"{receiver.url}{join(receiver.url)}{signed(seal, encrypted)}"
        return await self.client.send("POST", url, body, kind, seconds)

    async def verify(self, addressee: str, receiver: Receiver) -> dict[str, Any]:
        """The GET check on saving a callback: the plain echo must come back, at once."""
        seal = Seal(receiver.token, receiver.aes_key, addressee)
        echo = str(secrets.randbelow(10**19)).encode()
        encrypted = seal.encrypt(echo)
        url = f"{receiver.url}{join(receiver.url)}{signed(seal, encrypted, echostr=encrypted)}"
        started = time.time()
        try:
            answer = await self.client.send("GET", url, b"", "", 5.0)
        except TimeoutError:
            return {"ok": False, "problem": "no answer within 5 s"}
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            return {"ok": False, "problem": in_words(error)}
        report: dict[str, Any] = {
            "ok": True,
            "problem": "",
            "status": answer.status,
            "seconds": round(time.time() - started, 4),
        }
        if answer.status != 200:
            report |= {"ok": False, "problem": f"HTTP {answer.status}"}
        elif answer.body != echo:
            report |= {"ok": False, "problem": f"the answer is not the plain echo: {answer.body[:80]!r}"}
        elif report["seconds"] > 1:
            report["warning"] = "slower than the 1 s WeCom allows"
        return report

    # -- looking at it -----------------------------------------------------------------------------------------------

    def pending(self, corp_id: str) -> int:
        return len(self.waiting[corp_id]) + len(self.held[corp_id]) + self.running[corp_id] + self.sleeping[corp_id]

    def view(self, corp_id: str, after: int, limit: int) -> dict[str, Any]:
        found = [asdict(m) for m in self.ring if m.id > after and (not corp_id or m.corp_id == corp_id)]
        counts: Counter[str] = Counter()
        for key, counter in self.counts.items():
            if not corp_id or key == corp_id:
                counts.update(counter)
        pending = sum(self.pending(key) for key in ([corp_id] if corp_id else list(self.counts)))
        return {"deliveries": found[-limit:], "counts": dict(counts), "pending": pending}

    def forget(self, corp_id: str = "") -> None:
        """Drops the log and what still waits."""
        for message in self.ring:
            if message.state == "waiting" and (not corp_id or message.corp_id == corp_id):
                message.state = "dropped"
        self.ring = deque((message for message in self.ring if corp_id and message.corp_id != corp_id), maxlen=RING)
        for key in [corp_id] if corp_id else list(self.counts):
            self.counts.pop(key, None)
            self.waiting[key].clear()
            self.held.pop(key, None)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.client.close()


def told(corp: Corp, receiver: Receiver, fields: events.Fields) -> bytes:
    """The plaintext for this receiver: vendors know the corp by another id, suites hear of it in the info form."""
    if receiver.vendor:
        fields = VendorIds(receiver.vendor, corp).outward(fields)
    if receiver.suite_id:
        fields = events.info(receiver.suite_id, receiver.corp_as, fields)
    elif receiver.corp_as:
        fields = fields | {"ToUserName": receiver.corp_as}
    return events.to_json(fields) if receiver.json else events.to_xml(fields)


def in_words(error: Exception) -> str:
    return "connection refused" if isinstance(error, ConnectionRefusedError) else str(error) or type(error).__name__


def join(url: str) -> str:
    return "&" if "?" in url else "?"


def signed(seal: Seal, encrypted: str, **more: str) -> str:
    timestamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
    return urlencode(
        {"msg_signature": seal.sign(timestamp, nonce, encrypted), "timestamp": timestamp, "nonce": nonce} | more
    )
