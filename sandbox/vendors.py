"""The vendors' side of WeCom: suite tickets, authorisations by corps, tokens of suites (wecom-api.md 2.7, 3.1, 3.2)."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sandbox import events, suites
from sandbox.corp import Corp
from sandbox.delivery import Message
from sandbox.errors import ApiError
from sandbox.objects import App
from sandbox.seed import demo_secret
from sandbox.suites import AuthCode, Authorised, Invitation, PreAuthCode, Provider, Suite, Ticket, VendorToken
from sandbox.vendor_ids import VendorIds

if TYPE_CHECKING:
    from sandbox.world import World

HURRIED = ("create_auth", "reset_permanent_code")  # to be answered within a second (wecom-api.md 1.5)
KEPT = 2000
LOOK = 0.2  # seconds between two looks at whose ticket is due


class Declined(ValueError):
    """The corp's admin cannot do that now; the reason is shown to him."""


class Vendors:
    def __init__(self, world: World) -> None:
        self.world = world
        self.providers: dict[str, Provider] = {}
        self.suites: dict[str, Suite] = {}
        self.auth_codes: dict[str, AuthCode] = {}
        self.pre_auth_codes: dict[str, PreAuthCode] = {}
        self.invitations: dict[str, Invitation] = {}
        self.tokens: dict[str, VendorToken] = {}

    # -- who is who --------------------------------------------------------------------------------------------------

    def suite(self, suite_id: Any) -> Suite:
        """The suite an API call names."""
        if not isinstance(suite_id, str) or suite_id not in self.suites:
            raise ApiError(40083)
        return self.suites[suite_id]

    def provider(self, corp_id: str, secret: str = "") -> Provider:
        """The vendor with this corp id, made when it is not there."""
        found = self.providers.setdefault(corp_id, Provider(corp_id, demo_secret(corp_id, "provider")))
        found.secret = secret or found.secret
        return found

    def behind(self, open_corpid: str) -> tuple[Corp, str] | None:
        """The corp that a vendor calls so, and this vendor's own corp id."""
        if open_corpid.startswith("wp"):
            for provider in self.providers:
                for corp in self.world.corps.values():
                    if suites.open_corpid(provider, corp.corp_id) == open_corpid:
                        return corp, provider
        return None

    def authorised(self, suite: Suite, open_corpid: Any) -> tuple[Corp, Authorised]:
        """The corp and its authorisation, as the vendor names them."""
        found = self.behind(open_corpid) if isinstance(open_corpid, str) else None
        if found is None or found[1] != suite.provider_corp_id:
            raise ApiError(40013)
        given = suite.authorised.get(found[0].corp_id)
        if given is None:
            raise ApiError(48004)
        return found[0], given

    # -- suite tickets -----------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Pushes a new ticket to every suite when it is time, until cancelled."""
        while True:
            now = time.time()
            for suite in list(self.suites.values()):
                due = suite.tickets[-1].at + suite.ticket_every if suite.tickets else 0.0
                if suite.callback is not None and due <= now:
                    self.push_ticket(suite, now)
            await asyncio.sleep(LOOK)

    def push_ticket(self, suite: Suite, now: float) -> Ticket:
        ticket = Ticket(secrets.token_urlsafe(48), now)
        suite.tickets = [*suite.live_tickets(now), ticket]
        self.tell(suite, "suite_ticket", SuiteTicket=ticket.value)
        return ticket

    def tell(self, suite: Suite, name: str, **fields: Any) -> Message | None:
        """Sends an InfoType to the suite's callback, if it has one."""
        receiver = suite.hearing()
        if receiver is None:
            return None
        head = {"SuiteId": suite.suite_id, "InfoType": name, "TimeStamp": int(time.time())}
        body = head | {key: value for key, value in fields.items() if value}
        sender = self.world.sender
        sender.counts[suite.suite_id]["events"] += 1
        for _ in range(max(1, suite.delivery.duplicate)):
            within = 1.0 if name in HURRIED else 0.0
            message = sender.submit(suite, receiver, name, "", events.to_xml(body), within)
        return message

    # -- authorisations ----------------------------------------------------------------------------------------------

    def install(self, suite: Suite, corp: Corp, state: str = "", *, tell: bool = True) -> str:
        """The corp's admin consents: the app is in the corp at once, the vendor gets a code for it."""
        now = time.time()
        given = suite.authorised.get(corp.corp_id)
        if given is not None and not suite.third_party:
            raise Declined("该企业已授权此模板")
        if given is None:
            given = self.new_app(suite, corp, now)
            suite.authorised[corp.corp_id] = given
        given.state = state
        code = self.new_code(suite, corp, state, now)
        if tell:
            self.tell(suite, "create_auth", AuthCode=code, State=state)
        return code

    def new_app(self, suite: Suite, corp: Corp, now: float) -> Authorised:
        agent_id = max([app.agent_id for app in corp.apps.values()] + [1_000_002]) + 1
        code = secrets.token_urlsafe(48)
        app = App(suite.app_key, "app", suite.name, code, agent_id, suite_id=suite.suite_id)
        app.third_party = suite.third_party
        corp.apps[app.key] = app
        known_as = suites.open_corpid(suite.provider_corp_id, corp.corp_id)
        given = Authorised(corp.corp_id, known_as, agent_id, code, now, admin=admin_of(corp))
        self.listen(suite, corp, given)
        corp.touch("corp", corp.corp_id)
        return given

    def listen(self, suite: Suite, corp: Corp, given: Authorised) -> None:
        """Where events of the corp go for this app: a suite hears all at its own callback, in the info form."""
        kept = suite.callback if suite.third_party else given.callback
        corp.receivers.pop(suite.app_key, None)
        if kept is not None:
            form = suite.suite_id if suite.third_party else ""
            vendor = suite.provider_corp_id if suite.encrypt_ids else ""
            corp.receivers[suite.app_key] = suites.receiver(suite.app_key, kept, given.open_corpid, form, vendor)
        corp.touch("corp", corp.corp_id)

    def set_callback(self, suite: Suite, callback: dict[str, str] | None) -> None:
        suite.callback = callback
        self.listen_again(suite)

    def listen_again(self, suite: Suite) -> None:
        """After a change of the suite's callback or of the ids it sees."""
        for corp_id, given in suite.authorised.items():
            if corp_id in self.world.corps:
                self.listen(suite, self.world.corps[corp_id], given)

    def ids(self, corp: Corp, app: App) -> VendorIds | None:
        """The ids of people in this corp for the vendor of this app; None: they are the corp's own."""
        suite = self.suites.get(app.suite_id)
        return VendorIds(suite.provider_corp_id, corp) if suite and suite.encrypt_ids else None

    def new_code(self, suite: Suite, corp: Corp, state: str, now: float) -> str:
        code = secrets.token_urlsafe(64)
        self.auth_codes[code] = AuthCode(suite.suite_id, corp.corp_id, now, state)
        while len(self.auth_codes) > KEPT:
            del self.auth_codes[next(iter(self.auth_codes))]
        return code

    def cancel(self, suite: Suite, corp_id: str) -> Authorised:
        """The corp's admin removes the app: its codes and tokens are dead from now on."""
        given = self.given(suite, corp_id)
        self.take_away(suite, given)
        self.tell(suite, "cancel_auth", AuthCorpId=given.open_corpid)
        return given

    def given(self, suite: Suite, corp_id: str) -> Authorised:
        if corp_id not in suite.authorised:
            raise Declined(f"该企业没有授权此应用：{corp_id}")
        return suite.authorised[corp_id]

    def take_away(self, suite: Suite, given: Authorised) -> None:
        suite.authorised.pop(given.corp_id, None)
        doomed = suite.suite_id, given.corp_id
        self.auth_codes = {
            key: code for key, code in self.auth_codes.items() if (code.suite_id, code.corp_id) != doomed
        }
        self.world.expire_tokens(given.corp_id, suite.app_key, 40014)
        corp = self.world.corps.get(given.corp_id)
        if corp is not None:
            corp.apps.pop(suite.app_key, None)
            corp.receivers.pop(suite.app_key, None)
            corp.touch("corp", corp.corp_id)

    def reset(self, suite: Suite, corp_id: str) -> str:
        """The secret of a 代开发 app is made anew; the vendor hears a code and not whose it is (wecom-api.md 2.7)."""
        given = self.given(suite, corp_id)
        if suite.third_party:
            raise Declined("只有代开发应用可以重置 Secret")
        corp = self.world.corps[corp_id]
        given.permanent_code = corp.apps[suite.app_key].secret = secrets.token_urlsafe(48)
        given.exchanged = False
        self.world.expire_tokens(corp_id, suite.app_key, 40014)
        corp.touch("corp", corp_id)
        code = self.new_code(suite, corp, "", time.time())
        self.tell(suite, "reset_permanent_code", AuthCode=code)
        return code

    def exchange(self, suite: Suite, value: Any, now: float) -> tuple[Corp, Authorised, AuthCode]:
        """What an auth_code stands for; it opens once."""
        code = self.auth_codes.get(value) if isinstance(value, str) else None
        if code is None or code.used or code.suite_id != suite.suite_id or now - code.at > suite.auth_code_seconds:
            raise ApiError(40078)
        corp, given = self.world.corps.get(code.corp_id), suite.authorised.get(code.corp_id)
        if corp is None or given is None:
            raise ApiError(48004)
        code.used = given.exchanged = True
        return corp, given, code

    def remove(self, suite: Suite) -> None:
        """The suite is no more, nor are its apps."""
        for given in list(suite.authorised.values()):
            self.take_away(suite, given)
        self.suites.pop(suite.suite_id, None)
        self.tokens = {key: token for key, token in self.tokens.items() if token.owner != suite.suite_id}
        self.world.forget(suite.suite_id)

    def forget_corp(self, corp_id: str) -> None:
        for suite in self.suites.values():
            suite.authorised.pop(corp_id, None)
        self.auth_codes = {key: code for key, code in self.auth_codes.items() if code.corp_id != corp_id}

    # -- tokens ------------------------------------------------------------------------------------------------------

    def suite_token(self, body: dict[str, Any], now: float) -> dict[str, Any]:
        require(body, suite_id=41021, suite_ticket=41023, suite_secret=41024)
        suite = self.suite(body.get("suite_id"))
        if not fits(suite.secret, body.get("suite_secret")):
            raise ApiError(40080)
        if not any(fits(ticket.value, body.get("suite_ticket")) for ticket in suite.live_tickets(now)):
            raise ApiError(40085)
        return self.hand_out("suite_access_token", suite.suite_id, False, now, suite.token_lifetime)

    def provider_token(self, body: dict[str, Any], now: float) -> dict[str, Any]:
        require(body, corpid=41002, provider_secret=41004)
        provider = self.providers.get(str(body.get("corpid")))
        if provider is None:
            raise ApiError(40013)
        if not fits(provider.secret, body.get("provider_secret")):
            raise ApiError(40001)
        return self.hand_out("provider_access_token", provider.corp_id, True, now, 7200)

    def hand_out(self, name: str, owner: str, provider: bool, now: float, lifetime: int) -> dict[str, Any]:
        """The same token inside its lifetime."""
        for value, token in self.tokens.items():
            if (token.owner, token.provider) == (owner, provider) and not token.revoked and token.expires_at > now:
                return {name: value, "expires_in": max(1, round(token.expires_at - now))}
        value = secrets.token_urlsafe(96)
        self.tokens[value] = VendorToken(owner, provider, now + lifetime)
        while len(self.tokens) > KEPT:
            del self.tokens[next(iter(self.tokens))]
        return {name: value, "expires_in": lifetime}

    def redeem_suite(self, value: str, now: float) -> Suite:
        if not value:
            raise ApiError(41022)
        token = self.tokens.get(value)
        if token is None or token.provider or token.owner not in self.suites:
            raise ApiError(40082)
        if token.revoked or token.expires_at <= now:
            raise ApiError(token.revoked or 42009)
        return self.suites[token.owner]

    def redeem_provider(self, value: str, now: float) -> Provider:
        if not value:
            raise ApiError(41001)
        token = self.tokens.get(value)
        if token is None or not token.provider or token.owner not in self.providers:
            raise ApiError(40014)
        if token.revoked or token.expires_at <= now:
            raise ApiError(token.revoked or 42001)
        return self.providers[token.owner]

    def expire_tokens(self, owner: str, code: int = 42009) -> int:
        """WeCom takes the tokens of a suite, or of a vendor, back before their time."""
        doomed = [token for token in self.tokens.values() if token.owner == owner and not token.revoked]
        for token in doomed:
            token.revoked = code
        return len(doomed)

    # -- the store ---------------------------------------------------------------------------------------------------

    def record(self) -> dict[str, Any]:
        shelves = ("providers", "suites", "auth_codes", "pre_auth_codes", "invitations", "tokens")
        return {name: {key: asdict(row) for key, row in getattr(self, name).items()} for name in shelves}

    def restore(self, record: dict[str, Any]) -> None:
        if not record:
            return
        self.suites = {key: suites.opened(row) for key, row in record["suites"].items()}
        self.providers = {key: Provider(**row) for key, row in record["providers"].items()}
        self.auth_codes = {key: AuthCode(**row) for key, row in record["auth_codes"].items()}
        self.pre_auth_codes = {key: PreAuthCode(**row) for key, row in record["pre_auth_codes"].items()}
        self.invitations = {key: Invitation(**row) for key, row in record["invitations"].items()}
        self.tokens = {key: VendorToken(**row) for key, row in record["tokens"].items()}


def require(body: dict[str, Any], **codes: int) -> None:
    """Refuses with the code of what is missing; the table's names are not certain (wecom-api.md 10.1)."""
    for name, code in codes.items():
        if not body.get(name):
            raise ApiError(code)


def fits(right: str, given: Any) -> bool:
    return isinstance(given, str) and hmac.compare_digest(right.encode(), given.encode())


def admin_of(corp: Corp) -> str:
    """Who consents for the corp: a leader, else whoever is there."""
    leaders = [staff for staff in corp.staff.values() if staff.leader_in] or list(corp.staff.values())
    return leaders[0].userid if leaders else ""
