"""What a company notes about a customer: custom fields with one validation for every door, and 跟进记录."""

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk, reminders
from contacts.models import Customer, CustomField, FollowUp, TimelineEntry
from members.models import Staff

LONGEST_TEXT = 500
LARGEST_NUMBER = Decimal(10) ** 12
DECIMALS = 4
YEARS = range(1900, 2101)
LONGEST_FOLLOW_UP = 2000
FURTHEST = timedelta(days=366 * 3)


def living_fields() -> QuerySet[CustomField]:
    return CustomField.objects.filter(archived_at=None).order_by("order", "id")


# -- one validation ----------------------------------------------------------------------------------------------------


def clean_fields(values: Mapping[str, Any], fields: Mapping[str, CustomField] | None = None) -> dict[str, Any]:
    """Values by key (or by name) as they are stored, None for one that is emptied.

    Raises ValidationError in the user's words, by the names under which the values came. `fields`: the living fields by
    key, for callers that clean many rows.
    """
    known = fields if fields is not None else {field.key: field for field in living_fields()}
    by_name = {field.name: field for field in known.values()}
    cleaned: dict[str, Any] = {}
    wrong: dict[str, Any] = {}
    for name, value in values.items():
        field = known.get(name) or by_name.get(name)
        if field is None:
            wrong[name] = _("没有这个字段")
            continue
        try:
            cleaned[field.key] = clean_value(field, value)
        except ValidationError as error:
            wrong[name] = error
    if wrong:
        raise ValidationError(wrong)
    return cleaned


