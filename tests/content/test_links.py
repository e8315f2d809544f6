"""轨迹链接: an opening is recorded, told and shown; nothing of ours is led anywhere else, nor opens anything itself."""

import socket
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.utils import timezone

from contacts.models import Customer, CustomerFacts, Follow, TimelineEntry
from content import links
from content.kinds import clean_url
from content.models import LinkOpen, Material, TrackedLink
from content.signals import link_opened
from tenants import outbox
from tenants.models import OutgoingCall, Tenant
from tests.content.made import material
from tests.pages import faults_of
from tests.people import client_as

TARGET = "https://shop.example.com/spring?id=1"
PHONE = {"HTTP_USER_AGENT": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605 MicroMessenger/8.0"}


@pytest.fixture
def link(follow: Follow) -> TrackedLink:
    links.link_for(material("link"), follow.staff, follow.customer)
    return TrackedLink.objects.select_related("customer", "staff").get()


def opened(client: Client, token: str, *, method: str = "get", **more: Any) -> Any:
    """The customer's browser asks; afterwards the test is in its company again."""
    here = connection.tenant
    answer = getattr(client, method)(f"/t/{token}", **{**PHONE, **more})
    connection.set_tenant(here)
    return answer


def told() -> list[dict[str, Any]]:
    return [outbox.body_of(call) for call in OutgoingCall.objects.filter(purpose="tell").order_by("pk")]


def test_the_same_pair_has_one_address(follow: Follow) -> None:
    spring = material("link")
    first = links.link_for(spring, follow.staff, follow.customer)
    assert links.link_for(spring, follow.staff, follow.customer) == first
    assert links.link_for(spring, follow.staff, None) != first
    assert links.link_for(spring, follow.staff, None) == links.link_for(spring, follow.staff, None)
    assert first.startswith("http://acme.localhost")
    assert len(TrackedLink.objects.all()) == 2


def test_the_page_needs_no_script_to_lead_on(link: TrackedLink, acme_client: Client) -> None:
    answer = opened(acme_client, link.token)
    page = answer.content.decode()

    assert answer.status_code == 200
    assert f'<meta http-equiv="refresh" content="0;url={TARGET}">' in page
    assert f'<a class="landing-go" href="{TARGET}"' in page
    assert '<meta property="og:title" content="春季上新">' in page
    assert "<script" not in page
    assert not faults_of(page)
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store"


def test_an_opening_is_recorded_told_and_shown(link: TrackedLink, acme_client: Client) -> None:
    heard: list[list[int]] = []
    link_opened.connect(lambda open_ids, **_: heard.append(open_ids), weak=False, dispatch_uid="test")
    try:
        opened(acme_client, link.token)
    finally:
        link_opened.disconnect(dispatch_uid="test")

    visit = LinkOpen.objects.get()
    assert heard == [[visit.pk]]
    entry = TimelineEntry.objects.get(kind=TimelineEntry.Kind.LINK_OPENED)
    assert (entry.customer, entry.staff, entry.payload["material"]) == (link.customer, link.staff, "春季上新")
    facts = CustomerFacts.objects.get(customer=link.customer)
    assert facts.last_opened_at == visit.at
    (card,) = told()
    assert card["touser"] == link.staff.userid
    assert "春季上新" in card["textcard"]["description"]
    assert f"/sidebar/customers/{link.customer_id}/" in card["textcard"]["url"]


def test_reading_it_again_is_the_same_visit(link: TrackedLink, acme_client: Client) -> None:
    for _ in range(3):
        opened(acme_client, link.token)
    link.refresh_from_db()
    assert (link.opens, LinkOpen.objects.count(), len(told())) == (3, 1, 1)

    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        opened(acme_client, link.token)
    assert (LinkOpen.objects.count(), len(told())) == (2, 2)


def test_two_phones_are_two_visits_and_one_message(link: TrackedLink) -> None:
    for _ in range(2):
        opened(Client(headers={"host": "acme.localhost"}), link.token)
    assert (LinkOpen.objects.count(), len(told())) == (2, 1)
    assert TimelineEntry.objects.filter(kind="link_opened").count() == 1


def test_a_link_for_many_is_counted_and_tells_nobody(follow: Follow, acme_client: Client) -> None:
    links.link_for(material("link"), follow.staff, None)
    opened(acme_client, TrackedLink.objects.get().token)
    assert (LinkOpen.objects.count(), told()) == (1, [])


@pytest.mark.parametrize(
    "browser",
    [
        {"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Baiduspider/2.0)"},
        {"HTTP_USER_AGENT": "WeChatLinkPreview"},
        {"HTTP_SEC_PURPOSE": "prefetch"},
    ],
)
def test_who_fetches_the_title_is_no_visitor(link: TrackedLink, acme_client: Client, browser: dict[str, str]) -> None:
    assert opened(acme_client, link.token, **browser).status_code == 200
    opened(acme_client, link.token, method="head")
    assert not LinkOpen.objects.exists()


def test_a_colleague_who_looks_at_what_was_sent_is_no_visitor(link: TrackedLink, acme: Tenant) -> None:
    wecom = {"HTTP_USER_AGENT": "Mozilla/5.0 MicroMessenger/7.0.1 wxwork/4.1.36"}
    assert opened(Client(headers={"host": "acme.localhost"}), link.token, **wecom).status_code == 200
    assert opened(client_as(acme, "admin"), link.token).status_code == 200
    assert not LinkOpen.objects.exists()

    Customer.objects.filter(pk=link.customer_id).update(kind=Customer.Kind.WECOM)
    opened(Client(headers={"host": "acme.localhost"}), link.token, **wecom)
    assert LinkOpen.objects.count() == 1


def test_a_thousand_openings_a_minute_are_not_a_thousand_rows(link: TrackedLink) -> None:
    for _ in range(70):
        opened(Client(headers={"host": "acme.localhost"}), link.token)
    link.refresh_from_db()
    assert (link.opens, LinkOpen.objects.count()) == (70, 60)


def test_the_cookie_says_nothing_of_the_person(link: TrackedLink, acme_client: Client) -> None:
    cookie = opened(acme_client, link.token).cookies["scrm_visitor"]
    assert len(cookie.value) == 32
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/t/", True, "Lax")
    acme_client.cookies["scrm_visitor"] = "x" * 5000
    assert opened(acme_client, link.token).status_code == 200


def test_another_company_has_no_such_link(link: TrackedLink, globex_client: Client) -> None:
    assert opened(globex_client, link.token).status_code == 404
    assert not LinkOpen.objects.exists()


def test_an_unknown_link_is_not_found(in_acme: Tenant, acme_client: Client) -> None:
    assert opened(acme_client, "nonsense").status_code == 404


# -- F44: nobody is led elsewhere --------------------------------------------------------------------------------------

ELSEWHERE = ["url", "next", "target", "redirect", "u", "to", "return", "goto"]
EVIL = ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "https:evil.example"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_no_parameter_leads_elsewhere(name: str, link: TrackedLink, acme_client: Client) -> None:
    for evil in EVIL:
        answer = acme_client.get(f"/t/{link.token}", {name: evil}, **PHONE)
        assert "evil" not in answer.content.decode()
        assert "Location" not in answer
    for tail in ("//evil.example", "/https://evil.example", "%2f%2fevil.example", "/..//evil.example"):
        assert acme_client.get(f"/t/{link.token}{tail}", **PHONE).status_code == 404


def test_a_material_that_is_no_link_leads_nowhere(link: TrackedLink, acme_client: Client) -> None:
    Material.objects.update(body={"url": "javascript:alert(1)"})
    assert opened(acme_client, link.token).status_code == 404
    Material.objects.update(kind="text")
    assert opened(acme_client, link.token).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "shop.example.com",
            "//shop.example.com",
            "ftp://shop.example.com",
            "javascript:alert(1)",
            "data:text/html,x",
        ),
        *(
            "https://",
            "https:///x",
            "https://a b.com",
            "https://shop.example.com\\@evil.com",
            "https://u:p@shop.example.com",
        ),
        *("https://shop.example.com/\r\nX: 1", "https://localhost/", 'https://a.com/"><script>', "https://a.com:port/"),
        "https://a.com/" + "x" * 2048,
    ],
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        clean_url(url)


