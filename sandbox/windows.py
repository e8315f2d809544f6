"""The client's browser windows: pages of an app, opened under the app's own name at the sandbox's port.

A page reached so is the app's own, byte for byte, but for what the real client does to it: its own browser name
(`wxwork/…`), the JS bridge in front of the page's scripts, a cookie jar for each member, and no frame rules, because
there the page is the top of its own web view. OAuth addresses are answered by the client without leaving the window.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from sandbox.illness import HTML, send_all
from sandbox.visitors import Visitor, visitor_of

if TYPE_CHECKING:
    from sandbox.world import World

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.0.0 Safari/537.36 "
    "wxwork/4.1.36 (MicroMessenger/6.2) WindowsWechat MailPlugin_Electron WeMail embeddisk wwmver/3.26.36"
)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN"
)
AS_CUSTOMER = "sandbox_as"  # in the address of a page that a customer opens on his phone, in WeChat
SECONDS = 60.0
LARGEST = 64 << 20
OAUTH = ("/connect/oauth2/authorize", "/wwlogin/sso/login", "/wwopen/sso/qrConnect")
NOT_PASSED = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "proxy-connection", "accept-encoding"}
NOT_KEPT = NOT_PASSED | {"content-length", "x-frame-options", "set-cookie", "location", "strict-transport-security"}
HEAD = re.compile(rb"<head(\s[^>]*)?>", re.IGNORECASE)
Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Answer:
    status: int
    headers: Headers
    body: bytes


@dataclass(slots=True)
class Place:
    """Where an app's pages really are."""

    scheme: str
    netloc: str
    server: tuple[str, int]


class Unreachable(OSError):
    """The app's server does not answer."""


class Windows:
    """Which names belong to apps, and where their servers are."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.local_server: tuple[str, int] | None = None  # what answers for `.localhost`, where it isn't this machine

    def find(self, host: str, corp_id: str = "") -> Place | None:
        """The place a Host header stands for, of this corp before others; an address or `localhost` is the sandbox."""
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name.replace(".", "").isdigit():
            return None
        corps = list(self.world.corps.values())[::-1]  # the latest first
        for corp in sorted(corps, key=lambda corp: corp.corp_id != corp_id):
            for app in corp.apps.values():
                for url in (app.home_url, app.sidebar_url):
                    parts = urlsplit(url)
                    if parts.hostname == name and parts.scheme in ("http", "https"):
                        port = parts.port or (443 if parts.scheme == "https" else 80)
                        return Place(parts.scheme, parts.netloc, self.server_of(name, port))
        return None

    def server_of(self, name: str, port: int) -> tuple[str, int]:
        """Names under `.localhost` are this machine, as browsers hold."""
        return (self.local_server or ("127.0.0.1", port)) if name.endswith(".localhost") else (name, port)

    def place_of(self, netloc: str, corp_id: str) -> str:
        """The real `host:port` behind a window's address; "" when it is none."""
        found = self.find(netloc, corp_id)
        return found.netloc if found else ""

    def covers(self, host: str, netloc: str, corp_id: str) -> bool:
        """Whether a page of `netloc` belongs into the window that was asked under `host`."""
        return netloc == host or (bool(netloc) and self.place_of(host, corp_id) == netloc)


class Window:
    """Fetches a page of an app for a window and hands it over."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send, place: Place) -> None:
        request = Request(scope, receive)
        visitor = None if request.query_params.get(AS_CUSTOMER) else visitor_of(request.cookies)
        if visitor is not None:
            place = self.world.windows.find(request.headers.get("host", ""), visitor.corp_id) or place
        try:
            async with asyncio.timeout(SECONDS):
                answer = await fetch(place, await packet(request, visitor))
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            text = f"<!doctype html><meta charset=utf-8><title>无法打开页面</title><p>无法打开 {place.netloc}：{error}"
            await send_all(send, 502, text.encode(), HTML)
            return
        await self.hand_over(request, visitor, answer, send)

    async def hand_over(self, request: Request, visitor: Visitor | None, answer: Answer, send: Send) -> None:
        host = request.headers.get("host", "")
        headers = [(name, value) for name, value in answer.headers if name.lower() not in NOT_KEPT]
        headers = [(n, without_frames(v)) if n.lower().startswith("content-security") else (n, v) for n, v in headers]
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                headers.append((name, into_jar(visitor, value)))
            elif name.lower() == "location":
                headers.append((name, self.location(host, value, visitor)))
        body = answer.body
        kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
        in_client = not request.query_params.get(AS_CUSTOMER) and kind.startswith("text/html")
        if in_client and b"<head" in body[:4096].lower():
            page = self.world.pages.open(visitor, host)
            script = f'<script src="/chat/bridge.js?page={page.id}"></script>'.encode()
            body = HEAD.sub(lambda found: found.group(0) + script, body, count=1)
            headers.append(("cache-control", "no-store"))
        headers.append(("content-length", str(len(body))))
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})

    def location(self, host: str, value: str, visitor: Visitor | None) -> str:
        """Redirects to the app's own pages and to OAuth stay inside the window."""
        parts = urlsplit(value)
        corp_id = visitor.corp_id if visitor else ""
        inside = parts.path in OAUTH or self.world.windows.covers(host, parts.netloc, corp_id)
        return urlunsplit(("", "", *parts[2:])) if parts.netloc and inside else value


