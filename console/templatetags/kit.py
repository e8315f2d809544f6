"""How the console writes things: times, numbers, people, tags, states, icons. Formatting only."""

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.template.base import Parser, Token
from django.templatetags.i18n import TranslateNode, do_translate
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

register = template.Library()

TONES = ("blue", "green", "amber", "purple", "teal", "rose", "indigo", "slate")
SELECTED = SafeString(" selected")
STATE_TONES = {
    **dict.fromkeys(("done", "ok", "active", "sent", "processed", "confirmed"), "good"),
    **dict.fromkeys(("new", "queued", "pending", "ready", "draft", "scheduled", "planned"), "calm"),
    **dict.fromkeys(("running", "sending", "processing", "retry", "planning", "asked"), "busy"),
    **dict.fromkeys(("parked", "unknown", "waiting", "created", "suspended", "expired", "maintenance"), "warn"),
    **dict.fromkeys(("dead", "failed", "refused", "rejected", "error"), "bad"),
    **dict.fromkeys(("cancelled", "ignored", "skipped", "off", "left", "ended", "exited", "stopped"), "off"),
}


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A line icon of the sprite; with a label it speaks, without one it is decoration."""
    voice = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html('<svg class="icon" {}><use href="{}#{}"></use></svg>', voice, static("vendor/icons.svg"), name)


# -- words -------------------------------------------------------------------------------------------------------------


class Words(template.Node):
    """What a `{% translate "…" %}` says in each language, found out once: it stays while the process lives."""

    child_nodelists = ()

    def __init__(self, words: TranslateNode) -> None:
        self.words = words
        self.told: dict[str | None, str] = {}

    def render(self, context: template.Context) -> str:
        language = get_language()
        if language not in self.told:
            self.told[language] = self.words.render(context)
        return self.told[language]


@register.tag
def translate(parser: Parser, token: Token) -> template.Node:
    """Stands in for Django's where `kit` is loaded after `i18n`: a page says some twenty to a hundred things."""
    words = do_translate(parser, token)
    said = words.filter_expression
    constant = said.var.lookups is None and not said.filters
    return Words(words) if constant and words.asvar is None and words.message_context is None else words


# -- time --------------------------------------------------------------------------------------------------------------


@register.filter
def moment(value: datetime | None) -> str:
    """2026-11-21 15:30, in the tenant's zone."""
    return timezone.localtime(value).strftime("%Y-%m-%d %H:%M") if value else "—"


@register.filter
def ago(value: datetime | None) -> SafeString:
    """Words like 3 分钟前 within a day, the date after; the exact moment on hover and for machines."""
    if value is None:
        return SafeString('<span class="text-faint">—</span>')
    exact = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', exact.isoformat(), exact.strftime("%Y-%m-%d %H:%M:%S"), since(value)
    )


def since(value: datetime) -> str:
    """The words of `ago`, for a moment in the past or the near future."""
    passed = timezone.now() - value
    if timedelta(0) <= passed < timedelta(minutes=1):
        return _("刚刚")
    if timedelta(0) <= passed < timedelta(hours=1):
        minutes = int(passed.total_seconds() // 60)
        return ngettext("%(n)d 分钟前", "%(n)d 分钟前", minutes) % {"n": minutes}
    if timedelta(0) <= passed < timedelta(days=1):
        hours = int(passed.total_seconds() // 3600)
        return ngettext("%(n)d 小时前", "%(n)d 小时前", hours) % {"n": hours}
    return moment(value)


@register.filter
def clock(value: datetime | None) -> str:
    """10:32 today, with the date on another day."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return local.strftime("%H:%M" if local.date() == timezone.localdate() else "%Y-%m-%d %H:%M")


# -- numbers -----------------------------------------------------------------------------------------------------------


@register.filter
def amount(value: int | str | None) -> str:
    """2,013; what is in words already stays so."""
    if value is None:
        return "—"
    return value if isinstance(value, str) else f"{value:,}"


@register.filter
def percent(done: int, total: int | None) -> int:
    """Whole percent; 100 only when all is done."""
    return 0 if not total else min(100, done * 100 // total)


# -- people and tags ---------------------------------------------------------------------------------------------------


PICTURE = '<img src="{}" alt="" loading="lazy" referrerpolicy="no-referrer">'


@register.simple_tag
def avatar(name: str, picture: str = "", size: str = "") -> SafeString:
    """The picture, or the last two characters of a Chinese name, or the initials of another, on a colour of its own."""
    shape = f"tone-{tone(name)} face-{size}" if size else f"tone-{tone(name)}"
    shown = format_html(PICTURE, picture) if picture else ""
    return format_html('<span class="face {}" aria-hidden="true">{}{}</span>', shape, initials(name), shown)


def initials(name: str) -> str:
    name = name.strip()
    if not name:
        return "?"
    if ord(name[0]) >= 0x2E80:
        return name[-2:] if len(name) <= 4 else name[:2]
    words = name.split()
    return (words[0][0] + (words[1][0] if len(words) > 1 else "")).upper()


@register.filter
def tone(key: Any) -> str:
    """The same colour for the same key, always: a tag group, a person."""
    return TONES[zlib.crc32(str(key).encode()) % len(TONES)]


@register.inclusion_tag("console/kit/chip.html")
def chip(label: Any, group: Any = "", url: str = "", title: Any = "") -> dict[str, Any]:
    """A tag; all the tags of a group share a colour."""
    return {"label": label, "tone": tone(group or label), "url": url, "title": title or group}


@register.inclusion_tag("console/kit/state.html")
def state(value: str, label: Any = "") -> dict[str, Any]:
    """A badge with a dot: the colour follows the state's name, the words are always there."""
    return {"tone": STATE_TONES.get(str(value), "calm"), "label": label or value}


@register.inclusion_tag("console/kit/stat.html")
def stat(
    label: Any, value: int | str | None, url: str = "", note: Any = "", icon: str = "", tone: str = "blue"
) -> dict[str, Any]:
    """A number that opens the list behind it."""
    return {"label": label, "value": value, "url": url, "note": note, "icon": icon, "tone": tone}


@register.inclusion_tag("console/kit/copy.html")
def copyable(value: Any, label: Any = "", secret: bool = False) -> dict[str, Any]:
    """A value to carry into WeCom's own pages, with a button that copies it."""
    return {"value": value, "label": label, "secret": secret}


# -- forms and lists ---------------------------------------------------------------------------------------------------


@register.simple_tag
def options(choices: Iterable[tuple[Any, Any]], chosen: Any = None) -> SafeString:
    """The choices of a select, as pairs of value and words."""
    rows = ((value, SELECTED if value == chosen else "", words) for value, words in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)


@register.inclusion_tag("console/kit/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """Label, input, help and error of one form field, tied together for those who listen."""
    widget = bound.field.widget
    return {
        "field": bound,
        "is_check": isinstance(widget, CheckboxInput),
        "is_group": getattr(widget, "use_fieldset", False),
    }
