"""The whole sandbox: corps, tokens, faults, logs, and the sender of callbacks."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from typing import Any

from sandbox.corp import Corp
from sandbox.delivery import Sender
from sandbox.errors import ApiError
from sandbox.faults import Faults
from sandbox.limits import Ceilings
from sandbox.log import Calls, Effects
from sandbox.logins import Logins
from sandbox.objects import App, Grant
from sandbox.pages import Pages
from sandbox.tickets import Tickets
from sandbox.vendors import Vendors
from sandbox.windows import Windows


class World:
    def __init__(self) -> None:
        self.corps: dict[str, Corp] = {}
        self.grants: dict[str, Grant] = {}
        self.current: dict[tuple[str, str], str] = {}  # (corp, app) → its live token
        self.ceilings = Ceilings()
        self.faults = Faults()
        self.calls = Calls()
        self.effects = Effects()
        self.sender = Sender()
        self.logins = Logins()
        self.tickets = Tickets()
        self.vendors = Vendors(self)
        self.windows = Windows(self)
        self.sender.client.server_of = self.windows.server_of
        self.pages = Pages()
        self.message_times: dict[tuple[str, str, str], deque[float]] = {}
        self.message_hashes: dict[tuple[str, str, str, str, str, str], float] = {}
        self.home = ""  # how browsers reach the sandbox, where callers of the API do it otherwise
        self.finance_proxy = ""  # where the native archive library comes in
        self.closed_until = 0.0  # the port is shut: connections are refused
        self.shutting = asyncio.Event()
        self.doomed: set[str] = set()  # corps whose records are to go before the next save

    def for_browsers(self, site: str) -> str:
        """The sandbox's address in what people open, given the one that a caller used."""
        return self.home or site

    # -- corps -------------------------------------------------------------------------------------------------------

    def add(self, corp: Corp) -> None:
        self.corps[corp.corp_id] = corp

    def remove(self, corp_id: str) -> None:
        self.corps.pop(corp_id, None)
        self.doomed.add(corp_id)
        self.grants = {token: grant for token, grant in self.grants.items() if grant.corp_id != corp_id}
        self.current = {key: token for key, token in self.current.items() if key[0] != corp_id}
        self.vendors.forget_corp(corp_id)
        self.forget(corp_id)

    def forget(self, corp_id: str = "") -> None:
        """Clears logs, counters, bans and faults (of one corp); people and ties stay."""
        self.calls.forget(corp_id)
        self.effects.forget(corp_id)
        self.ceilings.forget(corp_id)
        self.faults.remove(corp_id=corp_id)
        self.sender.forget(corp_id)
        self.tickets.forget(corp_id)
        self.pages.forget(corp_id)
        self.message_times = {key: value for key, value in self.message_times.items() if corp_id and key[0] != corp_id}
        self.message_hashes = {
            key: value for key, value in self.message_hashes.items() if corp_id and key[0] != corp_id
        }

    # -- tokens ------------------------------------------------------------------------------------------------------

    def give_token(self, query: dict[str, str], ip: str, now: float) -> dict[str, Any]:
        """gettoken: the same token inside its lifetime; wrong secrets add up to a ban (wecom-api.md 3.1)."""
        corp_id, secret = query.get("corpid", ""), query.get("corpsecret", "")
        if not corp_id:
            raise ApiError(41002)
        if not secret:
            raise ApiError(41004)
        corp, provider = self.known_as(corp_id)
        if corp is None:
            raise ApiError(40013)
        if corp.status != "normal":
            raise ApiError(301007)
        self.ceilings.check_secrets(ip, corp.corp_id, now)
        apps = [app for app in corp.apps.values() if self.provider_of(app) == provider and not app.third_party]
        app = next((app for app in apps if secrets.compare_digest(app.secret.encode(), secret.encode())), None)
        if app is None:
            self.ceilings.wrong_secret(ip, corp.corp_id, corp.limits, now)
            raise ApiError(40001)
        return self.hand_out(corp, app, now)

    def known_as(self, corp_id: str) -> tuple[Corp | None, str]:
        """The corp of an id, and the vendor who calls it so; none for its plain id (wecom-api.md 11.1)."""
        if corp_id in self.corps:
            return self.corps[corp_id], ""
        return self.vendors.behind(corp_id) or (None, "")

    def provider_of(self, app: App) -> str:
        suite = self.vendors.suites.get(app.suite_id)
        return suite.provider_corp_id if suite else ""

    def hand_out(self, corp: Corp, app: App, now: float) -> dict[str, Any]:
        """The app's token, the same one inside its lifetime."""
        if app.disabled:
            raise ApiError(50003)
        corp_id = corp.corp_id
        token = self.current.get((corp_id, app.key), "")
        grant = self.grants.get(token)
        if grant is None or grant.revoked or grant.expires_at <= now:
            token = secrets.token_urlsafe(160)
            grant = Grant(corp_id, app.key, now + corp.limits.token_lifetime)
            self.grants[token] = grant
            self.current[corp_id, app.key] = token
            self.tidy_grants(now)
        return {"access_token": token, "expires_in": max(1, round(grant.expires_at - now))}

    def tidy_grants(self, now: float) -> None:
        if len(self.grants) > 2000:
            self.grants = {token: grant for token, grant in self.grants.items() if grant.expires_at > now - 86_400}

    def redeem(self, token: str, now: float) -> tuple[Corp, App]:
        """Whose token it is."""
        if not token:
            raise ApiError(41001)
        grant = self.grants.get(token)
        corp = self.corps.get(grant.corp_id) if grant else None
        app = corp.apps.get(grant.app_key) if grant and corp else None
        if grant is None or corp is None or app is None:
            raise ApiError(40014)
        if corp.status != "normal":
            raise ApiError(301007)
        if grant.revoked:
            raise ApiError(grant.revoked)
        if grant.expires_at <= now:
            raise ApiError(42001)
        if app.disabled:
            raise ApiError(50003)
        return corp, app

    def owner_of(self, token: str) -> str:
        grant = self.grants.get(token)
        return grant.corp_id if grant else ""

    def expire_tokens(self, corp_id: str = "", app_key: str = "", code: int = 42001) -> int:
        """WeCom takes tokens back before their time."""
        count = 0
        for grant in self.grants.values():
            if (
                not grant.revoked
                and (not corp_id or grant.corp_id == corp_id)
                and (not app_key or grant.app_key == app_key)
            ):
                grant.revoked = code
                count += 1
        return count

    def shut(self, seconds: float) -> None:
        """Closes the port for a while."""
        self.closed_until = time.time() + seconds
        self.shutting.set()
