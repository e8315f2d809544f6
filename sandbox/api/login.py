"""Who stands behind an OAuth code (wecom-api.md 3.3)."""

from __future__ import annotations

import hashlib
from typing import Any

from sandbox.api import Ask, api
from sandbox.corp import Corp
from sandbox.errors import ApiError
from sandbox.objects import App, Customer

PRIVATE = "snsapi_privateinfo"


def openid_of(corp: Corp, person: str) -> str:
    return "o" + hashlib.sha256(f"{corp.corp_id}/{person}".encode()).hexdigest()[:27]


def known_customer(corp: Corp, app: App, customer: Customer | None) -> bool:
    """An outsider is named only when somebody inside the app's visible range has him as a customer."""
    if customer is None:
        return False
    followers = (corp.staff.get(userid.lower()) for userid in customer.follows)
    return any(staff is not None and corp.sees(app, staff) for staff in followers)


@api("GET", "auth/getuserinfo", frozenset({"app"}))
def user_info(ask: Ask) -> dict[str, Any]:
    """A member is named even when he is outside the app's visible range."""
    corp = ask.corp
    code = ask.world.logins.take_code(corp, ask.query.get("code", ""), ask.now)
    staff = corp.staff.get(code.person.lower())
    if staff is not None:
        answer = {"userid": staff.userid}
        if code.scope == PRIVATE:
            answer["user_ticket"] = ask.world.logins.give_user_ticket(corp, staff.userid, ask.now)
        return answer
    outsider = {"openid": openid_of(corp, code.person)}
    if known_customer(corp, ask.app, corp.customers.get(code.person)):
        outsider["external_userid"] = code.person
    return outsider


@api("GET", "user/getuserinfo", frozenset({"app"}))
def old_user_info(ask: Ask) -> dict[str, Any]:
    """The older call, with its own spelling."""
    found = user_info(ask)
    names = {"userid": "UserId", "openid": "OpenId", "external_userid": "external_userid", "user_ticket": "user_ticket"}
    return {names[name]: value for name, value in found.items()} | {"DeviceId": "sandbox"}


@api("POST", "auth/getuserdetail", frozenset({"app"}))
def user_detail(ask: Ask) -> dict[str, Any]:
    ticket = ask.world.logins.take_user_ticket(ask.corp, ask.body.get("user_ticket"), ask.now)
    staff = ask.corp.staff.get(ticket.userid.lower())
    if staff is None:
        raise ApiError(60111, f"userid: {ticket.userid}")
    return {
        "userid": staff.userid,
        "gender": str(staff.gender),
        "avatar": f"https://wework.qpic.cn/wwpic/{staff.userid}/0",
        "qr_code": f"https://open.work.weixin.qq.com/wwopen/userQRCode?vcode={staff.userid}",
        "mobile": staff.mobile,
        "email": f"{staff.userid}@example.com",
        "biz_mail": f"{staff.userid}@corp.example",
        "address": "",
    }
