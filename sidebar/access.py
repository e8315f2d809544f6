"""Who looks through the sidebar: a member of the company, known by WeCom's own sign-in and a signed cookie."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from members.models import Staff

COOKIE = "seller"
LIFE = 12 * 3600
IN_WECOM = re.compile(r"wxwork/", re.IGNORECASE)

Rest = ParamSpec("Rest")


def salt() -> str:
    """A cookie of one company opens nothing in another."""
    return f"sidebar:{connection.schema_name}"


def sign_in(response: HttpResponse, staff: Staff) -> HttpResponse:
    response.set_cookie(
        COOKIE,
        signing.dumps(staff.pk, salt=salt()),
        max_age=LIFE,
        path=reverse("sidebar:shell"),
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
    return response


def claimed_by(request: HttpRequest) -> int | None:
    """The staff member of the cookie, not yet looked up: who left meanwhile is found out by the query that uses it."""
    try:
        pk: int = signing.loads(request.COOKIES.get(COOKIE, ""), salt=salt(), max_age=LIFE)
    except signing.BadSignature:
        return None
    return pk


def seller_of(request: HttpRequest) -> Staff | None:
    pk = claimed_by(request)
    return None if pk is None else working(pk)


def working(pk: int) -> Staff | None:
    return (
        Staff.objects.filter(pk=pk, left_at=None, status=Staff.Status.ACTIVE).exclude(sidebar=Staff.Sidebar.OFF).first()
    )


def seller_required(
    view: Callable[Concatenate[HttpRequest, Staff, Rest], HttpResponse],
) -> Callable[Concatenate[HttpRequest, Rest], HttpResponse]:
    """The view gets the staff member who asks; others are sent to sign in, each kind of request in its own way."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponse:
        staff = seller_of(request)
        response = to_sign_in(request) if staff is None else view(request, staff, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    guarded.for_sellers = True  # type: ignore[attr-defined]  # read by the test that walks every route
    return cast("Callable[Concatenate[HttpRequest, Rest], HttpResponse]", guarded)


def to_sign_in(request: HttpRequest) -> HttpResponse:
    here = request.get_full_path() if request.method == "GET" else reverse("sidebar:shell")
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(sign_in_url(reverse("sidebar:shell")))
    if request.headers.get("Accept", "").startswith("application/json"):
        words = _("登录已过期，请关闭侧边栏后重新打开")
        return JsonResponse({"code": "sign_in", "message": words}, status=401)
    return HttpResponseRedirect(sign_in_url(here))


def sign_in_url(then: str) -> str:
    return f"{reverse('sidebar:sign_in')}?{urlencode({'next': then})}"


def inside_wecom(request: HttpRequest) -> bool:
    return bool(IN_WECOM.search(request.headers.get("User-Agent", "")))


def told_by(staff: Staff) -> dict[str, Any]:
    """`by` and `source` of what a member does here."""
    return {"by": str(staff), "source": "sidebar"}
