"""What a 人群包 is used for, told by the rooms above: what would stop without it cannot lose it unawares."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tagging.models import Segment

NAMED = 3


class Hold(StrEnum):
    NEEDED = "needed"  # it goes on by the segment: without it, it stops
    DRAFT = "draft"  # it has to choose again
    PAST = "past"  # it went by the segment as it was


class Use(NamedTuple):
    kind: Any
    name: str
    state: Any
    url: str  # "" for what the operator may not open
    hold: Hold
    watches: bool = False  # who enters is what it lives on


USES: list[Callable[[int, Any], Iterable[Use]]] = []
"""By the segment's number and the operator who asks, or None; filled by scrm/wiring.py."""


def uses_of(segment: Segment, operator: Any = None) -> list[Use]:
    """What holds it most, first."""
    found = [use for ask in USES for use in ask(segment.pk, operator)]
    return sorted(found, key=lambda use: list(Hold).index(use.hold))


def in_words(uses: Iterable[Use]) -> str:
    """客户SOP“新客培育”（已启用）、群发“店庆”（待发送）等 5 个"""
    rows = list(uses)
    named = [_("%(kind)s“%(name)s”（%(state)s）") % use._asdict() for use in rows[:NAMED]]
    said = _("、").join(named)
    return _("%(names)s等 %(n)d 个") % {"names": said, "n": len(rows)} if len(rows) > NAMED else said


def refuse_if_needed(segment: Segment) -> None:
    """Raises ValidationError that names what has to end first."""
    if needed := [use for use in uses_of(segment) if use.hold == Hold.NEEDED]:
        raise ValidationError(
            _("人群包正在使用，不能删除：%(uses)s。请先停用、取消或改用其他人群包。") % {"uses": in_words(needed)}
        )


def refuse_if_watched(segment: Segment) -> None:
    if needed := [use for use in uses_of(segment) if use.watches and use.hold == Hold.NEEDED]:
        raise ValidationError(_("不能停止记录进出：%(uses)s依据这份记录。") % {"uses": in_words(needed)})
