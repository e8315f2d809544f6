"""超时质检: a customer who waits too long for an answer, counted in working time only."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from archive import alerts
from archive.models import Alert, ArchivedMessage, Conversation, ReplyRule
from tenants import due

DUE = "reply_overdue"
ALL_WEEK = (1, 2, 3, 4, 5, 6, 7)
FURTHEST = 366  # days without a working hour: the rule can never be met

Waits = tuple[datetime | None, datetime | None]  # since when before and after a chunk


class DaysOff(NamedTuple):
    """The company's 节假日, and 调休: days of the weekend on which people work."""

    holidays: Collection[date] = ()
    workdays: Collection[date] = ()


class Calendar(NamedTuple):
    """Where the company keeps them."""

    read: Callable[[], tuple[list[date], list[date]]]
    keep: Callable[[list[date], list[date]], None]


CALENDAR: list[Calendar] = []
"""One, shared with the plans; filled by scrm/wiring.py."""


def days_off() -> DaysOff:
    return DaysOff(*map(frozenset, CALENDAR[0].read())) if CALENDAR else DaysOff()


def rule_in_force() -> ReplyRule | None:
    return ReplyRule.objects.filter(only=True, enabled=True).first()


def deadline(rule: ReplyRule, since: datetime, off: DaysOff) -> datetime:
    """The moment at which the customer has waited so many minutes of working time."""
    zone = timezone.get_default_timezone()
    start, left = since.astimezone(zone), timedelta(minutes=rule.minutes)
    days = rule.weekdays or list(ALL_WEEK)
    for number in range(FURTHEST):
        day: date = start.date() + timedelta(days=number)
        if day not in off.workdays and (day.isoweekday() not in days or day in off.holidays):
            continue
        opens = datetime.combine(day, rule.from_time, zone)
        closes = datetime.combine(day, rule.to_time, zone)
        begin = max(opens, start)
        if begin + left <= closes:
            return begin + left
        left -= max(closes - begin, timedelta(0))
    return start + timedelta(days=FURTHEST)


def follow(waits: Mapping[int, Waits]) -> None:
    """Conversations in which someone began to wait, or waits no more. Part of the caller's transaction."""
    changed = {pk: after for pk, (before, after) in waits.items() if before != after}
    if not changed:
        return
    rule = rule_in_force()
    answered = [pk for pk, since in changed.items() if since is None]
    if answered:
        due.drop(DUE, answered)
    if rule is not None and len(changed) > len(answered):
        off = days_off()
        due.put(DUE, {pk: deadline(rule, since, off) for pk, since in changed.items() if since is not None})


def fall_due(conversation_ids: Iterable[int]) -> None:
    """Handler of the due index: who still waits is told of, and asked for again when the rule became longer."""
    rule = rule_in_force()
    if rule is None:
        return
    found, later, now, off = [], {}, timezone.now(), days_off()
    for row in Conversation.objects.filter(pk__in=list(conversation_ids)).exclude(waiting_since=None):
        since = row.waiting_since or now
        if (at := deadline(rule, since, off)) > now:
            later[row.pk] = at
        elif message := first_waiting(row, since):
            found.append(alert_of(row, message, since))
    due.put(DUE, later)
    if found:
        alerts.put_up(found)


def first_waiting(row: Conversation, since: datetime) -> ArchivedMessage | None:
    said = ArchivedMessage.objects.filter(conversation=row, from_customer=True, at__gte=since)
    return said.order_by("at", "id").first()


def alert_of(row: Conversation, message: ArchivedMessage, since: datetime) -> Alert:
    return Alert(
        kind=Alert.Kind.OVERDUE,
        key=f"overdue:{row.pk}:{int(since.timestamp() * 1000)}",
        conversation=row,
        message=message,
        staff_id=min(row.staff_ids, default=None),
    )


def rule_changed() -> None:
    """Who waits at this moment is measured by the new rule, or by the new holidays."""
    rule = rule_in_force()
    waiting = Conversation.objects.exclude(waiting_since=None).filter(kind=Conversation.Kind.CUSTOMER)
    if rule is not None:
        rows, off = waiting.order_by("-last_at").values_list("pk", "waiting_since")[:10_000], days_off()
        due.put(DUE, {pk: deadline(rule, since, off) for pk, since in rows if since is not None})
