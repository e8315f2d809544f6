"""Lists: pages by key, honest counts, filters in the address, and what a made-up address gets."""

import base64
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Operator
from console import lists
from console.keyset import paginate
from console.models import AuditEntry
from tenants.models import Tenant
from tests.people import add_operator, client_as

URL = "/console/audit/"


def write(count: int, **values: str) -> None:
    """Entries of which three share each moment."""
    now = timezone.now()
    rows = AuditEntry.objects.bulk_create(
        AuditEntry(**{"actor": "wang", "action": "session.sign_in", "target": f"t{number:03}", **values})
        for number in range(count)
    )
    for number, row in enumerate(rows):
        row.at = now - timedelta(microseconds=number // 3)
    AuditEntry.objects.bulk_update(rows, ["at"])


def walk(client: Client, url: str, link: str) -> list[list[str]]:
    """The targets of page after page, until there is no further link."""
    pages = []
    while url:
        shown = client.get(url).context["list"]
        pages.append([row.target for row in shown.rows])
        further = getattr(shown, link)
        url = URL + further if further else ""
    return pages


@pytest.mark.parametrize("sort", ["-at", "at"])
def test_every_row_stands_on_exactly_one_page(acme: Tenant, sort: str) -> None:
    client = client_as(acme)
    with acme:
        write(95)

    pages = walk(client, f"{URL}?sort={sort}", "next_url")

    assert [len(page) for page in pages] == [30, 30, 30, 5]
    seen = [target for page in pages for target in page]
    assert len(set(seen)) == 95


def test_going_back_shows_the_same_pages(acme: Tenant) -> None:
    client = client_as(acme)
    with acme:
        write(95)
    forward = walk(client, URL, "next_url")
    url = URL
    for _page in forward[1:]:
        url = URL + client.get(url).context["list"].next_url

    assert walk(client, url, "previous_url") == forward[::-1]


def test_rows_that_arrive_meanwhile_move_nothing(acme: Tenant) -> None:
    client = client_as(acme)
    with acme:
        write(60)
    first = client.get(URL).context["list"]
    with acme:
        write(10, actor="li")

    second = client.get(URL + first.next_url).context["list"]

    assert not {row.pk for row in first.rows} & {row.pk for row in second.rows}
    assert len(second.rows) == 30


@pytest.mark.parametrize("order", ["last_login", "-last_login"])
def test_rows_without_a_value_are_paged_too(acme: Tenant, order: str) -> None:
    for number in range(9):
        login = timezone.now() - timedelta(days=number) if number % 2 else None
        add_operator(acme, f"op{number}", "staff", last_login=login)
    with acme:
        seen, cursor = [], ""
        while True:
            page = paginate(Operator.objects.all(), order, cursor, 2)
            seen += page.rows
            cursor = page.next
            if not cursor:
                break
        assert [row.pk for row in seen] == [
            row.pk for row in Operator.objects.order_by(order, order.replace("last_login", "pk"))
        ]


def cursor_of(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "你好",
        "A" * 5000,
        cursor_of("-at", False, "not a time", 1),
        cursor_of("-at", False, {"a": 1}, 1),
        cursor_of("-at", False, "2026-01-01T00:00:00Z", "x"),
        cursor_of("-at", False, "2026-01-01T00:00:00Z", None),
        cursor_of("at", False, "2026-01-01T00:00:00Z", 1),
        cursor_of("-password", False, "2026-01-01T00:00:00Z", 1),
        cursor_of(1, 2),
        cursor_of("-at", False, "2026-01-01T00:00:00Z", 10**30),
        "W1tbW1tb" * 200,
    ],
)
def test_a_made_up_cursor_shows_the_first_page(acme: Tenant, cursor: str) -> None:
    client = client_as(acme)
    with acme:
        write(3)

    response = client.get(URL, {"cursor": cursor})

    assert response.status_code == 200
    assert len(response.context["list"].rows) == 3


@pytest.mark.parametrize("sort", ["password", "-detail", "at__year", "pk", "'", "--at"])
def test_only_the_columns_on_offer_sort(acme: Tenant, sort: str) -> None:
    client = client_as(acme)

    assert client.get(URL, {"sort": sort}).context["list"].order == "-at"


def test_a_filter_that_makes_no_sense_is_named_and_filters_nothing(acme: Tenant) -> None:
    client = client_as(acme)
    with acme:
        write(2)

    for day in ("9999-12-31", "0001-01-01"):
        assert client.get(URL, {"since": day, "until": day}).context["list"].count == 2
    response = client.get(URL, {"since": "yesterday", "action": "nonsense"})

    assert len(response.context["list"].rows) == 2
    assert 'aria-invalid="true"' in response.content.decode()


def test_the_count_is_exact_and_beyond_the_limit_says_so(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_as(acme)
    with acme:
        write(40)
    assert "共 <strong>40</strong>" in client.get(URL).content.decode()

    monkeypatch.setattr(lists, "COUNT_UP_TO", 35)

    assert "35+" in client.get(URL).content.decode()


def test_a_picked_filter_can_be_taken_off_and_the_address_stays_short(acme: Tenant) -> None:
    client = client_as(acme)
    with acme:
        write(2)

    shown = client.get(URL, {"q": "wang", "action": "session.sign_in", "since": "", "sort": "at"}).context["list"]

    assert shown.here == "?q=wang&action=session.sign_in&sort=at"
    assert [(str(pick.label), pick.value, pick.without) for pick in shown.picks] == [
        ("操作人或对象", "wang", "?action=session.sign_in&sort=at"),
        ("操作", "登录", "?q=wang&sort=at"),
    ]


def test_htmx_gets_the_table_only_and_the_address_for_the_bar(acme: Tenant) -> None:
    client = client_as(acme)

    response = client.get(f"{URL}?q=&action=session.sign_in", headers={"HX-Request": "true", "HX-Target": "list"})

    assert "<html" not in response.content.decode()
    assert response.headers["HX-Push-Url"] == "/console/audit/?action=session.sign_in"
    assert "HX-Request" in response.headers["Vary"]
    assert "no-store" in response.headers["Cache-Control"]


def test_nothing_found_differs_from_nothing_there(acme: Tenant) -> None:
    client = client_as(acme)

    assert "还没有操作记录" in client.get(URL).content.decode()
    assert "没有符合条件的内容" in client.get(URL, {"q": "zzz"}).content.decode()
