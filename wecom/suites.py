"""Calls to WeCom as a provider: of a suite of the app market (第三方), or a template of apps for companies (代开发)."""

from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

from wecom import grants
from wecom.endpoints import ENDPOINTS
from wecom.errors import WeComMisconfigured, WeComUnavailable
from wecom.exchange import Exchange, Gate
from wecom.fields import Raw, number, objects, text
from wecom.tokens import AppCredentials, TokenStore
from wecom.wire import Wire

INSTALL_SITE = "https://open.work.weixin.qq.com"


@dataclass(frozen=True, slots=True)
class SuiteCredentials:
    """What a provider's admin shows of a suite. `key` and `provider_key` name the tokens in their stores."""

    key: str
    suite_id: str
    secret: str = field(repr=False)
    ticket: str = field(repr=False)
    provider_corp_id: str
    provider_key: str = ""
    provider_secret: str = field(default="", repr=False)

    @property
    def is_template(self) -> bool:
        """Of apps made for one company each (wecom-api.md, the three kinds of apps)."""
        return is_template(self.suite_id)


def is_template(suite_id: str) -> bool:
    return suite_id.startswith("dk")


@dataclass(frozen=True, slots=True)
class Authorised:
    """A company that said yes. Without `corp_id` or `permanent_code` there is nothing to speak with."""

    corp_id: str
    corp_name: str
    permanent_code: str = field(repr=False)
    state: str

    @classmethod
    def read(cls, raw: Raw) -> Self:
        corp = raw.get("auth_corp_info")
        corp = corp if isinstance(corp, dict) else {}
        found = cls(text(corp, "corpid"), text(corp, "corp_name"), text(raw, "permanent_code"), text(raw, "state"))
        if not found.corp_id or not found.permanent_code:
            raise WeComUnavailable(0, "answer without company or permanent code", "service/v2/get_permanent_code")
        return found


@dataclass(frozen=True, slots=True)
class AuthorisedApp:
    """The app by which a provider is in a company (path/90604)."""

    agent_id: int
    name: str
    corp_name: str

    @classmethod
    def read(cls, raw: Raw) -> Self:
        corp, info = (
            value if isinstance(value := raw.get(name), dict) else {} for name in ("auth_corp_info", "auth_info")
        )
        agents = objects(info, "agent")
        if not agents:
            raise WeComUnavailable(0, "answer without an app", "service/v2/get_auth_info")
        return cls(number(agents[0], "agentid"), text(agents[0], "name"), text(corp, "corp_name"))


class SuiteClient:
    """One suite or template of a provider. Safe between threads."""

    def __init__(
        self,
        suite: SuiteCredentials,
        tokens: TokenStore,
        provider_tokens: TokenStore,
        wire: Wire,
        gate: Gate | None = None,
    ) -> None:
        self.suite = suite
        app = AppCredentials(suite.key, suite.provider_corp_id, suite.secret)
        of_suite = grants.of_suite(suite.suite_id, suite.secret, suite.ticket)
        self.exchange = Exchange(app, tokens, wire, gate, grant=of_suite)
        provider = AppCredentials(suite.provider_key, suite.provider_corp_id, suite.provider_secret)
        of_provider = grants.of_provider(suite.provider_corp_id, suite.provider_secret)
        self._provider = Exchange(provider, provider_tokens, wire, gate, grant=of_provider)

    def check(self) -> None:
        """Raises what is wrong with the suite's id, secret or ticket, and of a template with the provider's secret."""
        self.exchange.token()
        if self.suite.is_template:
            self._provider.token()

    def scan_to_authorise(self, state: str) -> str:
        """A QR code for a company's super admin, good for ten days: its address. Of templates (wecom-api.md 3.2)."""
        asked = {"state": state, "templateid_list": [self.suite.suite_id]}
        answer = self._provider.perform(ENDPOINTS["service/get_customized_auth_url"], body=asked)
        return _needed(answer, "qrcode_url", "service/get_customized_auth_url")

    def install_page(self, state: str, back_to: str, *, site: str = INSTALL_SITE) -> str:
        """The page on which an admin installs a suite, for 20 minutes; it leads back to `back_to` with `auth_code`."""
        answer = self.exchange.perform(ENDPOINTS["service/get_pre_auth_code"])
        code = _needed(answer, "pre_auth_code", "service/get_pre_auth_code")
        query = {"suite_id": self.suite.suite_id, "pre_auth_code": code, "redirect_uri": back_to, "state": state}
        return f"{site}/3rdapp/install?{urlencode(query)}"

    def permanent_code(self, auth_code: str) -> Authorised:
        """Who gave this code, and the secret that stays. A code is good once: a second time it is refused (40078)."""
        api = "service/v2/get_permanent_code"
        return Authorised.read(self.exchange.perform(ENDPOINTS[api], body={"auth_code": auth_code}))

    def app_at(self, corp_id: str, permanent_code: str) -> AuthorisedApp:
        asked = {"auth_corpid": corp_id, "permanent_code": permanent_code}
        return AuthorisedApp.read(self.exchange.perform(ENDPOINTS["service/v2/get_auth_info"], body=asked))

    def signed_in(self, code: str) -> tuple[str, str]:
        """Company and member behind a sign-in code (path/91121); nothing for a member of none."""
        answer = self.exchange.perform(ENDPOINTS["service/auth/getuserinfo3rd"], params={"code": code})
        return text(answer, "corpid"), text(answer, "userid")


def _needed(answer: dict[str, Any], name: str, api: str) -> str:
    found = text(answer, name)
    if not found:
        raise WeComUnavailable(0, f"answer without {name}", api)
    return found


def no_ticket(suite_id: str) -> WeComMisconfigured:
    """What WeCom would say (40085), without asking it."""
    return WeComMisconfigured(
        40085, f"no suite ticket of {suite_id} has come in the last 30 minutes", "service/get_suite_token"
    )
