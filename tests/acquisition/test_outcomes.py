"""How fast greetings went out and how many did not: on 待办与异常 and on 欢迎语, each number with its list."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from acquisition.greet import CHAT_HAS_BEGUN
from tenants.models import OutgoingCall, Tenant
from tests.pages import assert_strict
from tests.pages_of_apps.test_trouble import call
from tests.people import add_operator, signed_in

EVENTS, CALLS, WELCOME = "/console/trouble/events/", "/console/trouble/calls/", "/console/welcome/"
NOW = timezone.now()


@pytest.fixture
def manager(in_acme: Tenant) -> Client:
    client = signed_in(in_acme, add_operator(in_acme, "the-admin", "admin"), staying=True)
    connection.set_tenant(in_acme)
    return client


def welcome(tenant: Tenant, state: str, seconds: float = 1, **values: object) -> OutgoingCall:
    context = {"at": (NOW - timedelta(seconds=seconds)).isoformat()}
    return call(tenant, state, purpose="welcome", context=context, finished_at=NOW, **values)


@pytest.fixture
def greeted(in_acme: Tenant) -> Tenant:
    """21 in 1 to 21 seconds, one that was not needed any more, and three that did not go out."""
    for seconds in range(1, 22):
        welcome(in_acme, "ok", seconds)
    welcome(in_acme, "ok", 300, result_code=CHAT_HAS_BEGUN)
    for state in ("dead", "expired", "ignored", "pending"):
        welcome(in_acme, state)
    long_ago = welcome(in_acme, "ok", 5000)
    OutgoingCall.objects.filter(pk=long_ago.pk).update(created_at=NOW - timedelta(days=8))
    call(in_acme, "ok", context={"at": (NOW - timedelta(hours=1)).isoformat()}, finished_at=NOW)  # no greeting
    return in_acme


@pytest.mark.parametrize("address", [EVENTS, CALLS])
def test_the_health_page_tells_p50_p95_and_misses_with_their_lists(
    manager: Client, greeted: Tenant, address: str
) -> None:
    page = manager.get(address)
    assert_strict(page)
    (told,) = page.context["told"]
    half, nearly_all, missed = told.figures
    assert (half.value, nearly_all.value, missed.value) == ("11.0 秒", "20.0 秒", 3)
    for one in told.figures:
        assert one.url.replace("&", "&amp;") in page.content.decode()
    assert manager.get(missed.url).context["list"].count == 3
    sent = manager.get(half.url)
    assert sent.context["list"].count == 22
    assert "用时 21.0 秒" in sent.content.decode()


def test_the_page_of_welcomes_tells_the_same(manager: Client, greeted: Tenant) -> None:
    page = manager.get(WELCOME)
    found = page.context["outcomes"]
    assert (found.sent, found.missed, found.waiting, found.half) == (22, 3, 1, 11.0)
    assert "一半在 11.0 秒内" in page.content.decode()
    assert manager.get(found.waiting_url).context["list"].count == 1


def test_before_the_first_greeting_there_is_no_number(manager: Client, in_acme: Tenant) -> None:
    page = manager.get(EVENTS)
    (told,) = page.context["told"]
    assert [one.value for one in told.figures] == [None, None, 0]
    assert "一半在" not in manager.get(WELCOME).content.decode()