# -- cookies, policies -----------------------------------------------------------------------------------------------


def into_jar(visitor: Visitor | None, cookie: str) -> str:
    """The cookie under the member's own name; without rules that hold only for the app's real address."""
    first, *rest = cookie.split(";")
    kept = [part for part in rest if part.split("=")[0].strip().lower() not in ("domain", "secure")]
    return ";".join([f"wv.{visitor.jar if visitor else 'nobody'}.{first.strip()}", *kept])


def out_of_jar(visitor: Visitor | None, cookies: str) -> str:
    mark = f"wv.{visitor.jar if visitor else 'nobody'}."
    found = (part.strip() for part in cookies.split(";"))
    return "; ".join(part.removeprefix(mark) for part in found if part.startswith(mark))


def without_frames(policy: str) -> str:
    rules = [rule.strip() for rule in policy.split(";")]
    return "; ".join(rule for rule in rules if rule and not rule.startswith("frame-ancestors"))


# -- the exchange ----------------------------------------------------------------------------------------------------


async def packet(request: Request, visitor: Visitor | None) -> bytes:
    """The browser's request, in the words of the client."""
    query = "&".join(part for part in request.url.query.split("&") if part and not part.startswith(f"{AS_CUSTOMER}="))
    raw_path = request.scope.get("raw_path") or request.url.path.encode()
    target = raw_path.split(b"?")[0].decode("latin-1") + (f"?{query}" if query else "")
    agent = PHONE if request.query_params.get(AS_CUSTOMER) else AGENT
    lines = [f"{request.method} {target} HTTP/1.1"]
    for name, value in request.headers.items():
        if name not in NOT_PASSED | {"cookie", "user-agent", "content-length"}:
            lines.append(f"{name}: {value}")
    cookies = out_of_jar(visitor, request.headers.get("cookie", ""))
    body = await request.body()
    lines += [f"user-agent: {agent}", "accept-encoding: identity", "connection: close"]
    lines += [f"cookie: {cookies}"] if cookies else []
    lines += [f"content-length: {len(body)}"] if body or request.method not in ("GET", "HEAD") else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


async def fetch(place: Place, request: bytes) -> Answer:
    """One exchange on a connection of its own."""
    try:
        reader, writer = await asyncio.open_connection(*place.server, ssl=place.scheme == "https" or None)
    except OSError as error:
        raise Unreachable(f"{place.netloc} 没有应答") from error
    try:
        writer.write(request)
        await writer.drain()
        return await read_answer(reader, request.startswith(b"HEAD "))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def read_answer(reader: asyncio.StreamReader, bare: bool) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
    status = int(first.split(" ", 2)[1])
    headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    given = {name.lower(): value for name, value in headers}
    if bare or status in (204, 304):
        return Answer(status, headers, b"")
    if given.get("transfer-encoding", "").lower() == "chunked":
        return Answer(status, headers, await read_chunks(reader))
    length = given.get("content-length")
    if length is not None and int(length) > LARGEST:
        raise Unreachable("页面过大")
    return Answer(status, headers, await (reader.readexactly(int(length)) if length is not None else reader.read(-1)))


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        part = (await reader.readexactly(size + 2))[:size]
        if size == 0:
            return b"".join(parts)
        parts.append(part)
