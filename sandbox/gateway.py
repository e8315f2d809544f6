"""The door of the API: token, rights, ceilings, faults and the log around every call under /cgi-bin/."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope, Send

from sandbox import illness
from sandbox.api import ENDPOINTS, Ask, Blob, Endpoint
from sandbox.api.registered import MODULES  # noqa: F401 - they register
from sandbox.api.service import BY_PROVIDER, BY_SUITE, VENDOR_ENDPOINTS, VendorAsk
from sandbox.corp import Corp
from sandbox.errors import ApiError, errmsg
from sandbox.faults import Fault
from sandbox.log import shorten
from sandbox.objects import App, Limits
from sandbox.vendor_ids import nameless
from sandbox.world import World

SECRET_QUERY = {"access_token", "corpsecret", "suite_access_token", "provider_access_token"}
VENDOR_LIMITS = Limits(ip_per_minute=40_000, ip_per_hour=1_200_000)  # wecom-api.md 10.2
BOUND_TO_CORPS = {"auth/getuserinfo", "user/getuserinfo", "auth/getuserdetail"}  # 第三方 have calls of their own
LARGEST_BODY = 32 << 20
OK = {"errcode": 0, "errmsg": "ok"}


@dataclass(slots=True)
class Call:
    """An API call as it came in."""

    api: str
    method: str
    query: dict[str, str]
    body: bytes
    ip: str
    site: str = ""
    content_type: str = ""
    range: str = ""
    corp_id: str = ""
    fault: Fault | None = None


class Gateway:
    def __init__(self, world: World) -> None:
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = await read_call(scope, receive)
        world = self.world
        started = time.time()
        call.corp_id = self.whose(call)
        call.fault = world.faults.pick(call.corp_id, call.api, started)
        world.calls.begin(call.corp_id, call.api)
        answer: dict[str, Any] | Blob = {}
        try:
            answer = await self.answer(call)
            payload = answer.body if isinstance(answer, Blob) else orjson.dumps(answer)
            if call.fault is None and isinstance(answer, Blob):
                await illness.send_all(send, 200, payload, answer.content_type.encode(), *answer.headers)
            elif call.fault is None:
                await illness.send_all(send, 200, payload)
            else:
                await illness.strike(call.fault, payload, send, world.shutting)
        finally:
            seconds = round(time.time() - started, 4)
            code = 0 if isinstance(answer, Blob) else int(answer.get("errcode", 0 if answer else -2))
            world.calls.end(call.corp_id, call.api, code, self.entry(call, started, seconds))

    def entry(self, call: Call, started: float, seconds: float) -> dict[str, Any]:
        query = {name: value for name, value in call.query.items() if name not in SECRET_QUERY}
        fault = call.fault.kind if call.fault else ""
        upload = call.content_type.startswith("multipart/")
        body = f"({len(call.body)} bytes of {call.content_type})" if upload else shorten(call.body)
        return {
            "at": started,
            "method": call.method,
            "query": query,
            "body": body,
            "seconds": seconds,
            "fault": fault,
            "ip": call.ip,
        }

    async def answer(self, call: Call) -> dict[str, Any] | Blob:
        """The whole JSON answer; with a fault that spoils the call itself, what the fault says."""
        fault = call.fault
        try:
            if fault is not None and not fault.executed:
                if fault.kind == "errcode":
                    raise ApiError(fault.errcode)
                if fault.kind not in ("slow", "slowloris"):
                    return {"errcode": -2, "errmsg": f"sandbox fault: {fault.kind}"}
            if fault is not None and fault.kind == "slow":
                await illness.rest(fault.delay or 1.0, self.world.shutting)
            result = await self.run(call)
            if fault is not None and fault.kind == "errcode":
                raise ApiError(fault.errcode)
            bare = call.api in VENDOR_ENDPOINTS and VENDOR_ENDPOINTS[call.api].bare
            return result if isinstance(result, Blob) or bare else OK | result
        except ApiError as error:
            return {"errcode": error.code, "errmsg": errmsg(error.code, error.note, call.ip)}

    async def run(self, call: Call) -> dict[str, Any] | Blob:
        now = time.time()
        world = self.world
        if call.api == "gettoken":
            return world.give_token(call.query, call.ip, now)
        if call.api.startswith("service/"):
            return await self.run_vendor(call, now)
        endpoint = ENDPOINTS.get(call.api)
        if endpoint is None:
            raise ApiError(48001, "the sandbox does not know this api")
        corp, app = world.redeem(call.query.get("access_token", ""), now)
        check_vendor(world, app, call)
        check_right(endpoint, app, call.ip)
        if call.method != endpoint.method:
            raise ApiError(40058, f"require {endpoint.method} method")
        world.ceilings.admit(corp.corp_id, call.api, call.ip, corp.limits, now)
        world.ceilings.enter(corp.corp_id, call.api, corp.limits)
        try:
            body = read_body(call) if endpoint.method == "POST" and not endpoint.raw else {}
            await asyncio.sleep(latency(corp, call.api))
            raw = call.body if endpoint.raw else b""
            ask = Ask(world, corp, app, call.query, body, time.time(), call.site, raw, call.content_type, call.range)
            return answer_of(world, endpoint, ask)
        finally:
            world.ceilings.leave(corp.corp_id, call.api)

    async def run_vendor(self, call: Call, now: float) -> dict[str, Any]:
        """A call under service/: its token is a suite's or a vendor's."""
        world, endpoint = self.world, VENDOR_ENDPOINTS.get(call.api)
        if endpoint is None:
            raise ApiError(48001, "the sandbox does not know this api")
        suite = world.vendors.redeem_suite(call.query.get(BY_SUITE, ""), now) if endpoint.token == BY_SUITE else None
        given = call.query.get(BY_PROVIDER, "")
        provider = world.vendors.redeem_provider(given, now) if endpoint.token == BY_PROVIDER else None
        if suite is not None and suite.trusted_ips is not None and call.ip not in suite.trusted_ips:
            raise ApiError(60020)
        if call.method != endpoint.method:
            raise ApiError(40058, f"require {endpoint.method} method")
        world.ceilings.admit(call.corp_id, call.api, call.ip, VENDOR_LIMITS, now)
        body = read_body(call) if endpoint.method == "POST" else {}
        return endpoint.handler(VendorAsk(world, body, now, call.site, suite, provider, call.query))

    def whose(self, call: Call) -> str:
        """Under which corp, suite or vendor the call is logged, and whose faults strike it."""
        world, query = self.world, call.query
        token = world.vendors.tokens.get(query.get(BY_SUITE, "") or query.get(BY_PROVIDER, ""))
        if token is not None:
            return token.owner
        if call.api in ("service/get_suite_token", "service/get_provider_token"):
            body = loads(call.body)
            return str(body.get("suite_id") or body.get("corpid") or "")
        corp, _ = world.known_as(query.get("corpid", ""))
        return world.owner_of(query.get("access_token", "")) or (corp.corp_id if corp else query.get("corpid", ""))


def loads(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def latency(corp: Corp, api: str) -> float:
    return next((seconds for pattern, seconds in corp.limits.latency.items() if fnmatchcase(api, pattern)), 0.0)


def answer_of(world: World, endpoint: Endpoint, ask: Ask) -> dict[str, Any] | Blob:
    """The answer in the ids that the app's owner knows people by; 第三方 are told no names of members."""
    ids = world.vendors.ids(ask.corp, ask.app)
    if ids is not None:
        ask.query, ask.body = ids.inward(ask.query), ids.inward(ask.body)
    answer = endpoint.handler(ask)
    if ids is not None:
        answer = ids.outward(answer)
    return nameless(answer) if ask.app.third_party and isinstance(answer, dict) else answer


