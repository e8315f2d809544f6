"""Events and calls by the names that people know. Formatting only: the words stand in `callbacks/words.py`."""

from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _

from callbacks.words import EVENT_NAMES, PURPOSES

register = template.Library()


@register.filter
def event_words(name: str) -> Any:
    return EVENT_NAMES.get(name, _("其他事件"))


@register.filter
def purpose_words(purpose: str) -> Any:
    return PURPOSES.get(purpose, purpose)
