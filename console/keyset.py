"""Pages by key: "the 30 after this row" costs the same on every page, and no row is skipped."""

import base64
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, F, Field, Func, Q, QuerySet, Value
from django.db.models.expressions import OrderBy
from django.db.models.lookups import GreaterThan, LessThan


@dataclass(frozen=True)
class Page:
    rows: list[Any]
    previous: str = ""  # cursors; "" where there is no such page
    next: str = ""

    @property
    def is_whole(self) -> bool:
        """All there is stands on this page: its length is the count."""
        return not self.previous and not self.next


@dataclass(frozen=True)
class Cursor:
    """The page after (or before) the row with this value and key, in the order it was made for."""

    order: str
    back: bool
    value: Any
    key: Any

    def __str__(self) -> str:
        text = json.dumps([self.order, self.back, self.value, self.key], default=exactly, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def exactly(value: Any) -> str:
    """Times keep their microseconds: a shortened one would skip the rows between it and the real one."""
    return value.isoformat() if isinstance(value, date) else str(value)


def paginate(rows: QuerySet[Any], order: str, cursor: str, size: int) -> Page:
    """`order` is a field or annotation, "-" for descending; ties go by primary key, nulls where Postgres puts them."""
    name = order.removeprefix("-")
    at = read_cursor(rows, order, cursor)
    back = at is not None and at.back
    descending = order.startswith("-") != back
    wanted = rows.order_by(ordering(name, descending), ordering("pk", descending))
    if at is not None:
        wanted = wanted.filter(beyond(rows, name, at, descending))
    found = list(wanted[: size + 1])
    more, found = len(found) > size, found[:size]
    if not found:
        return Page([]) if at is None else paginate(rows, order, "", size)
    if back:
        found.reverse()
    first, last = found[0], found[-1]
    has_previous, has_next = (more, True) if back else (at is not None, more)
    return Page(
        found,
        str(Cursor(order, True, getattr(first, name), first.pk)) if has_previous else "",
        str(Cursor(order, False, getattr(last, name), last.pk)) if has_next else "",
    )


def ordering(name: str, descending: bool) -> OrderBy:
    return F(name).desc() if descending else F(name).asc()


def beyond(rows: QuerySet[Any], name: str, at: Cursor, descending: bool) -> Q:
    """The rows past the cursor. Postgres sorts null as the largest value. It walks an index for a pair that is compared
    as one; of a pair spelled out it expects far too many rows near the end."""
    side = "lt" if descending else "gt"
    past_key = Q(**{f"pk__{side}": at.key})
    if at.value is None:
        nulls = Q(**{f"{name}__isnull": True}) & past_key
        return nulls | Q(**{f"{name}__isnull": False}) if descending else nulls
    compared = LessThan if descending else GreaterThan
    values = Q(compared(_row(F(name), F("pk")), _row(Value(at.value), Value(at.key))))
    return values | Q(**{f"{name}__isnull": True}) if not descending and may_be_null(rows, name) else values


def _row(*parts: Any) -> Func:
    return Func(*parts, template="(%(expressions)s)", output_field=BooleanField())


def read_cursor(rows: QuerySet[Any], order: str, text: str) -> Cursor | None:
    """A cursor that was cut, made up, or made for another order leads to the first page."""
    if not text or len(text) > 2000:
        return None
    try:
        made_for, back, value, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if made_for != order or not isinstance(back, bool) or key is None:
            return None
        value = None if value is None else field_of(rows, order.removeprefix("-")).to_python(value)
        return Cursor(order, back, value, rows.model._meta.pk.to_python(key))
    except (ValueError, TypeError, ValidationError, RecursionError):
        return None


def field_of(rows: QuerySet[Any], name: str) -> "Field[Any, Any]":
    try:
        field: Field[Any, Any] = rows.model._meta.get_field(name)
    except FieldDoesNotExist:
        field = rows.query.annotations[name].output_field
    return field


def may_be_null(rows: QuerySet[Any], name: str) -> bool:
    return name in rows.query.annotations or field_of(rows, name).null
