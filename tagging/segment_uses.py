"""What a 人群包 is used for, told by the rooms above: what would stop without it cannot lose it unawares."""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from console.uses import Hold, Use, in_words, most_held_first
from tagging.models import Segment

USES: list[Callable[[int, Any], Iterable[Use]]] = []
"""By the segment's number and the operator who asks, or None; filled by scrm/wiring.py."""


def uses_of(segment: Segment, operator: Any = None) -> list[Use]:
    return most_held_first(use for ask in USES for use in ask(segment.pk, operator))


def refuse_if_needed(segment: Segment) -> None:
    """Raises ValidationError that names what has to end first."""
    if needed := [use for use in uses_of(segment) if use.hold == Hold.NEEDED]:
        raise ValidationError(
            _("人群包正在使用，不能删除：%(uses)s。请先停用、取消或改用其他人群包。") % {"uses": in_words(needed)}
        )


def refuse_if_watched(segment: Segment) -> None:
    if needed := [use for use in uses_of(segment) if use.watches and use.hold == Hold.NEEDED]:
        raise ValidationError(_("不能停止记录进出：%(uses)s依据这份记录。") % {"uses": in_words(needed)})
