"""人群包: who is in one, how many, and who came in or went out since the last look."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Customer, CustomerFacts
from tagging.conditions import Tree, clean, compile
from tagging.models import Segment, SegmentMember
from tagging.segment_uses import refuse_if_needed
from tagging.signals import segment_entered
from tenants.isolation import each_tenant
from tenants.staging import one_writer

log = structlog.get_logger(__name__)

FACTS = CustomerFacts._meta.db_table
PATIENCE = 2000
"""Milliseconds that counting may take while somebody watches."""

TOLD = 1000
"""Customers told of in one signal."""

_ENTER = """
INSERT INTO tagging_segmentmember (segment_id, customer_id, entered_at)
SELECT %(segment)s, f.customer_id, %(now)s FROM contacts_customerfacts f WHERE {where}
    AND NOT EXISTS (SELECT FROM tagging_segmentmember m
        WHERE m.segment_id = %(segment)s AND m.customer_id = f.customer_id AND m.left_at IS NULL)
RETURNING customer_id
"""
_LEAVE = """
UPDATE tagging_segmentmember m SET left_at = %(now)s
WHERE m.segment_id = %(segment)s AND m.left_at IS NULL
    AND NOT EXISTS (SELECT FROM contacts_customerfacts f WHERE f.customer_id = m.customer_id AND {where})
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many; `exact` is false where counting took too long and the planner's estimate stands in."""

    number: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Moved:
    entered: int
    left: int


def tree_of(what: Segment | Tree) -> Tree:
    return dict(what.tree) if isinstance(what, Segment) else what


def facts_of(
    what: Segment | Tree, operator: Any = None, *, staff_ids: Iterable[int] | None = None
) -> QuerySet[CustomerFacts]:
    """The rows of the read model: to be paged and cut before the wide rows of customers are fetched."""
    where = compile(tree_of(what), operator=operator, staff_ids=staff_ids, alias=FACTS)
    return CustomerFacts.objects.filter(RawSQL(f"({where.sql})", where.params, BooleanField()))  # noqa: S611


def customers_of(
    what: Segment | Tree, operator: Any = None, *, staff_ids: Iterable[int] | None = None
) -> QuerySet[Customer]:
    """Customers in a segment or tree, in the range of the operator or of these staff; without either, all of them."""
    where = compile(tree_of(what), operator=operator, staff_ids=staff_ids)
    sql = f"SELECT f.customer_id FROM contacts_customerfacts f WHERE {where.sql}"  # noqa: S608
    return Customer.objects.filter(pk__in=RawSQL(sql, where.params))  # noqa: S611


def ids_of(what: Segment | Tree, operator: Any = None, *, staff_ids: Iterable[int] | None = None) -> list[int]:
    """All their ids; what has to write in sets takes `compile` into its own statement instead."""
    where = compile(tree_of(what), operator=operator, staff_ids=staff_ids)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT f.customer_id FROM contacts_customerfacts f WHERE {where.sql}", where.params)  # noqa: S608
        return [row[0] for row in cursor.fetchall()]


def count(
    what: Segment | Tree,
    operator: Any = None,
    *,
    staff_ids: Iterable[int] | None = None,
    patience: int | None = None,
) -> Counted:
    """How many there are. With `patience` (milliseconds) an estimate when counting takes longer."""
    where = compile(tree_of(what), operator=operator, staff_ids=staff_ids)
    sql = f"FROM contacts_customerfacts f WHERE {where.sql}"
    if patience is None:
        return Counted(_first(f"SELECT count(*) {sql}", where.params))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [patience])
            cursor.execute(f"SELECT count(*) {sql}", where.params)
            number: int = cursor.fetchone()[0]
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")
        return Counted(number)
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
    plan = _first(f"EXPLAIN (FORMAT JSON) SELECT {sql}", where.params)
    return Counted(int(plan[0]["Plan"]["Plan Rows"]), exact=False)


