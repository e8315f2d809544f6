"""Customers in words. Formatting only: the words stand in `contacts/wording.py`."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from contacts.models import Customer, CustomField, Follow, TimelineEntry
from contacts.wording import add_way, ending, story

register = template.Library()
register.filter("add_way", add_way)

TONES = {
    "follow_added": "green",
    "group_joined": "green",
    "welcome_sent": "green",
    "deleted_by_staff": "rose",
    "deleted_by_customer": "rose",
    "follow_vanished": "rose",
    "tags_failed": "amber",
    "remark_failed": "amber",
    "welcome_failed": "amber",
    "transfer_failed": "amber",
    "stage_changed": "purple",
    "fields_changed": "slate",
    "followed_up": "teal",
}


@register.filter
def in_words(entry: TimelineEntry) -> str:
    return story(entry)


@register.filter
def entry_tone(entry: TimelineEntry) -> str:
    return TONES.get(entry.kind, "blue")


@register.filter
def where_from(customer: Customer) -> str:
    """@微信, or the company of someone who uses WeCom too: as WeCom writes it behind the name."""
    if customer.kind == Customer.Kind.WECOM:
        return f"@{customer.corp_name or _('企业微信')}"
    return f"@{_('微信')}"


@register.filter
def field_value(value: Any, field: CustomField) -> str:
    """A value of a custom field as people write it."""
    if field.kind == CustomField.Kind.NUMBER and isinstance(value, int | float):
        return f"{value:,}"
    return str(value)


@register.filter
def who_deleted_whom(follow: Follow) -> str:
    """How a friendship ended, in one line."""
    return ending(follow)
