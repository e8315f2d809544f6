"""WeCom's pages on which a corp's admin consents to a vendor's app (wecom-api.md 3.2)."""

from __future__ import annotations

import time
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.authorize import STATE, Unfit, page
from sandbox.corp import Corp
from sandbox.suites import PreAuthCode, Suite
from sandbox.vendors import Declined, Vendors
from sandbox.world import World

CODE_SECONDS = 1200  # what the redirect says of the auth_code
ASKED = "将获得：通讯录基本信息（只读）、客户联系"


class Installs:
    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def vendors(self) -> Vendors:
        return self.world.vendors

    def routes(self) -> list[Route]:
        return [
            Route("/3rdapp/install", self.install, methods=["GET", "POST"]),
            Route("/3rdapp/customized", self.scanned, methods=["GET", "POST"]),
        ]

    async def install(self, request: Request) -> Response:
        """Opened from the vendor's site: whoever consents is sent back there with an auth_code."""
        query = request.query_params
        try:
            suite, before = self.asked(request)
            corp = await self.chosen(request)
            if corp is None:
                return self.consent(request, [suite])
            code = self.vendors.install(suite, corp, query.get("state", ""), tell=suite.both_ways)
        except Unfit as unfit:
            return page(unfit.title, f"<p>{escape(unfit.detail)}</p>")
        self.vendors.pre_auth_codes = {
            key: one for key, one in self.vendors.pre_auth_codes.items() if one is not before
        }
        parts = urlsplit(query["redirect_uri"])
        kept = parse_qsl(parts.query, keep_blank_values=True)
        back = [*kept, ("auth_code", code), ("expires_in", str(CODE_SECONDS)), ("state", query.get("state", ""))]
        return RedirectResponse(urlunsplit(parts._replace(query=urlencode(back))), 302)

    def asked(self, request: Request) -> tuple[Suite, PreAuthCode]:
        query, now = request.query_params, time.time()
        suite = self.vendors.suites.get(query.get("suite_id", ""))
        if suite is None or not suite.third_party:
            raise Unfit("参数错误", "suite_id 参数错误")
        code = self.vendors.pre_auth_codes.get(query.get("pre_auth_code", ""))
        if code is None or code.suite_id != suite.suite_id or code.expires_at <= now:
            raise Unfit("链接已失效", "pre_auth_code 无效或已过期，请返回服务商网站重试")
        if not suite.published and not code.test:
            raise Unfit("应用未上线", "应用尚未发布，只能以测试授权安装")
        parts = urlsplit(query.get("redirect_uri", ""))
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise Unfit("redirect_uri 参数错误", "redirect_uri 必须是完整的网址")
        if not STATE.fullmatch(query.get("state", "")):
            raise Unfit("参数错误", "state 只能由字母和数字组成，最长 128 字节")
        return suite, code

    async def scanned(self, request: Request) -> Response:
        """The page behind a QR code: the vendor hears of the consent by create_auth only."""
        invitation = self.vendors.invitations.get(request.query_params.get("key", ""))
        if invitation is None or invitation.expires_at <= time.time():
            return page("二维码已失效", "<p>请联系服务商重新生成</p>")
        found = [self.vendors.suites[key] for key in invitation.suite_ids if key in self.vendors.suites]
        corp = await self.chosen(request)
        if corp is None or not found:
            return self.consent(request, found)
        wanted = (await asked_of(request)).get("suite_id", "")
        suite = next((suite for suite in found if suite.suite_id == wanted), found[0])
        try:
            self.vendors.install(suite, corp, invitation.state)
        except Declined as declined:
            return page("无法授权", f"<p>{escape(str(declined))}</p>")
        return page("授权成功", f"<p>{escape(corp.name)} 已授权 {escape(suite.name)}，可以关闭此页面</p>")

    async def chosen(self, request: Request) -> Corp | None:
        """The corp whose admin consents: named by the form, or by `sandbox_corp` in the address."""
        return self.world.corps.get((await asked_of(request)).get("sandbox_corp", ""))

    def consent(self, request: Request, found: list[Suite]) -> Response:
        if not found:
            return page("应用不存在", "<p>服务商已删除此应用</p>")
        if not self.world.corps:
            return page("没有企业", "<p>沙盒里还没有企业</p>")
        corps = choice("sandbox_corp", [(corp.corp_id, corp.name) for corp in self.world.corps.values()])
        suites = choice("suite_id", [(suite.suite_id, suite.name) for suite in found]) if len(found) > 1 else ""
        title = f"授权「{found[0].name}」" if len(found) == 1 else "授权服务商应用"
        body = (
            f'<p class="hint">沙盒：以哪个企业的超级管理员身份同意</p><form method="post">'
            f"<p>{suites} {corps}</p><p>{ASKED}</p>"
            f'<p><button class="primary">同意授权</button></p></form>'
        )
        return page(title, body)


async def asked_of(request: Request) -> dict[str, str]:
    """The query, and over it the form."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"))) if request.method == "POST" else {}
    return dict(request.query_params) | form


def choice(name: str, options: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<option value="{escape(value)}">{escape(title)} {escape(value)}</option>' for value, title in options
    )
    return f'<select name="{name}" aria-label="{name}">{rows}</select>'
