"""A page costs the same number of statements with five rows and with fifteen, or ten and thirty."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.pages_of_apps.company import Browser, Company
from tests.pages_of_apps.test_trouble import call, event

MOST = {  # one of them counts what waits on all pages of the rail
    "/console/": 21,
    "/console/customers/": 13,
    "/console/follows/": 9,
    "/console/groups/": 7,
    "/console/tags/": 9,
    "/console/staff/": 10,
    "/console/trouble/events/": 11,
    "/console/trouble/calls/": 12,
}


def fill(company: Company, start: int, stop: int) -> None:
    for number in range(start, stop):
        name = f"顾客{number}"
        company.add(name, "chen", "wang", tags=["门店", "重要客户"])
        company.group(f"群{number}", "chen", name)
        event(company.tenant, "dead", "ValueError: x")
        call(company.tenant, "dead", context={"follow": company.follow(name, "chen").pk})


def statements(client: Browser, url: str) -> int:
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize(("role", "scope", "own"), [("owner", "all", ""), ("admin", "subtree", "chen")])
def test_no_page_asks_once_for_each_row(company: Company, role: str, scope: str, own: str) -> None:
    client = company.client(role, scope, own)
    fill(company, 0, 5)
    detail = [f"/console/customers/{company.customers['顾客1'].pk}/", f"/console/groups/{company.groups['群1'].pk}/"]
    for url in MOST:
        client.get(url)  # what is remembered for longer than a request
    few = {url: statements(client, url) for url in [*MOST, *detail]}
    fill(company, 5, 15)

    many = {url: statements(client, url) for url in [*MOST, *detail]}

    assert many == few
    more = {"owner": 0, "admin": 16}[role]  # the range of a person is looked up
    assert {url: n for url, n in few.items() if n > MOST.get(url, 13) + more} == {}
