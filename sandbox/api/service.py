"""The calls of vendors under /cgi-bin/service/ (wecom-api.md 3.1, 3.2): by suite, by provider token, or by neither."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.api.login import PRIVATE, known_customer, openid_of
from sandbox.corp import Corp
from sandbox.errors import ApiError
from sandbox.suites import Authorised, Invitation, PreAuthCode, Provider, Suite
from sandbox.vendors import Vendors, fits, require

if TYPE_CHECKING:
    from sandbox.world import World

OPEN, BY_SUITE, BY_PROVIDER = "", "suite_access_token", "provider_access_token"
LONG_LIVED = 864_000  # seconds the address of a 代开发 authorisation is good for
MOST_TEMPLATES = 9


@dataclass(slots=True)
class VendorAsk:
    """One call of a vendor; `suite` or `provider` as its token says."""

    world: World
    body: dict[str, Any]
    now: float
    site: str
    suite: Suite | None = None
    provider: Provider | None = None
    query: dict[str, str] = field(default_factory=dict)

    @property
    def vendors(self) -> Vendors:
        return self.world.vendors

    def by_suite(self) -> Suite:
        assert self.suite is not None
        return self.suite

    def authorisation(self) -> tuple[Corp, Authorised]:
        """The corp that the body names, if the permanent code with it is right."""
        require(self.body, auth_corpid=41002, permanent_code=41025)
        corp, given = self.named()
        if not fits(given.permanent_code, self.body.get("permanent_code")):
            raise ApiError(40084)
        if corp.status != "normal":
            raise ApiError(301007)
        return corp, given

    def named(self) -> tuple[Corp, Authorised]:
        require(self.body, auth_corpid=41002)
        try:
            return self.vendors.authorised(self.by_suite(), self.body["auth_corpid"])
        except ApiError as error:
            if error.code == 48004 and "permanent_code" in self.body:
                raise ApiError(40084) from error
            raise


Handler = Callable[[VendorAsk], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class VendorEndpoint:
    method: str
    token: str
    bare: bool  # answers without errcode when all is well
    handler: Handler


VENDOR_ENDPOINTS: dict[str, VendorEndpoint] = {}


def service(method: str, name: str, token: str = BY_SUITE, *, bare: bool = False) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        VENDOR_ENDPOINTS[f"service/{name}"] = VendorEndpoint(method, token, bare, handler)
        return handler

    return register


# -- tokens ----------------------------------------------------------------------------------------------------------


@service("POST", "get_suite_token", OPEN, bare=True)
def get_suite_token(ask: VendorAsk) -> dict[str, Any]:
    return ask.vendors.suite_token(ask.body, ask.now)


@service("POST", "get_provider_token", OPEN, bare=True)
def get_provider_token(ask: VendorAsk) -> dict[str, Any]:
    return ask.vendors.provider_token(ask.body, ask.now)


@service("POST", "get_corp_token", bare=True)
def get_corp_token(ask: VendorAsk) -> dict[str, Any]:
    """Only for 第三方: a 代开发 app has its token from gettoken (wecom-api.md 3.2)."""
    suite = ask.by_suite()
    if not suite.third_party:
        raise ApiError(48002)
    corp, _ = ask.authorisation()
    return ask.world.hand_out(corp, corp.apps[suite.app_key], ask.now)


# -- to install ------------------------------------------------------------------------------------------------------


@service("GET", "get_pre_auth_code")
def get_pre_auth_code(ask: VendorAsk) -> dict[str, Any]:
    suite = ask.by_suite()
    if not suite.third_party:
        raise ApiError(48002)
    code = secrets.token_urlsafe(64)
    ask.vendors.pre_auth_codes[code] = PreAuthCode(suite.suite_id, ask.now + suite.pre_auth_seconds)
    return {"pre_auth_code": code, "expires_in": suite.pre_auth_seconds}


@service("POST", "set_session_info")
def set_session_info(ask: VendorAsk) -> dict[str, Any]:
    code, info = ask.vendors.pre_auth_codes.get(str(ask.body.get("pre_auth_code"))), ask.body.get("session_info")
    if code is None or code.suite_id != ask.by_suite().suite_id:
        raise ApiError(40077)
    if code.expires_at <= ask.now:
        raise ApiError(42007)
    if not isinstance(info, dict) or info.get("auth_type", 0) not in (0, 1):
        raise ApiError(40058, "session_info")
    code.test = info.get("auth_type") == 1
    return {}


@service("POST", "get_customized_auth_url", BY_PROVIDER)
def get_customized_auth_url(ask: VendorAsk) -> dict[str, Any]:
    """An address to make a QR code of; the admin who opens it authorises one of these templates."""
    wanted, state = ask.body.get("templateid_list"), ask.body.get("state", "")
    if not isinstance(wanted, list) or not wanted or not isinstance(state, str):
        raise ApiError(40058, "templateid_list and state")
    if len(wanted) > MOST_TEMPLATES:
        raise ApiError(842004)
    for suite_id in wanted:
        suite = ask.vendors.suites.get(str(suite_id))
        if suite is None or suite.third_party or suite.provider_corp_id != owner(ask):
            raise ApiError(842003)
        if not suite.published:
            raise ApiError(842002)
    key = invite(ask, [str(suite_id) for suite_id in wanted], state)
    return {"qrcode_url": f"{ask.world.for_browsers(ask.site)}/3rdapp/customized?key={key}", "expires_in": LONG_LIVED}


@service("POST", "get_app_qrcode")
def get_app_qrcode(ask: VendorAsk) -> dict[str, Any]:
    suite, state = ask.by_suite(), ask.body.get("state", "")
    if ask.body.get("suite_id", suite.suite_id) != suite.suite_id:
        raise ApiError(48003)
    if ask.body.get("result_type") != 2 or not isinstance(state, str):
        raise ApiError(40058, "the sandbox gives an address only: result_type 2")
    return {
        "qrcode": f"{ask.world.for_browsers(ask.site)}/3rdapp/customized?key={invite(ask, [suite.suite_id], state)}"
    }


def owner(ask: VendorAsk) -> str:
    return ask.provider.corp_id if ask.provider else ""


def invite(ask: VendorAsk, suite_ids: list[str], state: str) -> str:
    key = secrets.token_urlsafe(18)
    ask.vendors.invitations[key] = Invitation(suite_ids, state, ask.now + LONG_LIVED)
    return key


# -- what was authorised ---------------------------------------------------------------------------------------------


@service("POST", "v2/get_permanent_code")
def get_permanent_code(ask: VendorAsk) -> dict[str, Any]:
    corp, given, code = ask.vendors.exchange(ask.by_suite(), ask.body.get("auth_code"), ask.now)
    answer = {
        "permanent_code": given.permanent_code,
        "auth_corp_info": {"corpid": given.open_corpid, "corp_name": corp.name},
        "auth_user_info": admin_view(ask, corp, given),
    }
    return answer | ({"state": code.state} if code.state else {})


@service("POST", "get_permanent_code")
def old_permanent_code(ask: VendorAsk) -> dict[str, Any]:
    """The slow one: with all of the authorisation, and with a token where one is had by suites."""
    suite = ask.by_suite()
    corp, given, code = ask.vendors.exchange(suite, ask.body.get("auth_code"), ask.now)
    answer = ask.world.hand_out(corp, corp.apps[suite.app_key], ask.now) if suite.third_party else {}
    answer |= {"permanent_code": given.permanent_code} | auth_info(suite, corp, given)
    answer["auth_user_info"] = admin_view(ask, corp, given)
    return answer | ({"state": code.state} if code.state else {})


@service("POST", "get_auth_info")
@service("POST", "v2/get_auth_info")
def get_auth_info(ask: VendorAsk) -> dict[str, Any]:
    corp, given = ask.authorisation()
    return auth_info(ask.by_suite(), corp, given)


@service("POST", "get_admin_list")
def get_admin_list(ask: VendorAsk) -> dict[str, Any]:
    corp, given = ask.named()
    if ask.body.get("agentid") not in (given.agent_id, str(given.agent_id)):
        raise ApiError(40056)
    known = admin_view(ask, corp, given)
    return {"admin": [{"userid": known["userid"], "open_userid": known["open_userid"], "auth_type": 1}]}


def admin_view(ask: VendorAsk, corp: Corp, given: Authorised) -> dict[str, str]:
    """Who consented; vendors are not told his name."""
    ids = ask.vendors.ids(corp, corp.apps[ask.by_suite().app_key])
    userid = ids.member(given.admin) if ids else given.admin
    return {"userid": userid, "open_userid": userid, "name": "", "avatar": ""}


def auth_info(suite: Suite, corp: Corp, given: Authorised) -> dict[str, Any]:
    app = corp.apps[suite.app_key]
    agent = {
        "agentid": given.agent_id,
        "name": app.name,
        "round_logo_url": "https://wework.qpic.cn/wwpic/logo/round/0",
        "square_logo_url": "https://wework.qpic.cn/wwpic/logo/0",
        "auth_mode": 0,
        "is_customized_app": not suite.third_party,
        "privilege": {
            "level": 1,
            "allow_party": app.visible_parties,
            "allow_user": app.visible_users,
            "allow_tag": [],
            "extra_party": [],
            "extra_user": [],
            "extra_tag": [],
        },
    }
    if suite.third_party:
        agent["appid"] = 1
    return {"auth_corp_info": corp_info(corp, given), "auth_info": {"agent": [agent]}}


def corp_info(corp: Corp, given: Authorised) -> dict[str, Any]:
    return {
        "corpid": given.open_corpid,
        "corp_name": corp.name,
        "corp_type": "verified",
        "corp_square_logo_url": "https://wework.qpic.cn/wwpic/corp/0",
        "corp_user_max": 1000,
        "corp_full_name": corp.name,
        "verified_end_time": corp.created_at + 365 * 86_400,
        "subject_type": 1,
        "corp_wxqrcode": "",
        "corp_scale": "101-200人",
        "corp_industry": "零售",
        "corp_sub_industry": "综合零售",
        "corp_ex_name": {"name_list": []},
    }


# -- who is there ----------------------------------------------------------------------------------------------------


@service("GET", "auth/getuserinfo3rd")
def getuserinfo3rd(ask: VendorAsk) -> dict[str, Any]:
    """Who stands behind an OAuth code of a 第三方 app; apps of templates ask auth/getuserinfo (wecom-api.md 3.3)."""
    suite, value = ask.by_suite(), ask.query.get("code", "")
    if not suite.third_party:
        raise ApiError(48002)
    known = ask.world.logins.codes.get(value)
    corp = ask.world.corps.get(known.corp_id) if known else None
    if corp is None or corp.corp_id not in suite.authorised:
        raise ApiError(40029 if value else 41008)
    code, app = ask.world.logins.take_code(corp, value, ask.now), corp.apps[suite.app_key]
    ids, staff = ask.vendors.ids(corp, app), corp.staff.get(code.person.lower())
    if staff is None:
        is_known = known_customer(corp, app, corp.customers.get(code.person))
        seen_as = ids.customer(code.person) if ids else code.person
        return {"openid": openid_of(corp, code.person)} | ({"external_userid": seen_as} if is_known else {})
    userid = ids.member(staff.userid) if ids else staff.userid
    answer: dict[str, Any] = {"corpid": suite.authorised[corp.corp_id].open_corpid, "userid": userid}
    answer["open_userid"] = userid
    if code.scope == PRIVATE:
        answer |= {"user_ticket": ask.world.logins.give_user_ticket(corp, staff.userid, ask.now), "expires_in": 1800}
    return answer
