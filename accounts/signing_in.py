"""From a name and a password to a session: the lock, the password, the second factor, the languages."""

import time
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts import lockout, second_factor
from accounts.models import Operator
from console import audit

HALFWAY = "sign_in"  # session key between the password and the code
CHOSEN_LANGUAGE = "language"  # session key: picked on the sign-in page, becomes the operator's own
HALFWAY_LASTS = 300  # seconds


class Refused(Exception):
    """Not signed in; `words` say why, and the same words answer for names that exist and names that do not."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def with_password(request: HttpRequest, username: str, password: str) -> Operator:
    ip = audit.client_ip(request)
    refuse_when_locked(username, ip)
    operator = authenticate(request, username=username, password=password)
    if not isinstance(operator, Operator):
        raise Refused(count_failure(username, ip, _("账号或密码不正确。")))
    if not operator.has_second_factor:
        lockout.forgive(operator.username)
    return operator


def with_code(request: HttpRequest, operator: Operator, code: str) -> None:
    ip = audit.client_ip(request)
    refuse_when_locked(operator.username, ip)
    if not second_factor.accept(operator, code):
        raise Refused(count_failure(operator.username, ip, _("验证码不正确或已使用过，请等待下一个验证码。")))
    lockout.forgive(operator.username)


def refuse_when_locked(username: str, ip: str) -> None:
    if until := lockout.locked_until(username, ip):
        raise Refused(locked_words(until))


def count_failure(username: str, ip: str, words: str) -> str:
    left = lockout.failed(username, ip)
    if left == 0 and (until := lockout.locked_until(username, ip)):
        return locked_words(until)
    return words + (_("还可以再试 %(n)d 次。") % {"n": left} if left <= 3 else "")


def locked_words(until: datetime) -> str:
    minutes = max(1, round((until - timezone.now()).total_seconds() / 60))
    return _(
        "连续多次输入错误，已暂停登录，请在 %(at)s 之后再试（约 %(n)d 分钟）。急需登录时，可请超级管理员重置密码。"
    ) % {
        "at": timezone.localtime(until).strftime("%H:%M"),
        "n": minutes,
    }


# -- between the two steps ---------------------------------------------------------------------------------------------


def halfway(request: HttpRequest, operator: Operator, following: str) -> None:
    """The password was right, a code is asked for. Nothing in the session is worth anything without the code."""
    request.session.cycle_key()
    request.session[HALFWAY] = {"operator": str(operator.pk), "at": int(time.time()), "next": following}


def who_is_halfway(request: HttpRequest) -> tuple[Operator, str] | None:
    found: dict[str, Any] | None = request.session.get(HALFWAY)
    if not found or time.time() - found["at"] > HALFWAY_LASTS:
        request.session.pop(HALFWAY, None)
        return None
    operator = Operator.objects.filter(pk=UUID(found["operator"]), is_active=True).first()
    return (operator, found["next"]) if operator else None


def finish(request: HttpRequest, operator: Operator, response: HttpResponse) -> HttpResponse:
    """A new session with a new key, in the operator's own language."""
    request.session.pop(HALFWAY, None)
    if (chosen := request.session.pop(CHOSEN_LANGUAGE, None)) and chosen != operator.language:
        operator.language = chosen
        operator.save(update_fields=["language"])
    login(request, operator, backend="accounts.backend.AuthBackend")
    remember_language(response, operator.language)
    audit.record(request, "session.sign_in", operator.username)
    return response


def remember_language(response: HttpResponse, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 86400,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def safe_next(request: HttpRequest, default: str = settings.LOGIN_REDIRECT_URL) -> str:
    """Where to go after; never to another host, whatever the address says."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    own = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if own and asked.startswith("/") else default
