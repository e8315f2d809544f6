"""WeCom's own pages that send a person back to an app with a code: OAuth and web login (wecom-api.md 3.3, 3.4)."""

from __future__ import annotations

import re
import time
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.corp import Corp
from sandbox.objects import App
from sandbox.visitors import Visitor, visitor_of
from sandbox.world import World

SCOPES = ("snsapi_base", "snsapi_userinfo", "snsapi_privateinfo")
STATE = re.compile(r"[A-Za-z0-9]{0,128}")
PAGE = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="stylesheet" href="/chat/pages.css"></head>
<body class="page"><main><h1>{title}</h1>{body}</main></body></html>"""


class Unfit(Exception):
    """The address that opened the page is wrong: WeCom shows a page, it redirects nowhere."""

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(title, detail)
        self.title, self.detail = title, detail


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=escape(title), body=body), status)


class Authorize:
    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        return [
            Route("/connect/oauth2/authorize", self.inside, methods=["GET"]),
            Route("/wwlogin/sso/login", self.web_login, methods=["GET"]),
            Route("/wwopen/sso/qrConnect", self.web_login, methods=["GET"]),
        ]

    async def inside(self, request: Request) -> Response:
        """Inside the client a member passes through without seeing anything, unless his private data are asked for."""
        query = request.query_params
        try:
            corp, _ = self.asked(request)
            scope = query.get("scope", "")
            if query.get("response_type") != "code":
                raise Unfit("参数错误", "response_type 必须为 code")
            if scope not in SCOPES:
                raise Unfit("参数错误", "scope 参数错误或没有 scope 权限")
            if scope == "snsapi_privateinfo" and not query.get("agentid"):
                raise Unfit("参数错误", "缺少 agentid")
            if not STATE.fullmatch(query.get("state", "")):
                raise Unfit("参数错误", "state 只能由字母和数字组成，最长 128 字节")
        except Unfit as unfit:
            return page(unfit.title, f"<p>{escape(unfit.detail)}</p>")
        person = self.person(request, corp)
        if not person:
            return self.choose(request, corp, "请在企业微信客户端打开链接", "沙盒：选择以谁的身份打开")
        if scope == "snsapi_privateinfo" and query.get("consent") != "1":
            return self.consent(request, corp, person)
        return self.back(request, corp, person, scope)

    async def web_login(self, request: Request) -> Response:
        """The browser's sign-in: scan with the phone, which here is a choice of who scans."""
        query = request.query_params
        try:
            corp, app = self.asked(request)
            if app is None:
                raise Unfit("参数错误", "agentid 不存在")
        except Unfit as unfit:
            return page(unfit.title, f"<p>{escape(unfit.detail)}</p>")
        person = query.get("sandbox_user", "")
        if not self.known(corp, person):
            return self.choose(request, corp, "企业微信登录", "沙盒：选择谁来扫码")
        return self.back(request, corp, person, "snsapi_base")

    # -- what was asked ----------------------------------------------------------------------------------------------

    def asked(self, request: Request) -> tuple[Corp, App | None]:
        """The corp and the app of the request; the redirect's domain must be one the app trusts."""
        query = request.query_params
        corp, apps = self.of_suite(request) or self.of_corp(request)
        agent = "" if apps and apps[0].third_party else query.get("agentid", "")
        if agent:
            apps = [app for app in apps if str(app.agent_id) == agent]
            if not apps:
                raise Unfit("参数错误", "agentid 不存在")
        parts = urlsplit(query.get("redirect_uri", ""))
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise Unfit("redirect_uri 参数错误", "redirect_uri 必须是完整的网址")
        place = self.real_place(parts.netloc, request, corp)
        trusting = [app for app in apps if app.trusted_domains is None or place in app.trusted_domains]
        if not trusting:
            raise Unfit(
                "redirect_uri 与配置的授权完成回调域名不一致",
                f"错误码 50001：{place} 不是该应用的可信域名，请在管理后台「网页授权及 JS-SDK」中设置",
            )
        return corp, trusting[0]

    def of_corp(self, request: Request) -> tuple[Corp, list[App]]:
        """A corp by its id, or by the one a vendor knows it by: for self-built and 代开发 apps."""
        corp, provider = self.world.known_as(request.query_params.get("appid", ""))
        if corp is None:
            raise Unfit("参数错误", "appid 参数错误")
        apps = [app for app in corp.apps.values() if app.kind == "app" and not app.third_party]
        return corp, [app for app in apps if self.world.provider_of(app) == provider]

    def of_suite(self, request: Request) -> tuple[Corp, list[App]] | None:
        """A 第三方 app by its suite id: the corp is that of the person, here of the browser's or the first there is."""
        suite = self.world.vendors.suites.get(request.query_params.get("appid", ""))
        if suite is None or not suite.third_party:
            return None
        visitor = visitor_of(request.cookies)
        asked = request.query_params.get("sandbox_corp", "") or (visitor.corp_id if visitor is not None else "")
        corp = self.world.corps.get(asked if asked in suite.authorised else next(iter(suite.authorised), ""))
        if corp is None:
            raise Unfit("参数错误", "还没有企业安装此应用")
        return corp, [corp.apps[suite.app_key]]

    def real_place(self, netloc: str, request: Request, corp: Corp) -> str:
        """Inside the client's window pages keep their own name under the sandbox's port: the real one is meant."""
        if netloc == request.headers.get("host", ""):
            return self.world.windows.place_of(netloc, corp.corp_id) or netloc
        return netloc

    def person(self, request: Request, corp: Corp) -> str:
        """Who is signed in: named by the address, else whom the client in this browser plays."""
        named = request.query_params.get("sandbox_user", "")
        if not named:
            visitor: Visitor | None = visitor_of(request.cookies)
            named = visitor.person if visitor is not None and visitor.corp_id == corp.corp_id else ""
        return named if self.known(corp, named) else ""

    @staticmethod
    def known(corp: Corp, person: str) -> bool:
        return person.lower() in corp.staff or person in corp.customers

    # -- what is answered --------------------------------------------------------------------------------------------

    def back(self, request: Request, corp: Corp, person: str, scope: str) -> Response:
        query = request.query_params
        code = self.world.logins.give_code(corp, person, scope, time.time())
        parts = urlsplit(query["redirect_uri"])
        kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "code"]
        asked = urlencode([*kept, ("code", code), ("state", query.get("state", ""))])
        place, scheme = parts.netloc, parts.scheme
        if self.world.windows.covers(request.headers.get("host", ""), place, corp.corp_id):
            place, scheme = request.headers["host"], request.url.scheme  # the page stays in the client's window
        return RedirectResponse(urlunsplit((scheme, place, parts.path or "/", asked, parts.fragment)), 302)

    def choose(self, request: Request, corp: Corp, title: str, hint: str) -> Response:
        members = sorted(corp.staff.values(), key=lambda staff: not staff.customer_contact)[:40]
        rows = "".join(
            f'<a href="{escape(str(request.url.include_query_params(sandbox_user=staff.userid)))}">'
            f"{escape(staff.name)}<small>{escape(staff.userid)} · {escape(staff.position)}</small></a>"
            for staff in members
        )
        return page(title, f'<p class="hint">{hint}</p><nav class="people">{rows}</nav>')

    def consent(self, request: Request, corp: Corp, person: str) -> Response:
        again = escape(str(request.url.include_query_params(consent="1", sandbox_user=person)))
        body = (
            f"<p>{escape(corp.name)} 申请获取你的姓名、头像、手机号等信息</p>"
            f'<p><a class="primary" href="{again}">同意</a></p>'
        )
        return page("授权登录", body)
