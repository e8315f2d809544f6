"""Who sees whose customers on which page (F38, short), and that another company's rows are not there at all."""

import re

import pytest
from django.utils import timezone

from contacts import bulk
from contacts.models import Customer, Follow, GroupChat
from members.models import Staff
from tenants.models import Job, OutgoingCall, Tenant
from tests.cast import GLOBEX
from tests.pages_of_apps.company import Browser, Company
from tests.people import client_as

ROLES = [
    ("owner", "all", "", {"chen", "wang", "li", "zhao"}),
    ("admin", "subtree", "wang", {"wang", "li"}),
    ("staff", "self", "li", {"li"}),
    ("staff", "self", "", set()),
]


@pytest.fixture
def peopled(company: Company) -> Company:
    """Each has a customer, a group with everybody in it; 共同客户 is shared by li and zhao, lost by li today."""
    for name in company.staff:
        company.add(f"{name}的客户", name, days=0, tags=["门店"])
    company.add("共同客户", "zhao", "li", days=0)
    for name in company.staff:
        company.group(f"{name}的群", name, *company.customers)
    return company


@pytest.mark.parametrize(("role", "scope", "own", "seen"), ROLES)
def test_lists_details_and_search_show_the_range_and_nothing_else(
    peopled: Company, role: str, scope: str, own: str, seen: set[str]
) -> None:
    client = peopled.client(role, scope, own)
    customers = {f"{name}的客户" for name in seen} | ({"共同客户"} if seen & {"li", "zhao"} else set())
    groups = {f"{name}的群" for name in seen}

    listed = client.get("/console/customers/").context["list"]
    assert {str(row) for row in listed.rows} == customers
    assert listed.count == len(customers)
    listed = client.get("/console/groups/").context["list"]
    assert ({str(row) for row in listed.rows}, listed.count) == (groups, len(groups))
    listed = client.get("/console/staff/").context["list"]
    assert ({row.userid for row in listed.rows}, listed.count) == (seen, len(seen))
    listed = client.get("/console/follows/").context["list"]
    assert {row.staff.userid for row in listed.rows} == seen

    for name, customer in peopled.customers.items():
        status = 200 if name in customers else 404
        for tail in ("", "follows/", "timeline/"):
            assert client.get(f"/console/customers/{customer.pk}/{tail}").status_code == status, name
    for name, chat in peopled.groups.items():
        assert client.get(f"/console/groups/{chat.pk}/").status_code == (200 if name in groups else 404)
    for follow in Follow.objects.select_related("staff"):
        status = 200 if follow.staff.userid in seen else 404
        assert client.get(f"/console/follows/{follow.pk}/tags/").status_code == status
        assert client.get(f"/console/follows/{follow.pk}/remark/").status_code == status
        if status == 404:
            tag = peopled.tags["门店"].pk
            assert client.post(f"/console/follows/{follow.pk}/tags/{tag}/drop/").status_code == 404
            assert client.post(f"/console/follows/{follow.pk}/remark/", {"remark": "x"}).status_code == 404

    found = client.get("/console/search/", {"q": "客户"}).content.decode()
    linked = {int(pk) for pk in re.findall(r"/console/customers/(\d+)/", found)}
    assert linked == {peopled.customers[name].pk for name in customers}


@pytest.mark.parametrize(("role", "scope", "own", "seen"), ROLES)
def test_no_page_links_to_a_customer_or_names_a_colleague_out_of_the_range(
    peopled: Company, role: str, scope: str, own: str, seen: set[str]
) -> None:
    client = peopled.client(role, scope, own)
    mine = {customer.pk for customer in Customer.objects.filter(follows__staff__userid__in=seen)}
    pages = ["/console/", "/console/customers/", "/console/follows/", "/console/groups/", "/console/tags/"]
    pages += [f"/console/groups/{chat.pk}/" for chat in GroupChat.objects.filter(owner__userid__in=seen)]
    pages += [f"/console/customers/{pk}/" for pk in mine]

    for url in pages:
        text = client.get(url).content.decode()
        assert {int(pk) for pk in re.findall(r"/console/customers/(\d+)/", text)} <= mine, url
        named = {name for name in peopled.staff if f"员工{name}" in text}
        assert named <= seen, url