def test_what_stands_in_a_title_stays_text(link: TrackedLink, acme_client: Client) -> None:
    Material.objects.update(title='"><script>alert(1)</script>', body={"url": "https://a.com/?x='&y=<b>", "desc": '"'})
    page = opened(acme_client, link.token).content.decode()
    assert "<script>" not in page
    assert "&lt;b&gt;" in page


# -- F43: we open nothing ----------------------------------------------------------------------------------------------

PRIVATE = [
    *(
        "http://127.0.0.1.nip.io/",
        "http://10.0.0.1/",
        "http://192.168.1.1:8080/",
        "http://169.254.169.254/latest/meta-data/",
    ),
    *("http://metadata.google.internal/", "http://127.1.1.1/", "http://0x7f.0.0.1/", "http://[::ffff:127.0.0.1.]/"),
    *("http://2130706433.example.com/", "https://rebind.example.com/", "http://0177.0.0.1/", "http://100.100.100.200/"),
]


@pytest.mark.parametrize("url", PRIVATE)
def test_an_address_given_by_a_person_is_never_opened_by_us(
    url: str, follow: Follow, acme_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[Any] = []
    known = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: reached.append(host) or known(host, *rest, **more)
    )
    try:
        made = material("link", url=url)
    except ValidationError:
        return
    links.link_for(made, follow.staff, follow.customer)

    assert opened(acme_client, TrackedLink.objects.get().token).status_code == 200

    assert not [host for host in reached if str(host) in url]


def test_a_customer_is_not_needed_any_more_once_deleted(link: TrackedLink, acme_client: Client) -> None:
    Customer.objects.filter(pk=link.customer_id).update(active_follows=0, lost_at=timezone.now())
    assert opened(acme_client, link.token).status_code == 200