def clean_value(field: CustomField, value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    return CLEANERS[CustomField.Kind(field.kind)](field, value)


def _text(field: CustomField, value: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError(_("须为文本"))
    if len(value) > LONGEST_TEXT:
        raise ValidationError(_("最多 %(most)d 个字") % {"most": LONGEST_TEXT})
    if any((ord(char) < 32 and char not in "\n\t") or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise ValidationError(_("不能包含控制字符"))
    return value


def _number(field: CustomField, value: Any) -> int | float:
    wrong = ValidationError(_("须为数字"))
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise wrong
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong
    try:
        number = Decimal(value.replace(",", "") if isinstance(value, str) else str(value))
    except InvalidOperation:
        raise wrong from None
    if not number.is_finite():
        raise wrong
    if abs(number) >= LARGEST_NUMBER:
        raise ValidationError(_("数字太大，绝对值须小于一万亿"))
    rounded = round(number, DECIMALS)
    if rounded != number:
        raise ValidationError(_("最多 %(most)d 位小数") % {"most": DECIMALS})
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def _date(field: CustomField, value: Any) -> str:
    if isinstance(value, datetime):
        value = timezone.localtime(value).date() if timezone.is_aware(value) else value.date()
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value.replace("/", "-"))
        except ValueError:
            raise ValidationError(_("须为日期，例如 2026-01-31")) from None
    if not isinstance(value, date):
        raise ValidationError(_("须为日期，例如 2026-01-31"))
    if value.year not in YEARS:
        raise ValidationError(_("日期须在 1900 年到 2100 年之间"))
    return value.isoformat()


def _choice(field: CustomField, value: Any) -> str:
    if value not in field.choices:
        raise ValidationError(_("只能选择：%(choices)s") % {"choices": _("、").join(field.choices)})
    return str(value)


CLEANERS: dict[CustomField.Kind, Callable[[CustomField, Any], Any]] = {
    CustomField.Kind.TEXT: _text,
    CustomField.Kind.NUMBER: _number,
    CustomField.Kind.DATE: _date,
    CustomField.Kind.CHOICE: _choice,
}


# -- changing a customer's values --------------------------------------------------------------------------------------


@transaction.atomic
def change_fields(customer: Customer, values: Mapping[str, Any], *, by: str, source: str) -> dict[str, Any]:
    """Set some of the values; the others stay. What changed, by key: [before, after].

    A value that stays as it stands is not judged: an option that was taken away meanwhile does not block the rest.
    """
    bulk.lock_customers()
    row = Customer.objects.select_for_update().only("id", "fields").get(pk=customer.pk)
    fields = {field.key: field for field in living_fields()}
    keys = {field.name: field.key for field in fields.values()}
    asked = {name: value for name, value in values.items() if not _stays(row.fields.get(keys.get(name, name)), value)}
    cleaned = clean_fields(asked, fields)
    changes = {key: [row.fields.get(key), value] for key, value in cleaned.items() if row.fields.get(key) != value}
    if not changes:
        return {}
    kept = {key: value for key, value in (row.fields | cleaned).items() if value is not None}
    at = timezone.now()
    Customer.objects.filter(pk=row.pk).update(fields=kept, updated_at=at)
    customer.fields, customer.updated_at = kept, at
    with connection.cursor() as cursor:
        bulk.refresh_facts(cursor, [row.pk])
    told = [
        {"key": key, "name": fields[key].name, "before": before, "after": after}
        for key, (before, after) in changes.items()
    ]
    kind = TimelineEntry.Kind.FIELDS_CHANGED
    key = f"{kind}:{row.pk}:{uuid.uuid4().hex[:12]}"
    entry = bulk.Entry(key, kind, at, customer_id=row.pk, actor=by, payload={"changes": told})
    bulk.write_timeline([entry], source=source)
    return changes


def _stays(stored: Any, value: Any) -> bool:
    return stored is not None and isinstance(value, str | int | float) and str(stored) == str(value).strip()


def shown_fields(customer: Customer, *, sidebar: bool = False) -> list[tuple[CustomField, Any]]:
    """The living fields with this customer's values, None where there is none."""
    fields = living_fields().filter(in_sidebar=True) if sidebar else living_fields()
    return [(field, customer.fields.get(field.key)) for field in fields]


# -- 跟进记录 ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def write_follow_up(
    customer: Customer,
    *,
    text: str,
    next_at: datetime | None,
    staff: Staff | None,
    by: str,
    source: str,
    draft_key: str = "",
) -> FollowUp:
    """Note what was said or agreed. The same draft sent twice is one record: the second gets the first.

    It settles what its writer had to come back for: what was due by now, and every date when it sets a new one.
    """
    text, now = text.strip(), timezone.now()
    if not text:
        raise ValidationError({"text": _("请填写跟进内容")})
    if len(text) > LONGEST_FOLLOW_UP or "\x00" in text:
        raise ValidationError({"text": _("跟进内容最多 %(most)d 个字") % {"most": LONGEST_FOLLOW_UP}})
    if next_at is not None and not now - timedelta(minutes=5) <= next_at <= now + FURTHEST:
        raise ValidationError({"next_at": _("下次跟进时间须在今后三年之内")})
    row = FollowUp(customer=customer, staff=staff, by=by[:80], text=text, next_at=next_at, draft_key=draft_key[:40])
    if draft_key:
        FollowUp.objects.bulk_create([row], ignore_conflicts=True)
        stored = FollowUp.objects.get(draft_key=row.draft_key)
        if stored.customer_id != customer.pk:
            raise ValidationError({"draft_key": _("这份草稿已用于另一位客户")})
        row = stored
    else:
        row.save()
    own = Q(staff=staff) if staff else Q(staff=None, by=row.by)
    open_before = FollowUp.objects.open().filter(own, customer=customer, pk__lt=row.pk)
    if row.next_at is None:
        open_before = open_before.filter(next_at__lte=now)
    if settled := list(open_before.values_list("pk", flat=True)):
        FollowUp.objects.filter(pk__in=settled).update(next_done_at=now)
        reminders.forget(settled)
    reminders.remind(row)
    kind = TimelineEntry.Kind.FOLLOWED_UP
    payload = {"text": text, "next_at": next_at.isoformat() if next_at else None, "follow_up": row.pk}
    entry = bulk.Entry(
        f"{kind}:{row.pk}", kind, row.created_at, customer.pk, None, staff.pk if staff else None, by, payload
    )
    bulk.write_timeline([entry], source=source)
    return row


@transaction.atomic
def finish_follow_up(row: FollowUp) -> bool:
    """Its next step was taken; False when that stood there already."""
    reminders.forget([row.pk])
    return bool(FollowUp.objects.open().filter(pk=row.pk).update(next_done_at=timezone.now()))


@transaction.atomic
def reopen_follow_up(row: FollowUp) -> None:
    FollowUp.objects.filter(pk=row.pk).update(next_done_at=None)
    reminders.remind(row)
