"""JS-SDK tickets are few: one of each kind for all pages and processes, and signatures for our own pages alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tenants import tickets
from tenants.current import main_app
from tenants.models import AccessToken, Tenant
from tests.sandbox_server import Sandbox, forget
from wecom.signature import js_signature


def asked(sandbox: Sandbox) -> tuple[int, int]:
    return len(sandbox.calls("get_jsapi_ticket")), len(sandbox.calls("ticket/get"))


def page_of(tenant: Tenant) -> str:
    return f"http://{tenant.domains.get(is_primary=True).domain}:8000/sidebar/?agent=1"


def test_a_ticket_is_asked_for_once_for_all_processes(sandbox: Sandbox, in_acme: Tenant) -> None:
    signed = []
    for _ in range(4):
        signed += [tickets.sign(page_of(in_acme), "corp"), tickets.sign(page_of(in_acme), "agent")]
        forget()
    assert asked(sandbox) == (1, 1)
    one = signed[0]
    ticket = tickets.ticket(main_app(), "corp")
    assert one.signature == js_signature(ticket, one.nonce, one.timestamp, page_of(in_acme))
    sealed = b"".join(bytes(row.sealed) for row in AccessToken.objects.all())
    assert ticket.encode() not in sealed


@pytest.mark.django_db(transaction=True)
def test_a_crowd_of_pages_makes_one_call(sandbox: Sandbox, acme: Tenant) -> None:
    def open_page(_: int) -> str:
        try:
            with acme:
                forget()
                return tickets.ticket(main_app(), "agent")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as crowd:
        assert len(set(crowd.map(open_page, range(24)))) == 1
    assert asked(sandbox) == (0, 1)


def test_the_fragment_is_not_signed(sandbox: Sandbox, in_acme: Tenant) -> None:
    signed = tickets.sign(page_of(in_acme) + "#tags", "agent")
    ticket = tickets.ticket(main_app(), "agent")
    assert signed.signature == js_signature(ticket, signed.nonce, signed.timestamp, page_of(in_acme))


@pytest.mark.parametrize(
    "address", ["https://evil.example.com/sidebar/", "javascript:alert(1)", "//acme.localhost/", ""]
)
def test_a_strangers_page_is_not_signed(sandbox: Sandbox, in_acme: Tenant, address: str) -> None:
    with pytest.raises(tickets.ForeignAddress):
        tickets.sign(address, "corp")
    assert asked(sandbox) == (0, 0)
