"""账号与安全: the own password and second factor."""

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import second_factor
from accounts.access import operator_of, operator_required, role_required
from accounts.forms import CodeForm, ConfirmForm, PasswordForm
from console import answers, audit
from console.access import ROLES
from console.qr import picture

UNCONFIRMED = "new_second_factor"  # session key, until the first code confirms it


@operator_required
@require_http_methods(["GET", "HEAD"])
def account(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/account.html", {"operator": request.user})


@sensitive_post_parameters()
@role_required(*ROLES, unfinished=True)
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Other browsers are signed out by it: their sessions were opened with the old password."""
    operator = operator_of(request)
    form = PasswordForm(operator, request.POST or None)
    if request.method == "POST" and form.is_valid():
        operator.set_password(form.cleaned_data["new"])
        operator.must_change_password = False
        operator.save(update_fields=["password", "must_change_password"])
        update_session_auth_hash(request, operator)
        audit.record(request, "account.password", operator.username)
        return answers.done(
            request, _("密码已修改，其他浏览器上的登录已失效。"), back_to="accounts:account", leave=True
        )
    values = {"form": form, "forced": operator.must_change_password}
    return render(request, "accounts/password.html", values, status=422 if form.errors else 200)


@role_required(*ROLES, unfinished=True)
@require_http_methods(["GET", "HEAD", "POST"])
def set_up_second_factor(request: HttpRequest) -> HttpResponse:
    operator = operator_of(request)
    if operator.has_second_factor:
        return redirect("accounts:account")
    secret = request.session.setdefault(UNCONFIRMED, second_factor.new_secret())
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if second_factor.confirm(operator, secret, form.cleaned_data["code"]):
            del request.session[UNCONFIRMED]
            audit.record(request, "account.second_factor_on", operator.username)
            return answers.done(
                request, _("两步验证已开启，下次登录需要输入验证码。"), back_to="accounts:account", leave=True
            )
        form.add_error("code", _("验证码不正确，请确认手机时间准确后，输入最新的验证码。"))
    values = {
        "form": form,
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "picture": picture(second_factor.uri(operator, secret)),
        "forced": operator.owes_second_factor,
    }
    return render(request, "accounts/second_factor.html", values, status=422 if form.errors else 200)


@sensitive_post_parameters("password")
@operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove_second_factor(request: HttpRequest) -> HttpResponse:
    operator = operator_of(request)
    form = ConfirmForm(operator, request.POST or None)
    if request.method == "POST" and form.is_valid():
        second_factor.remove(operator)
        audit.record(request, "account.second_factor_off", operator.username)
        return answers.done(request, _("两步验证已关闭。"), back_to="accounts:account", level="warning", leave=True)
    values = {
        "form": form,
        "title": _("关闭两步验证"),
        "submit": pgettext("两步验证", "关闭"),
        "lead": _("关闭后，只凭密码就能登录您的账号。"),
    }
    return answers.drawer(request, "console/kit/form_drawer.html", values, wrong=bool(form.errors))
