"""The vendor's console under /_sandbox/suites: suites and templates, their callbacks, tickets and authorisations."""

from __future__ import annotations

import time
from dataclasses import asdict, fields, replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from sandbox.control import Control, Refused, body_of, json_answer
from sandbox.corp import Corp
from sandbox.crypto import Seal
from sandbox.seed import demo_secret
from sandbox.suites import DEFAULT_PROVIDER, PREFIXES, SUITE, TEMPLATE, Authorised, Suite, open_corpid, receiver
from sandbox.vendors import Declined

SETTINGS = ("name", "ticket_every", "ticket_lifetime", "token_lifetime", "auth_code_seconds", "pre_auth_seconds")
SWITCHES = ("both_ways", "published", "encrypt_ids", "trusted_ips")
APP_FIELDS = ("visible_users", "visible_parties", "customer_contact", "disabled", "sensitive_fields")


class SuiteControl:
    def __init__(self, control: Control) -> None:
        self.control, self.world, self.vendors = control, control.world, control.world.vendors

    def routes(self) -> list[Route]:
        base = "/_sandbox/suites"
        one = f"{base}/{{suite_id}}"
        table = [
            ("GET", base, self.all),
            ("POST", base, self.make),
            ("GET", one, self.show),
            ("PATCH", one, self.change_suite),
            ("DELETE", one, self.delete),
            ("POST", f"{one}/callback", self.set_callback),
            ("POST", f"{one}/ticket", self.ticket),
            ("POST", f"{one}/install", self.install),
            ("POST", f"{one}/cancel", self.cancel),
            ("POST", f"{one}/change", self.change),
            ("POST", f"{one}/reset", self.reset),
            ("POST", f"{one}/apps/{{corp_id}}/callback", self.set_app_callback),
        ]
        return [Route(path, self.control.wrap(view), methods=[method]) for method, path, view in table]

    def suite(self, request: Request) -> Suite:
        found = self.vendors.suites.get(request.path_params["suite_id"])
        if found is None:
            raise Refused(404, f"no suite {request.path_params['suite_id']}")
        return found

    def view(self, suite: Suite) -> dict[str, Any]:
        """All of it, with what the vendor and the corps have to know."""
        shown = asdict(suite)
        corps = self.world.corps
        shown["authorised"] = [
            asdict(given) | {"corp_name": corps[given.corp_id].name if given.corp_id in corps else ""}
            for given in suite.authorised.values()
        ]
        now = time.time()
        return shown | {
            "provider_secret": self.vendors.provider(suite.provider_corp_id).secret,
            "ticket": suite.tickets[-1].value if suite.tickets else "",
            "ticket_at": suite.tickets[-1].at if suite.tickets else 0.0,
            "live_tickets": [ticket.value for ticket in suite.live_tickets(now)],
            "open_corpids": {key: open_corpid(suite.provider_corp_id, key) for key in corps},
        }

    # -- suites ------------------------------------------------------------------------------------------------------

    async def all(self, request: Request) -> Any:
        return {"suites": [self.view(suite) for suite in self.vendors.suites.values()]}

    async def show(self, request: Request) -> Any:
        return self.view(self.suite(request))

    async def make(self, request: Request) -> Any:
        wish = await body_of(request)
        suite_id = str(wish.pop("suite_id", "") or "")
        kind = str(wish.pop("kind", "") or PREFIXES.get(suite_id[:2], ""))
        if not suite_id or kind not in (SUITE, TEMPLATE):
            raise Refused(400, "suite_id begins with dk (a template) or ww (a suite), or `kind` says which it is")
        old, again = self.vendors.suites.get(suite_id), bool(wish.pop("replace", False))
        if old is not None and not again:
            raise Refused(409, f"suite {suite_id} is there already")
        provider_id = str(wish.pop("provider_corp_id", "") or DEFAULT_PROVIDER)
        provider_secret, check = str(wish.pop("provider_secret", "") or ""), wish.pop("check", None)
        secret = str(wish.pop("secret", "") or demo_secret(suite_id, "suite"))
        name = str(wish.pop("name", "") or ("代开发应用" if kind == TEMPLATE else "第三方应用"))
        callback = wish.pop("callback", None)
        suite = Suite(suite_id, name, kind, secret, provider_id)
        settle(suite, wish)
        if old is not None:
            self.vendors.remove(old)
        self.vendors.provider(provider_id, provider_secret)
        self.vendors.suites[suite_id] = suite
        report = await self.save_callback(suite, callback, check is not False) if callback else None
        return json_answer(self.view(suite) | {"verification": report}, 200 if not report or report["ok"] else 422)

    async def change_suite(self, request: Request) -> Any:
        suite, wish = self.suite(request), await body_of(request)
        secret = str(wish.pop("secret", "") or "")
        settle(suite, wish)
        self.vendors.listen_again(suite)
        if secret and secret != suite.secret:
            suite.secret = secret
            self.vendors.expire_tokens(suite.suite_id, 40082)
        if not suite.delivery.paused:
            self.world.sender.pump(suite)
        return self.view(suite)

    async def delete(self, request: Request) -> Any:
        self.vendors.remove(self.suite(request))
        return {"ok": True}

    # -- callbacks and tickets ---------------------------------------------------------------------------------------

    async def set_callback(self, request: Request) -> Any:
        """Saves the callback if it passes the GET check; the first ticket follows within a moment."""
        suite, wish = self.suite(request), await body_of(request)
        report = await self.save_callback(suite, wish, wish.get("check") is not False)
        return json_answer({"saved": report["ok"], "verification": report}, 200 if report["ok"] else 422)

    async def save_callback(self, suite: Suite, wish: dict[str, Any], check: bool) -> dict[str, Any]:
        kept, report = await self.checked(wish, suite.provider_corp_id, check)
        if report["ok"]:
            self.vendors.set_callback(suite, kept)
            self.vendors.push_ticket(suite, time.time())
        return report

    async def checked(self, wish: dict[str, Any], addressee: str, check: bool) -> tuple[dict[str, str], dict[str, Any]]:
        kept = {name: str(wish[name]) for name in ("url", "token", "aes_key")}
        Seal(kept["token"], kept["aes_key"], addressee)
        if not kept["url"].startswith(("http://", "https://")):
            raise Refused(400, "url must begin with http:// or https://")
        if not check:
            return kept, {"ok": True, "problem": "not checked"}
        return kept, await self.world.sender.verify(addressee, receiver("", kept))

    async def ticket(self, request: Request) -> Any:
        """A new ticket now, as the console's 重新推送 does."""
        ticket = self.vendors.push_ticket(self.suite(request), time.time())
        return {"suite_ticket": ticket.value, "at": ticket.at}

    # -- what a corp's admin does ------------------------------------------------------------------------------------

    async def named(self, request: Request) -> tuple[Suite, Corp, dict[str, Any]]:
        suite, wish = self.suite(request), await body_of(request)
        return suite, self.control.wished_corp(wish), wish

    def given(self, suite: Suite, corp: Corp) -> Authorised:
        return self.vendors.given(suite, corp.corp_id)

    async def install(self, request: Request) -> Any:
        """The admin scans the code or chooses the app in the market; the vendor hears create_auth."""
        suite, corp, wish = await self.named(request)
        try:
            code = self.vendors.install(suite, corp, str(wish.get("state") or ""), tell=wish.get("tell") is not False)
        except Declined as declined:
            raise Refused(409, str(declined)) from declined
        return {"auth_code": code} | self.known(suite, corp)

    def known(self, suite: Suite, corp: Corp) -> dict[str, Any]:
        given = self.given(suite, corp)
        return {"open_corpid": given.open_corpid, "agent_id": given.agent_id}

    async def cancel(self, request: Request) -> Any:
        suite, corp, _ = await self.named(request)
        self.vendors.cancel(suite, corp.corp_id)
        return {"ok": True}

    async def change(self, request: Request) -> Any:
        """{corp_id, visible_users?, visible_parties?, customer_contact?, …}: the app's range or rights are others."""
        suite, corp, wish = await self.named(request)
        given = self.given(suite, corp)
        changed = {name: wish[name] for name in APP_FIELDS if name in wish}
        corp.apps[suite.app_key] = replace(corp.apps[suite.app_key], **changed)
        corp.touch("corp", corp.corp_id)
        self.vendors.tell(suite, "change_auth", AuthCorpId=given.open_corpid, State=str(wish.get("state") or ""))
        return asdict(corp.apps[suite.app_key])

    async def reset(self, request: Request) -> Any:
        suite, corp, _ = await self.named(request)
        return {"auth_code": self.vendors.reset(suite, corp.corp_id)}

    async def set_app_callback(self, request: Request) -> Any:
        """The callback of the 代开发 app in one corp: event form, sealed for the corp as the vendor knows it."""
        suite, wish = self.suite(request), await body_of(request)
        corp = self.control.path_corp(request)
        given = self.given(suite, corp)
        if suite.third_party:
            raise Refused(400, "a third-party suite has one callback for all corps")
        kept, report = await self.checked(wish, given.open_corpid, wish.get("check") is not False)
        if report["ok"]:
            given.callback = kept
            self.vendors.listen(suite, corp, given)
        return json_answer({"saved": report["ok"], "verification": report}, 200 if report["ok"] else 422)


def settle(suite: Suite, wish: dict[str, Any]) -> None:
    """Puts settings into a suite; those of its callbacks are in `delivery`."""
    given = dict(wish.pop("delivery", None) or {})
    known = {field.name for field in fields(suite.delivery)}
    unknown = (set(wish) - {*SETTINGS, *SWITCHES}) | (set(given) - known)
    if unknown:
        raise Refused(400, f"unknown fields: {', '.join(sorted(unknown))}")
    suite.delivery = replace(suite.delivery, **given)
    for name, value in wish.items():
        setattr(suite, name, value)
