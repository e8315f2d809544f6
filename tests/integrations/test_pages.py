"""Pages by a key: whatever is inserted meanwhile, no row is skipped and none comes twice."""

import base64
import json

import pytest
from django.utils import timezone

from contacts.models import Customer, Follow
from members.models import Staff
from tenants.models import Tenant
from tests.integrations.caller import Caller
from tests.integrations.test_filters import on


def add_customers(first: int, count: int) -> None:
    staff, _ = Staff.objects.get_or_create(userid="zhang", userid_key="zhang")
    rows = Customer.objects.bulk_create(
        [Customer(external_userid=f"wm{number:04}", first_added_at=on(1)) for number in range(first, first + count)]
    )
    Follow.objects.bulk_create([Follow(customer=row, staff=staff, added_at=on(1)) for row in rows])


@pytest.mark.parametrize("query", [{}, {"updated_after": "2020-01-01"}])
def test_500_rows_by_sevens_while_others_come_in(api: Caller, acme: Tenant, query: dict[str, str]) -> None:
    with acme:
        add_customers(0, 500)
        expected = set(Customer.objects.values_list("external_userid", flat=True))
    seen: list[str] = []
    after, pages = "", 0
    while after is not None:
        page = api.get("customers", limit=7, **query, **({"after": after} if after else {}))
        seen += [one["external_userid"] for one in page["data"]]
        after, pages = page["next"], pages + 1
        if pages in {3, 40}:
            with acme:
                add_customers(1000 * pages, 5)
        if pages == 10:
            with acme:
                Customer.objects.filter(external_userid="wm0499").update(updated_at=timezone.now())

    assert expected <= set(seen)
    assert len(set(seen)) == 510
    if not query:
        assert len(seen) == 510, "a row came twice"


def test_a_page_that_is_just_full_is_the_last(api: Caller, acme: Tenant) -> None:
    with acme:
        add_customers(0, 4)
    assert api.get("customers", limit=4)["next"] is None
    assert [len(page) for page in api.pages("customers", limit=2)] == [2, 2]
    assert api.get("groups") == {"data": [], "next": None}


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "１", "9" * 40, "+5"])
def test_a_limit_outside_1_to_200_is_refused(api: Caller, limit: str) -> None:
    response = api.ask("GET", "customers", query={"limit": limit})
    assert response.status_code == 400
    assert "limit" in response.json()["field_errors"]


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "???",
        "é",
        "[1]",
        cursor(),
        cursor(1, 2),
        cursor("1"),
        cursor(True),
        cursor(1.5),
        cursor(None),
        cursor([1]),
        cursor("2026-01-01T00:00:00+08:00", 5),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
    ],
)
def test_a_cursor_that_we_did_not_give_is_refused(api: Caller, after: str) -> None:
    response = api.ask("GET", "customers", query={"after": after})
    assert response.status_code == 400
    assert "after" in response.json()["field_errors"]


@pytest.mark.parametrize("values", [("2026-01-01T00:00:00", 5), ("x", 5), (5, 5), ("2026-01-01T00:00:00+08:00", "x")])
def test_a_cursor_of_times_is_checked_too(api: Caller, values: tuple[object, ...]) -> None:
    response = api.ask("GET", "customers", query={"after": cursor(*values), "updated_after": "2020-01-01"})
    assert response.status_code == 400


@pytest.mark.parametrize("number", [10**30, -(10**30), 0, -1])
def test_a_number_outside_of_all_ids_is_the_end_or_the_beginning(api: Caller, acme: Tenant, number: int) -> None:
    with acme:
        add_customers(0, 2)
    assert len(api.get("customers", after=cursor(number))["data"]) == (0 if number > 0 else 2)
