"""Who may enter the vendor console, and what its pages may load."""

from collections.abc import Callable
from typing import Any

from csp.decorators import csp_update
from django import forms
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import lockout, second_factor
from accounts.models import Operator
from console.audit import client_ip
from scrm.ops import overview
from tenants.closing import audit
from tenants.db import connection
from tenants.recycling import PUBLIC

# Unfold is built on Alpine, which evaluates the attributes of its elements, and colours its pages by a style element.
# Only this host needs both; what a tenant's people see keeps the strict policy.
POLICY = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}
ROLES = frozenset({Operator.Role.OWNER, Operator.Role.ADMIN})

View = Callable[..., HttpResponseBase]


def is_vendor_staff(user: Any) -> bool:
    """A person of the public schema. The same question on a tenant's host is always answered with no."""
    return isinstance(user, Operator) and user.is_active and user.role in ROLES and connection.schema_name == PUBLIC


class SignInForm(AuthenticationForm):
    """Password, and the code of whoever has a second factor."""

    code = forms.CharField(label=_("动态验证码"), required=False, max_length=8, help_text=_("已启用两步验证时填写"))

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["code"].widget = UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}
        )

    def clean(self) -> dict[str, Any]:
        username, ip = self.cleaned_data.get("username", ""), client_ip(self.request)
        if lockout.locked_until(username, ip):
            raise forms.ValidationError(_("尝试次数过多，已暂时锁定，请 15 分钟后再试。"))
        operator = authenticate(self.request, username=username, password=self.cleaned_data.get("password"))
        if not is_vendor_staff(operator) or not self._code_is_right(operator):
            lockout.failed(username, ip)
            raise forms.ValidationError(_("账号、密码或验证码不正确。"))
        lockout.forgive(username)
        self.user_cache = operator
        return self.cleaned_data

    def _code_is_right(self, operator: Any) -> bool:
        return not operator.has_second_factor or second_factor.accept(operator, self.cleaned_data.get("code") or "")


class OpsSite(UnfoldAdminSite):
    login_form = SignInForm
    login_template = "ops/login.html"
    index_template = "ops/index.html"
    index_title = _("运行概况")

    def has_permission(self, request: HttpRequest) -> bool:
        return is_vendor_staff(request.user)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            new_password = reverse("admin:password_change")
            user = request.user
            if is_vendor_staff(user) and getattr(user, "must_change_password", False) and request.path != new_password:
                return HttpResponseRedirect(new_password)
            return inner(request, *args, **kwargs)

        return csp_update(POLICY)(guarded)

    @method_decorator(csp_update(POLICY))
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return super().login(request, extra_context)

    @method_decorator(csp_update(POLICY))
    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return super().logout(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """A password that was made for someone is replaced by one of their own."""
        answer = super().password_change(request, extra_context)
        if request.method == "POST" and answer.status_code == 302:
            Operator.objects.filter(username=request.user.get_username()).update(must_change_password=False)
            audit(None, "ops_password_changed", by=request.user.get_username())
        return answer

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "overview": overview.of_all_tenants()})


site = OpsSite(name="admin")  # the name that Unfold's templates reverse