def check_vendor(world: World, app: App, call: Call) -> None:
    """An app of a vendor: called from his addresses only, and a 第三方 app has no calls for self-built ones."""
    suite = world.vendors.suites.get(app.suite_id)
    if suite is not None and suite.trusted_ips is not None and call.ip not in suite.trusted_ips:
        raise ApiError(60020)
    if app.third_party and call.api in BOUND_TO_CORPS:
        raise ApiError(48002)


def check_right(endpoint: Endpoint, app: App, ip: str) -> None:
    if app.trusted_ips is not None and ip not in app.trusted_ips:
        raise ApiError(301042 if app.kind == "archive" else 60020)
    if app.kind not in endpoint.kinds:
        raise ApiError(48002)
    if endpoint.customer_right and not app.customer_contact:
        raise ApiError(48002)


def read_body(call: Call) -> dict[str, Any]:
    if not call.body.strip():
        raise ApiError(40063, "empty body")
    try:
        body = orjson.loads(call.body)
    except ValueError as error:
        raise ApiError(40058, "Warning: wrong json format. ") from error
    if not isinstance(body, dict):
        raise ApiError(40058, "Warning: wrong json format. ")
    return body


async def read_call(scope: Scope, receive: Receive) -> Call:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if len(body) <= LARGEST_BODY:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    client = scope.get("client")
    api = scope["path"].removeprefix("/cgi-bin/")
    headers = dict(scope["headers"])
    site = f"{scope.get('scheme', 'http')}://{headers.get(b'host', b'').decode('latin-1')}"
    kind = headers.get(b"content-type", b"").decode("latin-1")
    part = headers.get(b"range", b"").decode("latin-1")
    return Call(api, scope["method"], query, bytes(body), client[0] if client else "127.0.0.1", site, kind, part)
