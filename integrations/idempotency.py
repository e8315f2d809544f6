"""`Idempotency-Key`: a write repeated with the same key is done once and answered the same."""

import hashlib
from collections.abc import Callable
from typing import Any, cast

from django.db import transaction
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.errors import ApiError
from integrations.models import ApiKey, IdempotentRequest

MAX_KEY = 128
WRITES = ("post", "put", "patch", "delete")


def once_per_key(view: type[APIView]) -> type[APIView]:
    """The view with its writes heeding the key. They come after sign-in and throttling, which no repeat evades."""
    writes = {name: _heeding(getattr(view, name)) for name in WRITES if hasattr(view, name)}
    return type(view.__name__, (view,), {**writes, "__doc__": view.__doc__, "__module__": view.__module__})


def _heeding(write: Callable[..., Response]) -> Callable[..., Response]:
    def heeding(self: APIView, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = request._request.body  # read before it is parsed: it is part of what the key stands for
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return write(self, request, *args, **kwargs)
        if len(key) > MAX_KEY or not key.isascii() or not key.isprintable():
            raise ApiError.invalid({"Idempotency-Key": [_now("须为不超过 128 个字符的 ASCII 文本")]})
        meant = hashlib.sha256(f"{request.method} {request.path}\n".encode() + body).digest()
        return _once(request, key, meant, lambda: write(self, request, *args, **kwargs))

    heeding.__dict__.update(write.__dict__)  # where the operation's description is kept
    heeding.__doc__ = write.__doc__
    return heeding


def _once(request: Request, key: str, meant: bytes, write: Callable[[], Response]) -> Response:
    """The write and the record of its answer commit together; a refusal raises and leaves nothing behind."""
    api_key = cast(ApiKey, request.auth)
    with transaction.atomic():
        mine = IdempotentRequest(api_key=api_key, key=key, request_hash=meant)
        # a second request with the key waits here until the first one is over
        IdempotentRequest.objects.bulk_create([mine], ignore_conflicts=True)
        record = IdempotentRequest.objects.select_for_update().get(api_key=api_key, key=key)
        if bytes(record.request_hash) != meant:
            raise ApiError(422, "key_reused", _("这个 Idempotency-Key 已用于另一个请求"))
        if record.status is not None:
            return Response(record.answer, status=record.status, headers={"Idempotent-Replayed": "true"})
        response = write()
        record.status, record.answer = response.status_code, response.data
        record.save(update_fields=["status", "answer"])
        return response
