"""Words of the archive's pages."""

import json
from typing import Any

from django import template

from archive import words

register = template.Library()


@register.filter
def pretty(payload: Any) -> str:
    """Raw JSON for administrators, without the key of the file in it."""
    if isinstance(payload, dict):
        payload = {name: value for name, value in payload.items() if name != "sdkfileid"}
    return json.dumps(payload, ensure_ascii=False, indent=1)[:4000]


@register.filter
def span(seconds: int) -> str:
    """12″, 3′05″: how long a voice or a call is."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}′{rest:02}″" if minutes else f"{rest}″"


@register.filter
def closed_words(reason: str) -> str:
    return str(words.closed_words(reason))