def _first(sql: str, params: Sequence[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()[0]


_NEWEST = """
SELECT c.* FROM (
    SELECT f.customer_id, f.added_at FROM contacts_customerfacts f WHERE {where}
    ORDER BY f.added_at DESC, f.customer_id DESC LIMIT %s
) p JOIN contacts_customer c ON c.id = p.customer_id ORDER BY p.added_at DESC, p.customer_id DESC
"""


def newest(what: Segment | Tree, operator: Any = None, *, limit: int = 10) -> list[Customer]:
    """A sample: those added last. The narrow rows are cut before the wide ones are read."""
    where = compile(tree_of(what), operator=operator)
    return list(Customer.objects.raw(_NEWEST.format(where=where.sql), [*where.params, limit]))


# -- saved -------------------------------------------------------------------------------------------------------------


def save(segment: Segment, *, name: str, tree: Any, by: str) -> Segment:
    """Make or change a saved segment. Raises ValidationError in the words of its form."""
    name = name.strip()
    if not name or len(name) > 30:
        raise ValidationError({"name": _("请填写名称，最多 30 个字")})
    if Segment.objects.filter(name=name, archived_at=None).exclude(pk=segment.pk).exists():
        raise ValidationError({"name": _("已有同名的人群包")})
    try:
        segment.tree = clean(tree)
    except ValidationError as error:
        raise ValidationError({"tree": error.messages}) from error
    segment.name = name
    segment.created_by = segment.created_by or by
    segment.save()
    return segment


def recount(segment: Segment) -> Counted:
    """The size that lists show, of the whole company."""
    found = count(segment, patience=PATIENCE)
    segment.count, segment.counted_at = found.number, timezone.now()
    segment.save(update_fields=["count", "counted_at"])
    return found


@transaction.atomic
def archive(segment: Segment) -> None:
    """Put away: it is offered no more, and nothing is recorded for it. Raises ValidationError where it is needed."""
    refuse_if_needed(segment)
    unwatch(segment)
    segment.archived_at = timezone.now()
    segment.save(update_fields=["archived_at"])


# -- watched -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def watch(segment: Segment) -> None:
    """From now on who enters and leaves is recorded. Who is in already did not enter now: nobody is told of them."""
    if not segment.watched:
        _move(segment)
        segment.watched = True
        segment.save(update_fields=["watched"])


@transaction.atomic
def unwatch(segment: Segment) -> None:
    segment.watched = False
    segment.save(update_fields=["watched"])
    SegmentMember.objects.filter(segment=segment, left_at=None).update(left_at=timezone.now())


@transaction.atomic
def evaluate(segment: Segment) -> Moved:
    """Records who came in and who went out since the last look, and tells of those who came in."""
    entered, left = _move(segment)
    for start in range(0, len(entered), TOLD):
        segment_entered.send(Segment, segment_id=segment.pk, customer_ids=entered[start : start + TOLD])
    return Moved(len(entered), left)


def _move(segment: Segment) -> tuple[list[int], int]:
    where = compile(tree_of(segment))
    given: dict[str, Any] = {"segment": segment.pk, "now": timezone.now()}
    names: list[str] = []
    for place, value in enumerate(where.params):
        given[f"p{place}"] = value
        names.append(f"%(p{place})s")
    named = where.sql % tuple(names)
    with connection.cursor() as cursor:
        one_writer(cursor, f"segment {segment.pk}")
        cursor.execute(_LEAVE.format(where=named), given)
        left: int = cursor.rowcount
        cursor.execute(_ENTER.format(where=named), given)
        return sorted(row[0] for row in cursor.fetchall()), left


def recount_all() -> None:
    """The sizes in lists are of the last hour."""
    each_tenant(lambda tenant: _each(Segment.objects.filter(archived_at=None), recount))


def _each(rows: Iterable[Segment], act: Callable[[Segment], object]) -> None:
    """One that fails does not hold up the others."""
    for segment in rows:
        try:
            act(segment)
        except Exception:
            log.exception("segment_failed", segment=segment.pk, act=act.__name__)


def evaluate_watched() -> None:
    """Of every company in use."""
    each_tenant(lambda tenant: _each(Segment.objects.filter(watched=True, archived_at=None), evaluate))
