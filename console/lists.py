"""A list page said once: columns, filters, keyset pages, an honest count, and what to do when there is nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from console.access import asked_by_htmx
from console.forms import KitForm
from console.keyset import Page, paginate

COUNT_UP_TO = 10_000
PAGE_SIZE = 30
ROWS = _("条")
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)
Text = Any  # str or a lazy translation


class Filters(KitForm):
    """The filters of a list: a GET form. A value that makes no sense is named beside its field and filters nothing."""

    searched_by: str = ""  # the name of the text field shown as the search box
    more: tuple[str, ...] = ()  # fields behind "更多筛选"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "filter_%s", **kwargs})  # a form in the drawer may have the same fields
        for one in self.fields.values():
            one.required = False
            if isinstance(one, forms.DateField):  # the day after the last there is cannot be asked for
                one.validators += [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]
        if self.searched_by:
            widget = self.fields[self.searched_by].widget
            widget.input_type = "search"  # type: ignore[attr-defined]
            widget.attrs.setdefault("placeholder", self.fields[self.searched_by].label)
        if self.searched_by:
            box = self.fields[self.searched_by]
            box.widget.input_type = "search"
            box.widget.attrs.setdefault("placeholder", box.label)

    use_required_attribute = False

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        """`values` are the given and valid ones only."""
        raise NotImplementedError

    @property
    def given(self) -> dict[str, Any]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if is_given(value)}

    def in_words(self, name: str, value: Any) -> str:
        choices = getattr(self.fields[name], "choices", None)
        if choices is None or isinstance(self.fields[name], forms.ModelChoiceField):
            return ", ".join(map(str, value)) if is_many(value) else str(value)
        words = {str(key): str(label) for key, label in flat(choices)}
        return ", ".join(words.get(str(one), str(one)) for one in (value if is_many(value) else [value]))


@dataclass(frozen=True)
class Pick:
    """A filter that is set: in words, and the address of the list without it."""

    label: Text
    value: str
    without: str


@dataclass(frozen=True)
class Column:
    """A head of the table. `sort` is the field it sorts by; `kind`: number, time, actions, wide (not on a phone)."""

    label: Text
    sort: str = ""
    kind: str = ""  # several with a space between them

    @property
    def classes(self) -> str:
        return " ".join(f"grid-{kind}" for kind in self.kind.split())


@dataclass(frozen=True)
class Empty:
    """What a list says while it has never had a row: why, and what to do first."""

    title: Text
    text: Text = ""
    action: Text = ""
    url_name: str = ""
    picture: str = "list"  # console/pictures/<picture>.svg


@dataclass(frozen=True)
class ListPage:
    """A list. `row` is the template of the cells of a row; `order` the sort when none is asked, "-" descending."""

    title: Text
    columns: tuple[Column, ...]
    row: str
    order: str
    unit: Text = ROWS
    help: Text = ""
    filters: Callable[..., Filters] | None = None
    row_url: Callable[[Any], str] | None = None
    drawer: bool = False  # the row opens beside the list instead of leaving it
    empty: Empty = field(default_factory=lambda: Empty(_("还没有内容")))
    bulk: str = ""  # template of the buttons for the selected rows
    template: str = "console/list.html"
    page_size: int = PAGE_SIZE

    def respond(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        *,
        fresh_at: datetime | None = None,
        prepare: Callable[[list[Any]], Iterable[Any]] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        """The page, or its table for htmx. `rows`: what the operator may see; `prepare` adds to those of one page."""
        shown = self.read(request, rows, prepare)
        partial = asked_by_htmx(request) and request.headers.get("HX-Target") == "list"
        values = {"list": shown, "page": self, "fresh_at": fresh_at, **(context or {})}
        response = render(request, "console/kit/table.html" if partial else self.template, values)
        if partial:  # the address bar gets the short form, without the empty fields of the form
            response["HX-Push-Url"] = request.path + shown.here
        return response

    def read(
        self, request: HttpRequest, rows: QuerySet[Any], prepare: Callable[[list[Any]], Iterable[Any]] | None = None
    ) -> "Shown":
        filters = self.filters(request.GET) if self.filters else None
        given = filters.given if filters else {}
        matching = filters.apply(rows, given) if filters and given else rows
        order = self.asked_order(request.GET.get("sort", ""))
        page = paginate(matching, order, request.GET.get("cursor", ""), self.page_size)
        found = list(prepare(page.rows)) if prepare else page.rows
        count = len(page.rows) if page.is_whole else matching.order_by().values("pk")[: COUNT_UP_TO + 1].count()
        return Shown(self, request, filters, page, found, order, count, filtered=bool(given))

    def asked_order(self, asked: str) -> str:
        return asked if asked.removeprefix("-") in {one.sort for one in self.columns if one.sort} else self.order


@dataclass(frozen=True)
class Heading:
    column: Column
    url: str = ""
    direction: str = ""  # "ascending" | "descending", as ARIA says it


@dataclass
class Shown:
    """One answer of a list: the rows of a page and the addresses around it."""

    page: ListPage
    request: HttpRequest
    filters: Filters | None
    keyset: Page
    rows: list[Any]
    order: str
    count: int
    filtered: bool

    @property
    def more_than_counted(self) -> bool:
        return self.count > COUNT_UP_TO

    @property
    def count_shown(self) -> int:
        return min(self.count, COUNT_UP_TO)

    @property
    def picks(self) -> list[Pick]:
        if self.filters is None:
            return []
        return [
            Pick(self.filters[name].label, self.filters.in_words(name, value), self.query(without=name))
            for name, value in self.filters.given.items()
        ]

    @property
    def search_field(self) -> Any:
        return self.filters[self.filters.searched_by] if self.filters and self.filters.searched_by else None

    @property
    def first_fields(self) -> list[Any]:
        apart = {*self.filters.more, self.filters.searched_by} if self.filters else set()
        return [one for one in self.filters or () if one.name not in apart and not one.is_hidden]

    @property
    def more_fields(self) -> list[Any]:
        return [self.filters[name] for name in self.filters.more] if self.filters else []

    @property
    def more_picked(self) -> int:
        return sum(name in self.filters.given for name in self.filters.more) if self.filters else 0

    @property
    def items(self) -> list[tuple[Any, str]]:
        return [(row, self.page.row_url(row) if self.page.row_url else "") for row in self.rows]

    @property
    def headings(self) -> list[Heading]:
        return [self.heading(column) for column in self.page.columns]

    def heading(self, column: Column) -> Heading:
        if not column.sort:
            return Heading(column)
        if self.order.removeprefix("-") != column.sort:
            return Heading(
                column,
                self.query(sort=f"-{column.sort}" if {"number", "time"} & set(column.kind.split()) else column.sort),
            )
        if self.order.startswith("-"):
            return Heading(column, self.query(sort=column.sort), "descending")
        return Heading(column, self.query(sort=f"-{column.sort}"), "ascending")

    def query(self, *, without: str = "", **extra: str) -> str:
        """The address of this list: only what is set, so that it can be shared."""
        data = self.request.GET.copy()
        for name in [without, "cursor", *(name for name in data if not data.get(name))]:
            data.pop(name, None)
        for name, value in extra.items():
            data[name] = value
        return f"?{data.urlencode()}" if data else ""

    @property
    def here(self) -> str:
        cursor = self.request.GET.get("cursor")
        return self.query(cursor=cursor) if cursor else self.query()

    @property
    def previous_url(self) -> str:
        return self.query(cursor=self.keyset.previous) if self.keyset.previous else ""

    @property
    def next_url(self) -> str:
        return self.query(cursor=self.keyset.next) if self.keyset.next else ""

    @property
    def first_url(self) -> str:
        return self.request.path + self.query() if self.keyset.previous else ""


def is_given(value: Any) -> bool:
    return len(value) > 0 if is_many(value) or isinstance(value, str) else value not in (None, False)


def is_many(value: Any) -> bool:
    return isinstance(value, list | tuple | set | QuerySet)


def flat(choices: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    for key, label in choices:
        if isinstance(label, list | tuple):
            yield from flat(label)
        else:
            yield key, label
