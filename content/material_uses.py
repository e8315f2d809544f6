"""What holds a material, told by scripts and by the rooms above: no message loses it unawares."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.uses import Hold, Use, most_held_first
from content.models import ScriptMaterial

USES: list[Callable[[Collection[int], Any], Iterable[tuple[int, Use]]]] = []
"""By the materials' numbers and the operator who asks; each use with its material. Filled by scrm/wiring.py."""


def uses_of(materials: Collection[int], operator: Any) -> dict[int, list[Use]]:
    """Those that are used, each with what holds it most first."""
    found: dict[int, list[Use]] = {}
    for ask in (uses_in_scripts, *USES) if materials else ():
        for pk, use in ask(materials, operator):
            found.setdefault(pk, []).append(use)
    return {pk: most_held_first(uses) for pk, uses in found.items()}


def uses_in_scripts(materials: Collection[int], operator: Any) -> Iterable[tuple[int, Use]]:
    rows = ScriptMaterial.objects.filter(material__in=materials, script__archived_at=None).select_related("script")
    for row in rows.order_by("script__title"):
        url = reverse("content:script", args=[row.script_id])
        yield row.material_id, Use(_("话术"), row.script.title, _("在用"), url, Hold.DRAFT)


def holding(materials: Collection[int]) -> Q:
    """The rows whose column `content` holds one of these."""
    return reduce(or_, (Q(content__materials__contains=[pk]) for pk in materials))


def held_by(content: Mapping[str, Any], materials: Collection[int]) -> Iterable[int]:
    return [pk for pk in content.get("materials", ()) if pk in materials]
