"""One shape for every error of the Open API, in both languages."""

import logging
import math
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from rest_framework import exceptions
from rest_framework.response import Response

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """An error that the caller can act on: `code` for programs, `message` for people."""

    def __init__(
        self,
        http_status: int,
        code: str,
        message: str | Promise,
        *,
        field_errors: dict[str, list[str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.field_errors = field_errors or {}
        self.headers = headers or {}

    @classmethod
    def invalid(cls, field_errors: dict[str, list[str]]) -> "ApiError":
        return cls(400, "invalid", _("请求参数有误，请查看 field_errors"), field_errors=field_errors)


Shape = tuple[int, str, Promise]
UNAUTHENTICATED: Shape = (401, "unauthenticated", _("接口密钥缺失或已失效"))
FORBIDDEN: Shape = (403, "forbidden", _("这个密钥没有权限"))
NOT_FOUND: Shape = (404, "not_found", _("没有找到对应的数据"))
MALFORMED: Shape = (400, "malformed", _("请求体不是合法的 JSON"))
INTERNAL: Shape = (500, "internal", _("服务器出错了，请把 request_id 提供给我们"))

SHAPES: dict[type[Exception], Shape] = {
    exceptions.NotAuthenticated: UNAUTHENTICATED,
    exceptions.AuthenticationFailed: UNAUTHENTICATED,
    exceptions.PermissionDenied: FORBIDDEN,
    PermissionDenied: FORBIDDEN,
    exceptions.NotFound: NOT_FOUND,
    Http404: NOT_FOUND,
    exceptions.ParseError: MALFORMED,
    RecursionError: MALFORMED,  # JSON nested thousands deep
    RequestDataTooBig: (413, "too_large", _("请求体太大")),
    exceptions.MethodNotAllowed: (405, "method_not_allowed", _("该地址不支持这个请求方法")),
    exceptions.NotAcceptable: (406, "not_acceptable", _("只提供 JSON 格式")),
    exceptions.UnsupportedMediaType: (415, "unsupported_media_type", _("请求体须为 application/json")),
    exceptions.Throttled: (429, "too_many_requests", _("调用过于频繁，请稍后再试")),
}


def as_api_error(error: Exception) -> ApiError | None:
    """What the caller is told; None for an error that is ours."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return ApiError.invalid(dict(flat(error.detail)))
    for kind, shape in SHAPES.items():
        if isinstance(error, kind):
            return ApiError(*shape, headers=headers_for(error))
    return None


def flat(detail: Any, place: str = "") -> Iterator[tuple[str, list[str]]]:
    """Field → texts; what lies deeper is named by its path: `add.0`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from flat(inner, f"{place}.{name}" if place else str(name))
    elif isinstance(detail, list) and any(isinstance(one, dict | list) for one in detail):
        for number, inner in enumerate(detail):
            if inner:
                yield from flat(inner, f"{place}.{number}")
    else:
        texts = detail if isinstance(detail, list) else [detail]
        yield place or "non_field_errors", [str(text) for text in texts]


def headers_for(error: Exception) -> dict[str, str]:
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, exceptions.Throttled) and error.wait is not None:
        return {"Retry-After": str(math.ceil(error.wait))}
    return {}


def answer(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler. An error of ours is logged with its trace and told without it."""
    known = as_api_error(error)
    if known is None:
        logger.error("open api: %s", type(error).__name__, exc_info=error)
        known = ApiError(*INTERNAL)
    return Response(body(known, context["request"]), status=known.http_status, headers=known.headers)


def body(error: ApiError, request: Any) -> dict[str, Any]:
    with override("zh-hans"):
        message = str(error.message)
    with override("en"):
        message_en = str(error.message)
    return {
        "code": error.code,
        "message": message,
        "message_en": message_en,
        "field_errors": error.field_errors,
        "request_id": getattr(request, "request_id", ""),
    }
