"""A write that is repeated with its key is done once and answered the same."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from integrations.models import IdempotentRequest
from tenants.models import OutgoingCall, Tenant
from tests.integrations.caller import Caller


def post(api: Caller, customer: str, body: Any, key: str) -> Any:
    return api.post(f"customers/{customer}/tags", body, idempotency_key=key)


def test_a_repeat_is_answered_the_same_and_does_nothing(api: Caller, customer: str, vip: str) -> None:
    first = post(api, customer, {"add": [vip]}, "order-1")
    again = post(api, customer, {"add": [vip]}, "order-1")

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first and again["Idempotent-Replayed"] == "true"
    assert OutgoingCall.objects.count() == 1


def test_another_key_and_no_key_are_other_writes(api: Caller, customer: str, vip: str) -> None:
    ids = [post(api, customer, {"add": [vip]}, key).json()["id"] for key in ("a", "b")]
    ids += [api.post(f"customers/{customer}/tags", {"add": [vip]}).json()["id"] for _ in range(2)]
    assert len(set(ids)) == 4


def test_the_key_with_another_body_or_address_is_422(api: Caller, customer: str, vip: str) -> None:
    post(api, customer, {"add": [vip]}, "order-1")
    for path, body in ((customer, {"remove": [vip]}), ("wmOther", {"add": [vip]})):
        response = post(api, path, body, "order-1")
        assert (response.status_code, response.json()["code"]) == (422, "key_reused")
    assert OutgoingCall.objects.count() == 1


def test_a_refused_write_may_be_repeated_mended(api: Caller, customer: str, vip: str) -> None:
    assert post(api, customer, {"add": ["etNone"]}, "order-1").status_code == 400
    assert post(api, customer, {"add": [vip]}, "order-1").status_code == 202


@pytest.mark.parametrize("key", ["x" * 129, "订单", "a\x00b", "a\tb"])
def test_a_key_that_is_none_is_400(api: Caller, customer: str, vip: str, key: str) -> None:
    response = api.client.post(
        f"/api/v1/customers/{customer}/tags",
        {"add": [vip]},
        content_type="application/json",
        headers={"host": api.host, "authorization": f"Bearer {api.key}"},
        HTTP_IDEMPOTENCY_KEY=key,
    )
    assert response.status_code == 400
    assert list(response.json()["field_errors"]) == ["Idempotency-Key"]


def test_a_key_alone_opens_nothing(api: Caller, customer: str, vip: str) -> None:
    post(api, customer, {"add": [vip]}, "order-1")
    api.key = "wrong"
    assert post(api, customer, {"add": [vip]}, "order-1").status_code == 401


def test_repeats_count_against_the_rate(api: Caller, customer: str, vip: str, settings: Any) -> None:
    settings.API_RATE = "2/min"
    assert [post(api, customer, {"add": [vip]}, "a").status_code for _ in range(3)] == [202, 202, 429]


def test_two_api_keys_have_their_own(api: Caller, customer: str, vip: str, acme: Tenant) -> None:
    second = Caller.of(acme)
    ids = {post(caller, customer, {"add": [vip]}, "a").json()["id"] for caller in (api, second)}
    assert len(ids) == 2


@pytest.mark.usefixtures("db_commits")
def test_fifty_at_once_are_one_write_and_fifty_same_answers(api: Caller, customer: str, vip: str) -> None:
    def one(_: int) -> tuple[int, Any]:
        try:
            response = post(Caller(api.host, api.key), customer, {"add": [vip]}, "burst")
            return response.status_code, response.json()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(25) as threads:
        answers = list(threads.map(one, range(50)))

    assert answers == [answers[0]] * 50
    assert answers[0][0] == 202
    assert OutgoingCall.objects.count() == 1


def test_answers_are_forgotten_after_a_week(api: Caller, customer: str, vip: str, acme: Tenant) -> None:
    for key in ("old", "new"):
        post(api, customer, {"add": [vip]}, key)
    with acme:
        IdempotentRequest.objects.filter(key="old").update(created_at=timezone.now() - timedelta(days=8))

    assert IdempotentRequest.forget_old() == 1

    with acme:
        assert [one.key for one in IdempotentRequest.objects.all()] == ["new"]
