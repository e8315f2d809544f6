"""What is open to the world: tracked links, covers, files at signed addresses. No sign-in, no script."""

import logging
import mimetypes
import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from contacts.models import Customer
from content import links, reading
from content.models import Material, StoredFile, TrackedLink
from content.storage import Missing, store

logger = logging.getLogger(__name__)

VISITOR = "scrm_visitor"
VISITOR_DAYS = 365
KNOWN_VISITOR = re.compile(r"[0-9a-f]{32}")
ROBOTS = re.compile(
    r"bot\b|spider|crawler|slurp|preview|facebookexternalhit|headless|curl/|wget/|python-", re.IGNORECASE
)


@require_safe
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind a tracked link: it says what follows, and leads there. Only the stored address is ever used."""
    link = get_object_or_404(TrackedLink.objects.select_related("material__file", "staff", "customer"), token=token)
    target = link.material.body.get("url", "")
    if link.material.kind != Material.Kind.LINK or urlsplit(target).scheme not in {"http", "https"}:
        raise Http404
    visitor = request.COOKIES.get(VISITOR, "")
    known = bool(KNOWN_VISITOR.fullmatch(visitor))
    visitor = visitor if known else links.new_visitor()
    if is_a_customer(request, link):
        try:
            links.record_opening(link, visitor)
        except Exception:  # the customer gets to the page, whatever becomes of our notes
            logger.exception("an opening of link %s was not recorded", link.pk)
    context = {"material": link.material, "target": target, "host": urlsplit(target).hostname}
    if link.material.file_id:
        context |= {"picture": reading.cover_url(link.material.file_id), "cover": links.cover_of(link.material)}
    response = render(request, "content/link.html", context)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    if not known:
        response.set_cookie(
            VISITOR, visitor, VISITOR_DAYS * 86_400, path="/t/", secure=settings.HTTPS, httponly=True, samesite="Lax"
        )
    return response


def is_a_customer(request: HttpRequest, link: TrackedLink) -> bool:
    """Not those who fetch the card's title ahead of any person, and not the staff who look at what they sent: a WeChat
    user reads in WeChat, WeCom's own browser is a colleague's."""
    if request.method != "GET" or "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", "")):
        return False
    browser = request.headers.get("User-Agent", "")
    if ROBOTS.search(browser) or request.user.is_authenticated:
        return False
    of_wechat = link.customer is not None and link.customer.kind == Customer.Kind.WECHAT
    return not (of_wechat and "wxwork" in browser.lower())


@require_safe
def cover(request: HttpRequest, signed: str) -> HttpResponseBase:
    return handed_out(reading.cover_of(signed), cached=86_400, whose="public")


@require_safe
def file(request: HttpRequest, signed: str, name: str) -> HttpResponseBase:
    return handed_out(reading.file_of(signed), cached=3600, whose="private")


def handed_out(pk: int | None, *, cached: int, whose: str) -> HttpResponseBase:
    """The file, from us or from the bucket; never as anything that a browser would run."""
    found = StoredFile.objects.filter(pk=pk).first() if pk is not None else None
    if found is None:
        raise Http404
    inline = found.mime in reading.SHOWN_INLINE
    if address := store().address(found.key, found.name, inline=inline, seconds=600):
        return HttpResponseRedirect(address)
    try:
        content: Any = store().open(found.key)
    except Missing:
        raise Http404 from None
    known = inline or found.mime in mimetypes.types_map.values()
    response = FileResponse(
        content,
        as_attachment=not inline,
        filename=found.name,
        content_type=found.mime if known else "application/octet-stream",
    )
    response["Cache-Control"] = f"{whose}, max-age={cached}"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
