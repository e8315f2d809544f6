"""How materials are drawn: their picture or the mark of their kind, sizes, signed addresses."""

from typing import Any

from django import template

from console.lists import Shown
from content.kinds import size_in_words
from content.models import Material, StoredFile
from content.reading import SHOWN_INLINE
from content.reading import file_url as address

register = template.Library()

MARKS: dict[str, str] = {
    Material.Kind.TEXT: "message-2",
    Material.Kind.IMAGE: "photo",
    Material.Kind.LINK: "link",
    Material.Kind.FILE: "file",
    Material.Kind.VIDEO: "video",
    Material.Kind.MINIPROGRAM: "device-mobile",
}


@register.filter
def file_url(file: StoredFile | None) -> str:
    return address(file) if file else ""


@register.filter
def file_size(size: int | None) -> str:
    return size_in_words(size) if size else ""


@register.filter
def mark(kind: str) -> str:
    return MARKS.get(kind, "file")


@register.inclusion_tag("content/_thumb.html")
def thumb(material: Material) -> dict[str, Any]:
    """A small square: the picture itself, or the mark of the kind."""
    file = material.file
    picture = address(file) if file and file.mime in SHOWN_INLINE and file.mime.startswith("image/") else ""
    return {"picture": picture, "icon": MARKS.get(material.kind, "file"), "kind": material.kind}


@register.simple_tag
def without_view(shown: Shown) -> str:
    """The same list as cards."""
    return shown.query(without="view")


@register.simple_tag
def with_view(shown: Shown) -> str:
    return shown.query(view="list")
