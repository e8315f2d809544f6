"""The control API under /_sandbox/: corps and their settings, callbacks, acts, faults, logs. See README.md."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import seed
from sandbox.acts import CannotAct, perform
from sandbox.burst import burst
from sandbox.corp import Corp
from sandbox.crypto import BadSeal, Seal
from sandbox.faults import KINDS
from sandbox.objects import App, Receiver
from sandbox.world import World

View = Callable[[Request], Awaitable[Any]]


class Refused(Exception):
    """A wrong request to the control API."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(status, problem)
        self.status, self.problem = status, problem


def json_answer(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def site_of(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


class Control:
    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, View]] = [
            ("GET", "/_sandbox/health", self.health),
            ("GET", "/_sandbox/corps", self.corps),
            ("POST", "/_sandbox/corps", self.make_corp),
            ("GET", "/_sandbox/corps/{corp_id}", self.show_corp),
            ("PATCH", "/_sandbox/corps/{corp_id}", self.change_corp),
            ("DELETE", "/_sandbox/corps/{corp_id}", self.delete_corp),
            ("POST", "/_sandbox/corps/{corp_id}/apps", self.change_app),
            ("GET", "/_sandbox/corps/{corp_id}/callback", self.show_callbacks),
            ("POST", "/_sandbox/corps/{corp_id}/callback", self.set_callback),
            ("DELETE", "/_sandbox/corps/{corp_id}/callback", self.drop_callbacks),
            ("POST", "/_sandbox/corps/{corp_id}/stale_cursors", self.stale_cursors),
            ("POST", "/_sandbox/acts", self.act),
            ("POST", "/_sandbox/acts/burst", self.burst),
            ("POST", "/_sandbox/events", self.raw_event),
            ("GET", "/_sandbox/faults", self.faults),
            ("POST", "/_sandbox/faults", self.add_fault),
            ("DELETE", "/_sandbox/faults", self.drop_faults),
            ("GET", "/_sandbox/calls", self.calls),
            ("GET", "/_sandbox/effects", self.effects),
            ("GET", "/_sandbox/deliveries", self.deliveries),
            ("POST", "/_sandbox/wait", self.wait),
            ("POST", "/_sandbox/expire_tokens", self.expire_tokens),
            ("POST", "/_sandbox/reset", self.reset),
        ]
        return [Route(path, self.wrap(view), methods=[method]) for method, path, view in table]

    def wrap(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                result = await view(request)
            except Refused as refused:
                return json_answer({"error": refused.problem}, refused.status)
            except (CannotAct, BadSeal, ValueError, TypeError, KeyError) as error:
                return json_answer({"error": str(error)}, 400)
            return result if isinstance(result, Response) else json_answer(result)

        return endpoint

    # -- what a request names ----------------------------------------------------------------------------------------

    def corp(self, corp_id: str) -> Corp:
        found = self.world.corps.get(corp_id)
        if found is None:
            raise Refused(404, f"no corp {corp_id}")
        return found

    def path_corp(self, request: Request) -> Corp:
        return self.corp(request.path_params["corp_id"])

    def wished_corp(self, wish: dict[str, Any]) -> Corp:
        """The corp a wish names, or the only one there is."""
        if not wish.get("corp_id") and self.world.corps:
            return next(iter(self.world.corps.values()))
        return self.corp(str(wish.get("corp_id")))

    # -- corps -------------------------------------------------------------------------------------------------------

    async def health(self, request: Request) -> Any:
        told = {"home": self.world.for_browsers(site_of(request)), "finance_proxy": self.world.finance_proxy}
        return {"ok": True, "corps": len(self.world.corps), "now": time.time(), **told}

    async def corps(self, request: Request) -> Any:
        return {"corps": [self.corp_view(corp) for corp in self.world.corps.values()]}

    def corp_view(self, corp: Corp) -> dict[str, Any]:
        apps = [asdict(app) for app in corp.apps.values()]
        main = next((app for app in corp.apps.values() if app.kind == "app"), None)
        contact = corp.apps.get("contact")
        return {
            "corp_id": corp.corp_id,
            "name": corp.name,
            "seed": corp.seed,
            "status": corp.status,
            "agent_id": main.agent_id if main else 0,
            "secret": main.secret if main else "",
            "contact_secret": contact.secret if contact else "",
            "apps": apps,
            "counts": corp.counts(),
            "receivers": [asdict(receiver) for receiver in corp.receivers.values()],
            "limits": asdict(corp.limits),
            "delivery": asdict(corp.delivery),
        }

    async def show_corp(self, request: Request) -> Any:
        return self.corp_view(self.path_corp(request))

    async def make_corp(self, request: Request) -> Any:
        wish = await body_of(request)
        corp_id = str(wish.pop("corp_id", "") or "")
        if not corp_id:
            raise Refused(400, "corp_id is required")
        if corp_id in self.world.corps and not wish.pop("replace", False):
            raise Refused(409, f"corp {corp_id} is there already")
        wish.pop("replace", None)
        later: dict[str, Any] = {name: wish.pop(name) for name in ("limits", "delivery") if name in wish}
        known = {"name", "agent_id", "secret", "contact_secret", "seed", "staff", "customers", "groups"}
        if set(wish) - known:
            raise Refused(400, f"unknown fields: {', '.join(sorted(set(wish) - known))}")
        corp = await asyncio.to_thread(seed.seed_corp, corp_id, **{"name": corp_id} | wish)
        settle_options(corp, later)
        if corp_id in self.world.corps:
            self.world.remove(corp_id)
        self.world.add(corp)
        return self.corp_view(corp)

    async def change_corp(self, request: Request) -> Any:
        corp, wish = self.path_corp(request), await body_of(request)
        if "status" in wish:
            corp.status = str(wish["status"])
        settle_options(corp, wish)
        corp.touch("corp", corp.corp_id)
        if not corp.delivery.paused:
            self.world.sender.pump(corp)
        return self.corp_view(corp)

    async def delete_corp(self, request: Request) -> Any:
        self.world.remove(self.path_corp(request).corp_id)
        return {"ok": True}

    async def change_app(self, request: Request) -> Any:
        """A new app of the corp, or new settings of one: secret, visible range, rights, trusted addresses."""
        corp, wish = self.path_corp(request), await body_of(request)
        agent_id = int(wish.get("agent_id") or 0)
        key = str(wish.pop("key", "") or f"app:{agent_id}")
        app = corp.apps.get(key) or App(key, "app", "自建应用", seed.demo_secret(corp.corp_id, key), agent_id)
        old = app.secret
        app = replace(app, **wish)
        corp.apps[key] = app
        if app.secret != old:
            self.world.expire_tokens(corp.corp_id, key, 40014)
        corp.touch("corp", corp.corp_id)
        return asdict(app)

    async def stale_cursors(self, request: Request) -> Any:
        corp = self.path_corp(request)
        corp.cursor_epoch += 1
        corp.touch("corp", corp.corp_id)
        return {"ok": True}

    # -- callbacks ---------------------------------------------------------------------------------------------------

    async def show_callbacks(self, request: Request) -> Any:
        return {"receivers": [asdict(receiver) for receiver in self.path_corp(request).receivers.values()]}

    async def set_callback(self, request: Request) -> Any:
        """Saves a callback URL if it passes the GET check, as the admin console does; `force` saves it anyhow."""
        corp, wish = self.path_corp(request), await body_of(request)
        main = next((app.key for app in corp.apps.values() if app.kind == "app"), "")
        app_key = str(wish.get("app") or main)
        receiver = Receiver(
            str(wish.get("id") or app_key),
            str(wish["url"]),
            str(wish["token"]),
            str(wish["aes_key"]),
            app_key,
            list(wish.get("events") or ()),
        )
        receiver.json = bool(wish.get("json"))
        Seal(receiver.token, receiver.aes_key, corp.corp_id)
        if not receiver.url.startswith(("http://", "https://")):
            raise Refused(400, "url must begin with http:// or https://")
        report = (
            {"ok": True, "problem": "not checked"}
            if wish.get("check") is False
            else await self.world.sender.verify(corp.corp_id, receiver)
        )
        if report["ok"] or wish.get("force"):
            corp.receivers[receiver.id] = receiver
            corp.touch("corp", corp.corp_id)
        saved = receiver.id in corp.receivers and corp.receivers[receiver.id] is receiver
        return json_answer(
            {"saved": saved, "verification": report, "receiver": asdict(receiver)}, 200 if saved else 422
        )

    async def drop_callbacks(self, request: Request) -> Any:
        corp = self.path_corp(request)
        wanted = request.query_params.get("id")
        own = [key for key, receiver in corp.receivers.items() if not receiver.corp_as]
        for key in [wanted] if wanted else own:
            corp.receivers.pop(key, None)
        corp.touch("corp", corp.corp_id)
        return {"receivers": list(corp.receivers)}

    # -- acts --------------------------------------------------------------------------------------------------------

    async def act(self, request: Request) -> Any:
        wish = await body_of(request)
        corp = self.wished_corp(wish)
        return {"ok": True} | perform(self.world, corp, str(wish.get("act")), wish)

    async def burst(self, request: Request) -> Any:
        wish = await body_of(request)
        return await burst(self.world, self.wished_corp(wish), wish)

    async def raw_event(self, request: Request) -> Any:
        """Sends a plaintext as it is given, sealed, to the receivers of the corp: broken, foreign or new events."""
        wish = await body_of(request)
        suite = self.world.vendors.suites.get(str(wish.get("corp_id")))
        source = suite or self.wished_corp(wish)
        text = str(wish["plaintext"]).encode()
        sent = [
            self.world.sender.submit(source, receiver, str(wish.get("name", "raw")), "", text).id
            for receiver in source.receivers.values()
            if suite is not None or not receiver.suite_id
            for _ in range(int(wish.get("copies") or 1))
        ]
        return {"deliveries": sent}

    # -- faults and logs ---------------------------------------------------------------------------------------------

    async def faults(self, request: Request) -> Any:
        return {"faults": self.world.faults.view(), "kinds": KINDS}

    async def add_fault(self, request: Request) -> Any:
        wish = await body_of(request)
        fault = self.world.faults.add(wish)
        if fault.kind == "refuse":
            self.world.faults.remove(fault.id)
            seconds = fault.delay or 5.0
            asyncio.get_running_loop().call_later(0.05, self.world.shut, seconds)
        return asdict(fault)

    async def drop_faults(self, request: Request) -> Any:
        query = request.query_params
        return {"removed": self.world.faults.remove(int(query.get("id") or 0), query.get("corp_id", ""))}

    async def calls(self, request: Request) -> Any:
        query = request.query_params
        api = query.get("api", "").removeprefix("/cgi-bin/")
        return self.world.calls.view(
            query.get("corp_id", ""), api, int(query.get("after") or 0), int(query.get("limit") or 500)
        )

    async def effects(self, request: Request) -> Any:
        query = request.query_params
        corp_id = query.get("corp_id", "")
        found = self.world.effects.view(
            corp_id, query.get("kind", ""), int(query.get("after") or 0), int(query.get("limit") or 500)
        )
        corps = [self.corp(corp_id)] if corp_id else list(self.world.corps.values())
        codes = [asdict(welcome) for corp in corps for welcome in corp.welcomes.values()]
        sent = sum(1 for welcome in codes if welcome["used_by"])
        return found | {"welcomes": {"codes": len(codes), "sent": sent, "latest": codes[-200:]}}

    async def deliveries(self, request: Request) -> Any:
        query = request.query_params
        return self.world.sender.view(
            query.get("corp_id", ""), int(query.get("after") or 0), int(query.get("limit") or 500)
        )

    async def wait(self, request: Request) -> Any:
        """Answers when no callback of the corp is on its way any more, or time is up."""
        wish = await body_of(request)
        key = str(wish.get("corp_id") or "")
        if key not in self.world.vendors.suites:
            key = self.wished_corp(wish).corp_id
        end = time.time() + float(wish.get("timeout") or 30)
        while self.world.sender.pending(key) and time.time() < end:  # noqa: ASYNC110 - many things may end it
            await asyncio.sleep(0.02)
        return {"pending": self.world.sender.pending(key), "counts": dict(self.world.sender.counts[key])}

    async def expire_tokens(self, request: Request) -> Any:
        wish = await body_of(request)
        if wish.get("suite_id"):
            return {"expired": self.world.vendors.expire_tokens(str(wish["suite_id"]), int(wish.get("code") or 42009))}
        code = int(wish.get("code") or 42001)
        return {"expired": self.world.expire_tokens(str(wish.get("corp_id") or ""), str(wish.get("app") or ""), code)}

    async def reset(self, request: Request) -> Any:
        """Clears logs, counters, bans and faults (of one corp); people stay."""
        wish = await body_of(request)
        self.world.forget(str(wish.get("corp_id") or ""))
        return {"ok": True}


def settle_options(corp: Corp, wish: dict[str, Any]) -> None:
    for name, current in (("limits", corp.limits), ("delivery", corp.delivery)):
        given = wish.get(name)
        if given:
            known = {field.name for field in fields(current)}
            if set(given) - known:
                raise Refused(400, f"unknown {name}: {', '.join(sorted(set(given) - known))}")
            setattr(corp, name, replace(current, **given))


async def body_of(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        body = orjson.loads(raw)
    except ValueError as error:
        raise Refused(400, f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "a JSON object is expected")
    return body
