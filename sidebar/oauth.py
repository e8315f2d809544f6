"""Silent sign-in by WeCom (path/91022): out to its page with a state of our own, back with a code that counts once."""

import secrets
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts import lockout
from accounts.seats import NoSeat
from console.audit import client_ip
from members import seats
from members.models import Staff
from sidebar.access import salt, sign_in, sign_in_url
from sidebar.member import app_id, member_of
from tenants.current import main_app
from tenants.faults import words_for
from wecom.errors import WeComError, WeComMisconfigured

STATE_COOKIE = "seller_state"
STATE_LIFE = 600
TRIES = 2  # a code that is used up (the way back on iOS) starts the trip again, once
CODE_USED = frozenset({40029, 42003, 42022})
AUTHORIZE = "/connect/oauth2/authorize"


@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """To WeCom's sign-in, which answers without asking the member anything."""
    return leave(request, inner(request.GET.get("next", "")), tries=1)


def leave(request: HttpRequest, then: str, *, tries: int) -> HttpResponse:
    try:
        app = main_app()
    except WeComMisconfigured as fault:
        return failed(request, str(words_for(fault.code).cause), str(words_for(fault.code).fix))
    state = secrets.token_hex(16)
    query = {
        "appid": app_id(app),
        "redirect_uri": request.build_absolute_uri(reverse("sidebar:signed_in")),
        "response_type": "code",
        "scope": "snsapi_base",
        "state": state,
        "agentid": app.agent_id or "",
    }
    response = HttpResponseRedirect(f"{settings.WECOM_OAUTH_BASE}{AUTHORIZE}?{urlencode(query)}#wechat_redirect")
    response.set_cookie(
        STATE_COOKIE,
        signing.dumps([state, then, tries], salt=salt()),
        max_age=STATE_LIFE,
        path=reverse("sidebar:shell"),
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
    add_never_cache_headers(response)
    return response


@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """From WeCom with a code: it is exchanged once, for the browser that began the trip."""
    try:
        state, then, tries = signing.loads(request.COOKIES.get(STATE_COOKIE, ""), salt=salt(), max_age=STATE_LIFE)
    except signing.BadSignature:
        state, then, tries = "", reverse("sidebar:shell"), 1
    code = request.GET.get("code", "")
    if not code or not state or not constant_time_compare(state, request.GET.get("state", "")):
        return failed(request, _("这次登录不是从本页发起的，或者已经过期。"), _("关闭侧边栏，再从工具栏打开一次。"))
    address = f"seller:{client_ip(request)}"
    if lockout.is_closed(address):  # WeCom's answers to made-up codes are calls that the members' own need
        return failed(request, _("这个网络连续多次登录失败，已暂停登录。"), _("请 15 分钟后再试。"))
    try:
        userid = member_of(main_app(), code)
    except WeComError as error:
        if error.code in CODE_USED:
            lockout.count(address)
        if error.code in CODE_USED and tries < TRIES:
            return leave(request, then, tries=tries + 1)
        words = words_for(error.code)
        return failed(request, str(words.cause), str(words.fix), code=error.code)
    staff = Staff.objects.filter(userid_key=userid.lower()).first() if userid else None
    if not userid:
        return failed(request, _("只有企业成员可以使用侧边栏。"), _("请用企业成员的企业微信账号打开。"))
    if staff is None or staff.left_at is not None or staff.status != Staff.Status.ACTIVE:
        return failed(
            request,
            _("还没有您的员工资料，或者您的账号已停用。"),
            _("请管理员把您加入应用的可见范围，并在工作台点“立即同步”。"),
        )
    try:
        seats.take(staff)
    except NoSeat:
        cause = _("贵公司的席位已用完，您暂时不能使用侧边栏。")
        return failed(request, cause, _("请联系贵公司的 SCRM 管理员：停用不再使用的账号，或增加席位。然后点“重试”。"))
    except seats.TurnedOff:
        return failed(request, _("管理员已停用您的侧边栏。"), _("如需继续使用，请联系贵公司的 SCRM 管理员重新启用。"))
    response = sign_in(HttpResponseRedirect(inner(then)), staff)
    response.delete_cookie(STATE_COOKIE, path=reverse("sidebar:shell"))
    add_never_cache_headers(response)
    return response


def inner(path: str) -> str:
    """A page of the sidebar and nothing else: the way back must lead to no other site."""
    root = reverse("sidebar:shell")
    fits = path.startswith(root) and "\\" not in path and not any(char.isspace() for char in path)
    return path if fits and not path.startswith(reverse("sidebar:sign_in")) else root


def failed(request: HttpRequest, cause: str, fix: str, *, code: int = 0) -> HttpResponse:
    again = sign_in_url(reverse("sidebar:shell"))
    response = render(request, "sidebar/failed.html", {"cause": cause, "fix": fix, "code": code, "again": again})
    response.status_code = 403
    add_never_cache_headers(response)
    return response
