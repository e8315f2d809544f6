"""The doors of the console: every view behind the sign-in uses one of these decorators."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

ROLES = ("owner", "admin", "staff")
SEEN = "seen"
SEEN_EVERY = 300  # seconds: one write of the session in this time keeps an operator at work signed in

View = TypeVar("View", bound=Callable[..., HttpResponse])


def role_required(*roles: str, unfinished: bool = False) -> Callable[[View], View]:
    """Only signed-in operators of these roles; `unfinished`: also those who owe a new password or a second factor."""
    unknown = set(roles) - set(ROLES)
    if unknown:
        raise ValueError(f"no such role: {', '.join(sorted(unknown))}")

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            if not unfinished and (duty := open_duty(request)):
                return leave_for(request, duty)
            if getattr(request.user, "role", None) not in roles:
                raise PermissionDenied
            keep_awake(request)
            response = view(request, *args, **kwargs)
            add_never_cache_headers(response)  # what one operator sees is in no cache, and "back" asks again
            patch_vary_headers(response, ["HX-Request"])
            return response

        guarded.allowed_roles = roles  # type: ignore[attr-defined]  # read by the test that walks every route
        return cast(View, guarded)

    return decorate


def operator_required(view: View) -> View:
    """Any signed-in operator; what is shown is cut by the operator's data scope."""
    return role_required(*ROLES)(view)


def open_duty(request: HttpRequest) -> str | None:
    """The page that comes before any other: for a password given by someone else, a missing second factor."""
    if getattr(request.user, "must_change_password", False):
        return "accounts:password"
    if getattr(request.user, "owes_second_factor", False):
        return "accounts:second_factor"
    return None


def keep_awake(request: HttpRequest) -> None:
    """Eight idle hours end a session: working ones do not."""
    now = int(time.time())
    if now - request.session.get(SEEN, 0) >= SEEN_EVERY:
        request.session[SEEN] = now


def to_sign_in(request: HttpRequest) -> HttpResponse:
    here = request.get_full_path() if request.method == "GET" else ""
    if asked_by_htmx(request):  # a part of a page cannot become the sign-in page: the whole page goes there
        current = urlsplit(request.headers.get("HX-Current-URL", ""))
        here = current.path + (f"?{current.query}" if current.query else "")
    query = f"?{urlencode({'next': here})}" if here else ""
    return leave_for(request, f"{resolve_url(settings.LOGIN_URL)}{query}")


def leave_for(request: HttpRequest, to: str) -> HttpResponse:
    url = resolve_url(to)
    return HttpResponseClientRedirect(url) if asked_by_htmx(request) else HttpResponseRedirect(url)


def asked_by_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))
