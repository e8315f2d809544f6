"""The content security policy of a page that asks for nothing of its own: put together once, not in every answer."""

from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

OWN = frozenset({"_csp_config", "_csp_update", "_csp_replace", "_csp_exempt"})  # what csp.decorators put on an answer


class ContentPolicy(CSPMiddleware):
    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.usual = build_policy()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        nonce = getattr(request, "_csp_nonce", None)
        if settings.DEBUG or nonce is not None or not OWN.isdisjoint(vars(response)):
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self.usual)
        return response
