"""Every address of the console × who asks → what they get. An address that is missing here fails."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tenants.models import Tenant
from tests.console.doors import DOORS, OPEN
from tests.people import client_as


def views_of(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        place = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views_of(pattern, place)
        elif place.startswith("console/"):
            yield place, pattern


CONSOLE = dict(views_of(get_resolver("scrm.urls")))


def test_every_address_says_who_may_enter() -> None:
    undecided = [place for place, pattern in CONSOLE.items() if not hasattr(pattern.callback, "allowed_roles")]

    assert sorted(undecided) == sorted(OPEN)


def test_every_address_stands_in_the_table() -> None:
    said = {place: getattr(pattern.callback, "allowed_roles", None) for place, pattern in CONSOLE.items()}

    assert {place: roles for place, roles in said.items() if place not in OPEN} == DOORS


@pytest.mark.parametrize("place", sorted(DOORS))
def test_who_is_not_signed_in_gets_the_sign_in(acme_client: Client, place: str) -> None:
    answers = [method(address(place)) for method in (acme_client.get, acme_client.post)]

    assert {answer.status_code for answer in answers} <= {302, 405}
    entered = [answer.headers["Location"] for answer in answers if answer.status_code == 302]
    assert entered
    assert all(where.startswith("/console/sign-in/") for where in entered)


@pytest.mark.parametrize("role", ["owner", "admin", "staff"])
def test_a_role_enters_its_own_pages_and_no_others(acme: Tenant, role: str) -> None:
    client = client_as(acme, role)

    for place, roles in DOORS.items():
        if role in roles:
            status = client.get(address(place)).status_code
            assert status in {200, 302, 404, 405}, f"{role} {place}: {status}"
        else:
            answers = {client.get(address(place)).status_code, client.post(address(place)).status_code}
            assert answers - {405} == {403}, f"{role} {place}: {answers}"


def address(place: str) -> str:
    """Of the pattern with keys that nothing has."""
    parts = {"<uuid:": "00000000-0000-0000-0000-000000000000", "<int:": "999999", "<": "nothing"}
    pieces = []
    for piece in place.split("/"):
        value = next((value for start, value in parts.items() if start in piece), None)
        pieces.append(piece if value is None else value)
    return "/" + "/".join(pieces)
