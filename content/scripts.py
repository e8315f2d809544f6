"""话术: kept, found by any two characters, and counted when used."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from contacts.search import ZhBigrams
from content import messages
from content.models import Folder, Material, Script, ScriptMaterial

MOST = 5_000


def living() -> QuerySet[Script]:
    return Script.objects.filter(archived_at=None)


def content_of(script: Script) -> dict[str, Any]:
    """A script as a message: what the sidebar sends."""
    parts = script.parts.order_by("order", "pk").values_list("material_id", flat=True)
    return {"text": script.text, "materials": list(parts)}


def search(rows: QuerySet[Script], term: str) -> QuerySet[Script]:
    """Text or title holds the term. From two characters on by the index; hits in the title come first."""
    term = " ".join(term.split())
    if not term:
        return rows
    in_text = Q(text__icontains=term)
    if any(char.isalnum() for char in term):
        in_text &= Q(grams__zh=term)  # by index; the comparison makes it exact
    rank = Case(When(title__icontains=term, then=Value(0)), default=Value(1), output_field=IntegerField())
    return rows.alias(grams=ZhBigrams("text")).filter(in_text | Q(title__icontains=term)).annotate(rank=rank)


def best(term: str = "", *, folder: Folder | None = None, limit: int = 30) -> list[Script]:
    """For the sidebar: what matches, the most used first."""
    rows = search(living(), term)
    if folder is not None:
        rows = rows.filter(folder=folder)
    order = ["rank", "-uses", "-pk"] if term.strip() else ["-uses", "order", "-pk"]
    return list(rows.order_by(*order).prefetch_related("parts__material")[:limit])


@transaction.atomic
def save(script: Script, *, title: str, content: dict[str, Any], folder: Folder | None = None) -> Script:
    """New or changed; the content was cleaned for the sidebar, from which scripts are sent."""
    cleaned = messages.clean(content, use="sidebar")
    if script.pk is None and living().count() >= MOST:
        raise ValidationError(_("话术已达 5,000 条，请先清理不用的话术"))
    script.title, script.text, script.folder = " ".join(title.split()), cleaned["text"], folder
    script.save()
    _attach(script, cleaned["materials"])
    messages.want(cleaned)
    return script


def _attach(script: Script, materials: Sequence[int]) -> None:
    ScriptMaterial.objects.filter(script=script).exclude(material__in=materials).delete()
    known = Material.objects.in_bulk(materials)
    rows = [
        ScriptMaterial(script=script, material=known[pk], order=place)
        for place, pk in enumerate(materials)
        if pk in known
    ]
    ScriptMaterial.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["script", "material"], update_fields=["order"]
    )
