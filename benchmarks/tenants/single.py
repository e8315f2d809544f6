"""What stands in the place of tenants.middleware.TenantByHost in the reference."""

from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponseBase


class OneTenant:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.tenant = connection.tenant  # type: ignore[attr-defined]
        return self.get_response(request)
