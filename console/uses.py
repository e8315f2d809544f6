"""What a thing is used for, told by the rooms above it: what would stop without it cannot lose it unawares."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

NAMED = 3


class Hold(StrEnum):
    NEEDED = "needed"  # it goes on by the thing: without it, it stops or is poorer
    DRAFT = "draft"  # nothing happens by it now; it has to choose again
    PAST = "past"  # it went by the thing as it was


class Use(NamedTuple):
    kind: Any
    name: str
    state: Any
    url: str  # "" for what the operator may not open
    hold: Hold
    watches: bool = False  # who enters is what it lives on


def most_held_first(uses: Iterable[Use]) -> list[Use]:
    return sorted(uses, key=lambda use: list(Hold).index(use.hold))


def in_words(uses: Iterable[Use]) -> str:
    """客户SOP“新客培育”（已启用）、群发“店庆”（待发送）等 5 个"""
    rows = list(uses)
    named = [_("%(kind)s“%(name)s”（%(state)s）") % use._asdict() for use in rows[:NAMED]]
    said = _("、").join(named)
    return _("%(names)s等 %(n)d 个") % {"names": said, "n": len(rows)} if len(rows) > NAMED else said
