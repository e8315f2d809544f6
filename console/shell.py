"""What surrounds every page: the rail, the search box, the place. scrm/wiring.py fills the registries."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from console.access import ROLES

PRODUCT = "SCRM"
MOST_WAITING = 100

Text = Any  # str or a lazy translation


@dataclass(frozen=True)
class NavItem:
    """A page of the rail. `badge` names the rows that wait there, which are counted; none show nothing.
    `over` names pages that belong under it, though their address does not say so."""

    label: Text
    url_name: str
    icon: str
    roles: tuple[str, ...] = ROLES
    badge: Callable[[HttpRequest], Sequence[QuerySet[Any]]] | None = None
    over: tuple[str, ...] = ()


@dataclass
class NavGroup:
    key: str
    label: Text
    items: list[NavItem] = field(default_factory=list)


NAV: list[NavGroup] = [
    NavGroup("home", _("首页")),
    NavGroup("customers", _("客户")),
    NavGroup("acquisition", _("获客")),
    NavGroup("reach", _("触达")),
    NavGroup("content", _("内容")),
    NavGroup("archive", _("会话")),
    NavGroup("data", _("数据")),
    NavGroup("settings", _("设置")),
]


def add_to_nav(group: str, *items: NavItem) -> None:
    """Put pages at the end of a group of the rail; saying it twice changes nothing."""
    place = next(one for one in NAV if one.key == group)
    place.items.extend(item for item in items if item not in place.items)


@dataclass(frozen=True)
class Hit:
    """A line of the search palette."""

    title: Text
    url: str
    icon: str = "search"
    note: Text = ""


@dataclass(frozen=True)
class Search:
    """A kind of thing that Ctrl+K finds; `find` returns at most `limit` hits that the operator may see."""

    label: Text
    find: Callable[[HttpRequest, str, int], Iterable[Hit]]


SEARCHES: list[Search] = []


@dataclass(frozen=True)
class Link:
    """A page of the rail as one operator sees it now."""

    label: Text
    url: str
    icon: str
    active: bool
    badge: int


@dataclass(frozen=True)
class Section:
    label: Text
    links: list[Link]


def rail(request: HttpRequest) -> list[Section]:
    """The pages that exist and that this operator may open; the longest address leading to here is active."""
    role = getattr(request.user, "role", "")
    found: list[tuple[NavGroup, list[tuple[NavItem, str]]]] = []
    for group in NAV:
        items = [(item, url) for item in group.items if role in item.roles and (url := address(item.url_name))]
        if items:
            found.append((group, items))
    urls = [(url, url) for _group, items in found for _item, url in items]
    urls += [(address(name), url) for _group, items in found for item, url in items for name in item.over]
    leading = [(len(start), url) for start, url in urls if start and leads_to(start, request.path)]
    here = max(leading, default=(0, ""))[1]
    counts = badges(request, [item for _group, items in found for item, _url in items if item.badge])
    return [
        Section(
            group.label,
            [Link(item.label, url, item.icon, url == here, counts.get(item.url_name, 0)) for item, url in items],
        )
        for group, items in found
    ]


def leads_to(url: str, path: str) -> bool:
    """A page below a list lies under it; everything lies under the home page, which is active only by itself."""
    return path == url or (url != address("console:home") and path.startswith(url))


def address(url_name: str) -> str:
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return ""


def trail(sections: list[Section]) -> tuple[Section, Link] | None:
    """The place of the page in the rail, for its breadcrumb."""
    return next(((section, link) for section in sections for link in section.links if link.active), None)


def badges(request: HttpRequest, items: Iterable[NavItem]) -> dict[str, int]:
    """What waits on each page, in one statement for all; nobody reads a number beyond MOST_WAITING."""
    parts: list[tuple[str, str]] = []
    params: list[Any] = []
    for item in items:
        for rows in item.badge(request) if item.badge else ():
            with suppress(EmptyResultSet):
                sql, given = rows.order_by().values("pk")[:MOST_WAITING].query.sql_with_params()
                parts.append((item.url_name, f"(SELECT count(*) FROM ({sql}) waiting)"))  # noqa: S608  # params are apart
                params += given
    if not parts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(sql for _name, sql in parts)}", params)
        counted = cursor.fetchone()
    counts: dict[str, int] = {}
    for (name, _sql), count in zip(parts, counted, strict=True):
        counts[name] = counts.get(name, 0) + count
    return counts


def context(request: HttpRequest) -> dict[str, Any]:
    """Context processor: nothing is computed for a page that does not show the shell."""
    sections: Any = SimpleLazyObject(lambda: rail(request))
    return {
        "product": PRODUCT,
        "rail": sections,
        "trail": SimpleLazyObject(lambda: trail(sections)),
        "company": SimpleLazyObject(lambda: getattr(getattr(request, "tenant", None), "name", "")),
        "can_search": SimpleLazyObject(lambda: bool(SEARCHES)),
        "request_id": getattr(request, "request_id", ""),
    }
