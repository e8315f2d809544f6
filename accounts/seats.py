"""Seats: how many people may use the product. Each active operator takes one, and whoever else is named as a holder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Tenant
from tenants.recycling import PUBLIC


@dataclass(frozen=True, slots=True)
class Holders:
    """A kind of people who take seats: one row each in `rows`, and the list that shows exactly them."""

    words: Any
    rows: str  # SQL: the ids
    page: str  # a URL name
    query: str


OPERATORS = Holders(
    gettext_lazy("操作员"), "SELECT id::text FROM accounts_operator WHERE is_active", "accounts:operators", "active=1"
)
HOLDERS = [OPERATORS]  # filled up by scrm/wiring.py
TURNED_AWAY: list[Holders] = []  # those who found no seat; filled by scrm/wiring.py


class NoSeat(Exception):
    """One more person would be more than the company has bought."""

    def __init__(self, used: int, bought: int) -> None:
        self.words = _("席位已用完（%(used)d/%(bought)d）：停用不再使用的账号，或联系平台管理员增加席位。") % {
            "used": used,
            "bought": bought,
        }
        super().__init__(self.words)


@dataclass(frozen=True, slots=True)
class Part:
    words: Any
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class Seats:
    """What a page shows: each part opens the list of those whom it counts."""

    parts: list[Part]
    bought: int
    turned_away: Part | None = None

    @property
    def used(self) -> int:
        return sum(part.count for part in self.parts)

    @property
    def full(self) -> bool:
        return self.used >= self.bought


def of_company() -> Seats:
    bought = Tenant.objects.values_list("seats", flat=True).get(schema_name=connection.schema_name)
    counts = zip(HOLDERS, _counts(), strict=True)
    parts = [Part(kind.words, count, f"{reverse(kind.page)}?{kind.query}") for kind, count in counts]
    return Seats(parts, bought, _lately_turned_away())


def _lately_turned_away() -> Part | None:
    for kind in TURNED_AWAY:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {_count(kind)}")
            if count := cursor.fetchone()[0]:
                return Part(kind.words, count, f"{reverse(kind.page)}?{kind.query}")
    return None


def _count(kind: Holders) -> str:
    return f"(SELECT count(*) FROM ({kind.rows}) AS of_kind)"  # noqa: S608  texts of our own code


def used() -> int:
    return sum(_counts())


def _counts() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(map(_count, HOLDERS)))
        return list(cursor.fetchone())


@contextmanager
def changing() -> Iterator[None]:
    """Around whatever gives somebody a seat or takes one away, in one transaction with it.

    One at a time in a company. Who holds more seats than were bought keeps them: only one more is refused.
    """
    if connection.schema_name == PUBLIC:  # the vendor's own people
        yield
        return
    with transaction.atomic():
        company = Tenant.objects.select_for_update(no_key=True).only("seats").get(schema_name=connection.schema_name)
        before = used()
        yield
        after = used()
        if after > before and after > company.seats:
            raise NoSeat(before, company.seats)
        Tenant.objects.filter(pk=company.pk).update(seats_used=after)


def recount() -> None:
    """For the vendor's list, where seats were freed by others: members who left."""
    with changing():
        pass
