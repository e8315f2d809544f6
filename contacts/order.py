"""Rows that people keep in an order of their own: stages, custom fields."""

from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet


@transaction.atomic
def shift(rows: QuerySet[Any], row: Any, step: int) -> None:
    """One place up (-1) or down (+1) among `rows`, which are in their order."""
    found = list(rows.select_for_update())
    place = next((number for number, one in enumerate(found) if one.pk == row.pk), None)
    if place is None or not 0 <= place + step < len(found):
        return
    found.insert(place + step, found.pop(place))
    for number, one in enumerate(found):
        one.order = number
    rows.model._default_manager.bulk_update(found, ["order"])


def last_place(rows: QuerySet[Any]) -> int:
    """The order of a row that comes after all of these."""
    last = rows.aggregate(last=Max("order"))["last"]
    return 0 if last is None else int(last) + 1
