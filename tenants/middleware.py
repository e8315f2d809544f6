"""The first two steps of a request: which request this is, and whose."""

import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotFound,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from tenants.db import connection
from tenants.models import Domain, Tenant
from tenants.recycling import PUBLIC

log = structlog.get_logger("scrm.request")

Answer = Callable[[HttpRequest], HttpResponseBase]
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
ANY_HOST = frozenset({"/healthz", "/readyz", "/metrics"})  # asked for by address, by who watches the process
API = "/api/"
NOT_LOGGED = ("/healthz", "/readyz", "/metrics", "/static/")


class RequestContext:
    """Gives the request its number, on every log line and in the answer, and logs it once when it ends."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        request.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
            self._log(request, response.status_code, started)
            return response
        finally:
            structlog.contextvars.clear_contextvars()

    @staticmethod
    def _log(request: HttpRequest, status: int, started: float) -> None:
        if request.path.startswith(NOT_LOGGED):
            return
        tenant = getattr(request, "tenant", None)
        operator = getattr(request, "_cached_user", None)
        log.info(
            "request",
            method=request.method,
            path=request.path,  # without the query: it may hold a code of a sign-in
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 1),
            tenant=tenant.schema_name if tenant else None,
            operator=str(operator.pk) if operator is not None and operator.pk else None,
        )


class TenantByHost:
    """Makes the tenant of the `Host` header the current one, and nobody's when the request is over."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        connection.set_schema_to_public()
        if request.path in ANY_HOST:
            request.tenant = None  # type: ignore[attr-defined]
            return self.get_response(request)
        tenant = tenant_of(host_of(request))
        if tenant is None:
            return HttpResponseNotFound("404: no company is served at this address.\n", content_type="text/plain")
        request.tenant = tenant  # type: ignore[attr-defined]
        if tenant.schema_name == PUBLIC:
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
        elif tenant.status != Tenant.Status.ACTIVE:
            return closed_to_programs(request, tenant) if request.path.startswith(API) else closed(request, tenant)
        return self._serve(request, tenant)

    def _serve(self, request: HttpRequest, tenant: Tenant) -> HttpResponseBase:
        connection.set_tenant(tenant)
        try:
            response = self.get_response(request)
        finally:
            connection.set_schema_to_public()
        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            parts = cast("Iterable[bytes]", response.streaming_content)
            response.streaming_content = within(tenant, parts)
        return response


def within(tenant: Tenant, parts: Iterable[bytes]) -> Iterator[bytes]:
    """A streamed answer is made after the request is over: each part in its tenant, nothing left between two."""
    parts = iter(parts)
    while True:
        with tenant:
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part


def closed(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Says why there is no console now; the language is not known yet this far out."""
    with translation.override(translation.get_language_from_request(request)):
        page = render_to_string("tenants/closed.html", {"tenant": tenant, "suspended": tenant.status == "suspended"})
    return HttpResponse(page, status=503, headers={"Retry-After": "600", "Cache-Control": "no-store"})


def closed_to_programs(request: HttpRequest, tenant: Tenant) -> JsonResponse:
    """The same in the shape of the Open API's errors."""
    suspended = tenant.status == Tenant.Status.SUSPENDED
    text = _("服务已停用") if suspended else _("系统维护中")
    told: dict[str, object] = {"code": "suspended" if suspended else "maintenance"}
    for name, language in (("message", "zh-hans"), ("message_en", "en")):
        with translation.override(language):
            told[name] = str(text)
    told |= {"field_errors": {}, "request_id": getattr(request, "request_id", "")}
    return JsonResponse(told, status=503, headers={"Retry-After": "600", "Cache-Control": "no-store"})


def host_of(request: HttpRequest) -> str | None:
    """The host name that was asked for, in the form in which domains are stored; None when it is none."""
    try:
        host = request.get_host()
    except DisallowedHost:
        return None
    if not host.endswith("]"):  # an IPv6 address without a port
        host = host.rpartition(":")[0] or host if ":" in host else host
    return host.rstrip(".").lower()


class Hosts:
    """Host → tenant, kept for seconds in this process: a query and a SET less in nearly every request."""

    KEPT = 10.0  # how long a company that is closed is still served
    UNKNOWN_KEPT = 5.0  # a new domain is served soon
    SIZE = 20_000  # and hosts made up by a stranger do not fill the memory

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[float, Tenant | None]] = OrderedDict()

    def tenant(self, host: str) -> Tenant | None:
        kept = self._found.get(host)
        now = time.monotonic()
        if kept and kept[0] > now:
            return kept[1]
        domain = Domain.objects.select_related("tenant").filter(domain=host).first()
        tenant = domain.tenant if domain else None
        with self._lock:
            self._found[host] = (now + (self.KEPT if tenant else self.UNKNOWN_KEPT), tenant)
            while len(self._found) > self.SIZE:
                self._found.popitem(last=False)
        return tenant

    def forget(self) -> None:
        with self._lock:
            self._found.clear()


hosts = Hosts()


def tenant_of(host: str | None) -> Tenant | None:
    return hosts.tenant(host) if host else None
