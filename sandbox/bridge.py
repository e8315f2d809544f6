"""The client behind the JS-SDK: believes a page whose signature is right and answers its calls (wecom-api.md 8)."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.control import Control, Refused, body_of, json_answer
from sandbox.corp import Corp
from sandbox.jsapi import HARMLESS, JS_APIS, JsCall
from sandbox.objects import App
from sandbox.pages import FAILURES, LATE, JsFail, Page
from sandbox.suites import open_corpid
from sandbox.tickets import OF_CORP, BadSignature

CONFIG_CALLS = ("preVerifyJSAPI", "agentConfig")


class Bridge:
    def __init__(self, control: Control) -> None:
        self.control = control
        self.world = control.world

    def routes(self) -> list[Route]:
        table = [
            ("POST", "/chat/bridge", self.invoke),
            ("GET", "/_sandbox/mishaps", self.mishaps),
            ("POST", "/_sandbox/mishaps", self.add_mishap),
            ("DELETE", "/_sandbox/mishaps", self.drop_mishaps),
            ("POST", "/_sandbox/expire_tickets", self.expire_tickets),
        ]
        return [Route(path, self.control.wrap(view), methods=[method]) for method, path, view in table]

    # -- on demand ---------------------------------------------------------------------------------------------------

    async def mishaps(self, request: Request) -> Any:
        return {"mishaps": self.world.pages.view(), "failures": {name: said for name, (said, _) in FAILURES.items()}}

    async def add_mishap(self, request: Request) -> Any:
        return asdict(self.world.pages.add_mishap(await body_of(request)))

    async def drop_mishaps(self, request: Request) -> Any:
        return {"removed": self.world.pages.forget(request.query_params.get("corp_id", ""))}

    async def expire_tickets(self, request: Request) -> Any:
        wish = await body_of(request)
        return {"expired": self.world.tickets.expire(str(wish.get("corp_id") or ""))}

    # -- a call of a page --------------------------------------------------------------------------------------------

    async def invoke(self, request: Request) -> Response:
        wish = await body_of(request)
        page = self.world.pages.open_ones.get(str(wish.get("page")))
        if page is None:
            raise Refused(404, "no such page: it was opened before the sandbox began")
        name = str(wish.get("name"))
        params = wish.get("params") if isinstance(wish.get("params"), dict) else {}
        choice = wish.get("choice") if isinstance(wish.get("choice"), dict) else {}
        corp = self.world.corps.get(page.visitor.corp_id) if page.visitor else None
        mishap = self.world.pages.strike(corp.corp_id, name) if corp is not None else None
        try:
            if corp is None or page.visitor is None:
                raise JsFail("no_permission", "nobody is signed in to this client")
            if mishap is not None and mishap.failure != LATE:
                raise JsFail(mishap.failure)
            answer = self.answer(page, corp, name, dict(params or {}), dict(choice or {}), str(wish.get("url") or ""))
            said = "ok"
        except JsFail as failure:
            answer, said = {}, failure.said
            if failure.code is not None:
                answer["err_code"] = failure.code
        if corp is not None and page.visitor is not None:
            self.world.effects.note(
                corp, "jsapi", name=name, userid=page.visitor.person, params=params, said=said, page=page.id
            )
        if mishap is not None and mishap.failure == LATE:
            await self.world.pages.removed(mishap)
        if not said:
            return json_answer({"silent": True})
        return json_answer(answer | {"err_msg": f"{name}:{said}"})

    def answer(
        self, page: Page, corp: Corp, name: str, params: dict[str, Any], choice: dict[str, Any], url: str
    ) -> dict[str, Any]:
        if name in CONFIG_CALLS:
            self.believe(page, corp, name, params, url)
            return {}
        if choice.get("cancelled"):
            raise JsFail("cancel")
        return self.call(page, corp, name, params, choice)

    def believe(self, page: Page, corp: Corp, name: str, params: dict[str, Any], url: str) -> None:
        """config and agentConfig: the right corp, an app of it, a trusted domain, and a signature for this address."""
        agent = name == "agentConfig"
        mark = "" if agent else "verify"
        signed = {key: str(params.get(named(mark, key)) or "") for key in ("timestamp", "nonceStr", "signature")}
        app = self.asked_app(page, corp, str(params.get("agentid") or ""), agent)
        vendor = self.world.provider_of(app)
        known_as = open_corpid(vendor, corp.corp_id) if vendor else corp.corp_id
        if str(params.get("corpid" if agent else "appId")) != known_as:
            raise JsFail("wrong_corp")
        netloc = urlsplit(url).netloc
        place = self.world.windows.place_of(netloc, corp.corp_id) or netloc
        if app.trusted_domains is not None and place not in app.trusted_domains:
            raise JsFail("unreliable_domain")
        try:
            self.world.tickets.check(corp, app.key if agent else OF_CORP, signed, url, time.time())
        except BadSignature as bad:
            raise JsFail("wrong_ticket" if bad.code == 42012 else "invalid_signature") from bad
        listed = params.get("jsApiList" if agent else "verifyJsApiList")
        page.allowed = {str(one) for one in listed} if isinstance(listed, list) else set()
        page.signature = signed["signature"]
        if agent:
            page.app_key = app.key

    def asked_app(self, page: Page, corp: Corp, agentid: str, agent: bool) -> App:
        place = self.world.windows.place_of(page.host, corp.corp_id)
        for app in corp.apps.values():
            opens = place in (urlsplit(app.home_url).netloc, urlsplit(app.sidebar_url).netloc)
            if app.kind == "app" and not app.disabled and (str(app.agent_id) == agentid if agent else opens):
                return app
        raise JsFail("fail", "invalid agentid")

    def call(self, page: Page, corp: Corp, name: str, params: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
        found = JS_APIS.get(name)
        if found is None:
            raise JsFail("not_supported")
        app = corp.apps.get(page.app_key)
        assert page.visitor is not None
        staff = corp.staff.get(page.visitor.person.lower())
        if name in HARMLESS:
            return {"networkType": "wifi"} if name == "getNetworkType" else {}
        if app is None or staff is None or name not in page.allowed or not corp.sees(app, staff):
            raise JsFail("no_permission")
        if params.get("verifySignature") != page.signature:
            raise JsFail("no_permission", "the call is not signed as the page was")
        if found.selling and not (staff.customer_contact and app.customer_contact):
            raise JsFail("no_permission")
        if found.entries and page.visitor.entry not in found.entries:
            raise JsFail("no_context" if name.startswith("getCur") else "no_permission")
        ids = self.world.vendors.ids(corp, app)
        params = ids.inward(params) if ids else params
        answer = found.handler(JsCall(self.world, corp, app, staff, page.visitor, params, choice))
        return ids.outward(answer) if ids else answer


def named(mark: str, key: str) -> str:
    """`nonceStr`, or `verifyNonceStr` as config has it."""
    return f"{mark}{key[0].upper()}{key[1:]}" if mark else key