@pytest.mark.parametrize(("role", "scope", "own", "seen"), ROLES)
def test_every_number_opens_a_list_of_just_so_many(
    peopled: Company, role: str, scope: str, own: str, seen: set[str]
) -> None:
    half = peopled.follow("共同客户", "li")
    Follow.objects.filter(pk=half.pk).update(ended_at=half.added_at, ended_by="customer")
    bulk.refresh_customers([half.customer_id])
    client = peopled.client(role, scope, own)

    for url in ("/console/", "/console/tags/", "/console/staff/", "/console/welcome/", "/console/trouble/calls/"):
        page = client.get(url)
        if page.status_code == 403:
            continue
        numbers = links_with_numbers(page.content.decode())
        assert numbers or not seen or url not in ("/console/", "/console/staff/"), url
        for target, number in numbers:
            shown = client.get(target).context["list"]
            assert (target, shown.count) == (target, number)


def links_with_numbers(text: str) -> list[tuple[str, int]]:
    """Tiles, chips with a count, and numbers in a table, each with the address it opens."""
    found = []
    for target, inside in re.findall(r'<a [^>]*href="(/console/[^"]*)"[^>]*>(.*?)</a>', text, re.DOTALL):
        number = re.search(r'(?:stat-value">|<b>|<strong>|^)\s*([\d,]+)\s*(?:</|$)', inside)
        if number:
            found.append((target.replace("&amp;", "&"), int(number[1].replace(",", ""))))
    return found


def test_what_is_lost_is_lost_in_the_eyes_of_who_looks(peopled: Company) -> None:
    follow = peopled.follow("共同客户", "li")
    Follow.objects.filter(pk=follow.pk).update(ended_at=timezone.now(), ended_by="customer")
    bulk.refresh_customers([follow.customer_id])
    today = timezone.localdate().isoformat()

    mine = peopled.client("staff", "self", "li").get("/console/customers/", {"lost_from": today}).context["list"]
    all_of_them = peopled.client().get("/console/customers/", {"lost_from": today}).context["list"]

    assert [str(row) for row in mine.rows] == ["共同客户"]
    assert not mine.rows[0].is_friend
    assert all_of_them.count == 0


def test_rows_of_another_company_are_not_there(peopled: Company, globex: Tenant) -> None:
    chat, tag = peopled.groups["li的群"], peopled.tags["门店"]
    customer, follow, person = Customer.objects.first(), Follow.objects.first(), Staff.objects.first()
    job = Job.objects.create(tenant=peopled.tenant, kind="sync", state="running")
    with globex:
        Customer.objects.all().delete()
    stranger = client_as(globex)

    for url in (
        f"/console/customers/{customer.pk}/",
        f"/console/customers/{customer.pk}/follows/",
        f"/console/customers/{customer.pk}/timeline/",
        f"/console/groups/{chat.pk}/",
        f"/console/follows/{follow.pk}/tags/",
        f"/console/follows/{follow.pk}/remark/",
        f"/console/staff/{person.pk}/operator/",
        f"/console/jobs/{job.pk}/",
    ):
        assert stranger.get(url).status_code == 404, url
    assert stranger.post(f"/console/follows/{follow.pk}/tags/{tag.pk}/drop/").status_code == 404
    assert not OutgoingCall.objects.exists()
    assert GLOBEX.name in stranger.get("/console/").content.decode()


def test_a_browser_of_one_company_is_nobody_at_another(peopled: Company, globex: Tenant) -> None:
    browser: Browser = peopled.client()

    answer = browser.get("/console/customers/", headers={"host": "globex.localhost"})

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/console/sign-in/")
