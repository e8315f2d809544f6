"""The company's 发送规则: read, changed, and held against the steps whose time has come, whichever plan they are of."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time

from django.db import connection, transaction
from django.db.models import Case, When
from django.utils import timezone

from sop.models import SendRule, StaffTask, StepRun
from sop.pace import Day, Pace, monday_of
from tenants.staging import one_writer

SUBJECT = "sop pace"
SPARED = (StaffTask.State.CANCELLED, StaffTask.State.SKIPPED)
"""The customer got nothing by these."""

MASS_MESSAGES: list[Callable[[Collection[int], date], Iterable[tuple[int, date, int]]]] = []
"""By customers and a day: (customer, day, how many) of those that reached them since; filled by scrm/wiring.py."""

DAYS_CHANGED: list[Callable[[], None]] = []
"""Told in the transaction that changes the company's holidays; filled by scrm/wiring.py."""


def rule() -> SendRule:
    return SendRule.objects.filter(only=True).first() or SendRule()


def pace() -> Pace:
    row = rule()
    return Pace(row.per_day, row.per_week, frozenset(row.holidays), frozenset(row.workdays))


def days_off() -> tuple[list[date], list[date]]:
    """节假日, and the weekends on which people work."""
    row = rule()
    return row.holidays, row.workdays


def keep_days_off(holidays: list[date], workdays: list[date]) -> None:
    change(holidays=holidays, workdays=workdays)


@transaction.atomic
def change(**values: object) -> dict[str, list[object]]:
    """What was and what is now, of those that change."""
    row, _made = SendRule.objects.select_for_update().get_or_create(only=True)
    changed: dict[str, list[object]] = {}
    for name, value in values.items():
        if (before := getattr(row, name)) != value:
            changed[name] = [before, value]
            setattr(row, name, value)
    row.save()
    if changed.keys() & {"holidays", "workdays"}:
        for tell in DAYS_CHANGED:
            tell()
    return changed


def days_of(
    runs: Sequence[StepRun], planned: Mapping[int, datetime], now: datetime, allowed: Pace
) -> dict[int, Day | None]:
    """By run the day on which its customer may get it, today or later; None: no day is near enough.

    Who asks is to make the tasks in the same transaction: until it ends nobody else is answered, so that two plans
    cannot both take the last place.
    """
    zone = timezone.get_current_timezone()
    today = now.astimezone(zone).date()
    customers = {run.enrolment.follow.customer_id for run in runs}
    had = got_by(customers, monday_of(today)) if allowed.limits and runs else defaultdict[int, Counter[date]](Counter)
    found: dict[int, Day | None] = {}
    for run in sorted(runs, key=lambda one: (one.due_at, one.pk)):
        own = had[run.enrolment.follow.customer_id]
        wanted = planned[run.pk].astimezone(zone).date()
        found[run.pk] = day = allowed.day_for(wanted, today, own, workdays_only=run.step.workdays_only)
        if day is not None and day.day == today:
            own[today] += 1
    return found


def got_by(customers: Iterable[int], since: date) -> defaultdict[int, Counter[date]]:
    """How much these customers got on each day: SOP tasks of all plans, headquarters' tasks and mass messages."""
    zone, who = timezone.get_current_timezone(), sorted(set(customers))
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
    begun = datetime.combine(since, time(), zone)
    found = defaultdict[int, Counter[date]](Counter)
    for customer, at in [*_of_plans(who, begun), *_assigned(who, begun)]:
        found[customer][at.astimezone(zone).date()] += 1
    for customer, day, number in (one for ask in MASS_MESSAGES for one in ask(who, since)):
        found[customer][day] += number
    return found


def _of_plans(customers: Collection[int], since: datetime) -> Iterable[tuple[int, datetime]]:
    """By their enrolments, which have an index, as all tasks of a week may be many."""
    begun = StaffTask.objects.filter(step_run__enrolment__follow__customer__in=customers, starts_at__gte=since)
    ones = begun.exclude(state__in=SPARED).exclude(proof=StaffTask.Proof.MASS)  # those are mass messages
    return ones.values_list("step_run__enrolment__follow__customer", "starts_at")


def _assigned(customers: Collection[int], since: datetime) -> Iterable[tuple[int, datetime]]:
    """Their time is long: what was sent counts on the day on which it was, what is open on the day it began."""
    at = Case(When(state=StaffTask.State.DONE, then="settled_at"), default="starts_at")
    given = StaffTask.objects.filter(customer__in=customers, assignment__isnull=False).annotate(at=at)
    gone = [*SPARED, StaffTask.State.EXPIRED]
    ones = given.filter(at__gte=since).exclude(state__in=gone).exclude(proof=StaffTask.Proof.MASS)
    return ones.values_list("customer", "at")  # type: ignore[return-value]
