"""The company's 发送规则: read, changed, and held against the steps whose time has come, whichever plan they are of."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time

from django.db import connection, transaction
from django.utils import timezone

from sop.models import SendRule, StaffTask, StepRun
from sop.pace import Day, Pace, monday_of
from tenants.staging import one_writer

SUBJECT = "sop pace"
SPARED = (StaffTask.State.CANCELLED, StaffTask.State.SKIPPED)
"""The customer got nothing by these."""


def rule() -> SendRule:
    return SendRule.objects.filter(only=True).first() or SendRule()


def pace() -> Pace:
    row = rule()
    return Pace(row.per_day, row.per_week, frozenset(row.holidays), frozenset(row.workdays))


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
    """How many SOP tasks there were for these customers on each day, of all plans. By their enrolments, which have an
    index, as all tasks of a week may be many."""
    zone = timezone.get_current_timezone()
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
    begun = StaffTask.objects.filter(
        step_run__enrolment__follow__customer__in=list(customers),
        starts_at__gte=datetime.combine(since, time(), zone),
    ).exclude(state__in=SPARED)
    found = defaultdict[int, Counter[date]](Counter)
    for customer, at in begun.values_list("step_run__enrolment__follow__customer", "starts_at"):
        found[customer][at.astimezone(zone).date()] += 1
    return found
