"""Keyset pages: `?limit=≤200&after=<cursor>` → `{"data": […], "next": <cursor or null>}`, stable at any depth."""

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from integrations.errors import ApiError

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class CursorPages(BasePagination):
    """Pages along the queryset's own ordering by times and ids, the last one unique; `-field` runs downwards."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.limit = self._limit(request)
        self.fields = [str(field) for field in queryset.query.order_by]
        if after := request.query_params.get("after"):
            queryset = queryset.filter(self._beyond(self._decode(after)))
        rows = list(queryset[: self.limit + 1])
        self.has_next = len(rows) > self.limit
        self.page = rows[: self.limit]
        return self.page

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next": self._encode(self.page[-1]) if self.has_next else None})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        cursor = {"type": ["string", "null"], "description": "the value of `after` for the next page; null on the last"}
        return {"type": "object", "required": ["data", "next"], "properties": {"data": schema, "next": cursor}}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        after = {"name": "after", "in": "query", "required": False, "schema": {"type": "string"}}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": limit, "description": "rows on a page"},
            after | {"description": "`next` of the page before; everything else as it was in that request"},
        ]

    @staticmethod
    def _limit(request: Request) -> int:
        text = request.query_params.get("limit", str(DEFAULT_LIMIT))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_LIMIT):
            raise ApiError.invalid({"limit": [_("limit 须是 1 到 200 之间的整数")]})
        return int(text)

    def _encode(self, row: Any) -> str:
        values = [getattr(row, field.lstrip("-")) for field in self.fields]
        text = json.dumps([value.isoformat() if isinstance(value, datetime) else value for value in values])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _decode(self, cursor: str) -> list[Any]:
        try:
            values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
            if not isinstance(values, list):
                raise TypeError(values)
            return [self._typed(value, field) for value, field in zip(values, self.fields, strict=True)]
        except (binascii.Error, ValueError, TypeError, RecursionError):
            raise ApiError.invalid({"after": [_("after 不是本列表给出的游标")]}) from None

    @staticmethod
    def _typed(value: Any, field: str) -> Any:
        if field.endswith(("_at", "-at")):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError(value)
            return moment
        if type(value) is not int:
            raise TypeError(value)
        return value

    def _beyond(self, values: list[Any]) -> Q:
        """(a > x) or (a = x and b > y) …, and a >= x besides, from which an index can start."""
        beyond = Q()
        equal = Q()
        for field, value in zip(self.fields, values, strict=True):
            name, after = (field[1:], "lt") if field.startswith("-") else (field, "gt")
            beyond |= equal & Q(**{f"{name}__{after}": value})
            equal &= Q(**{name: value})
        first, after = (self.fields[0][1:], "lte") if self.fields[0].startswith("-") else (self.fields[0], "gte")
        return Q(**{f"{first}__{after}": values[0]}) & beyond
