"""Every error has one shape, says in both languages what is wrong, and names the request."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from rest_framework.exceptions import ErrorDetail, ValidationError

from contacts.models import Customer
from integrations.errors import as_api_error
from integrations.models import ApiKey
from tenants.models import Tenant
from tests.integrations.caller import BASE, Caller
from tests.integrations.test_filters import on

FIELDS = {"code", "message", "message_en", "field_errors", "request_id"}


def told(response: HttpResponse, status: int, code: str) -> Any:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert body.keys() == FIELDS
    assert body["message"] and body["message_en"]
    assert body["request_id"] == response["X-Request-ID"]
    return body


# -- who calls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer sk_00000000_" + "x" * 43,
        "Basic YTpi",
        "Bearer sk_\x00_x",
        "Bearer sk_é_x",
        "Bearer a b c",
    ],
)
@pytest.mark.parametrize("path", ["staff", "customers/wmX", "nothing/here"])
def test_without_a_valid_key_it_is_401(acme: Tenant, acme_client: Client, header: str, path: str) -> None:
    response = acme_client.get(f"{BASE}/{path}", headers={"authorization": header} if header else {})
    told(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_key_with_one_letter_changed_is_401(api: Caller) -> None:
    api.key = api.key[:-1] + ("A" if api.key[-1] != "A" else "B")
    told(api.ask("GET", "staff"), 401, "unauthenticated")


def test_a_revoked_key_is_401(api: Caller, acme: Tenant) -> None:
    assert api.status("staff") == 200
    with acme:
        ApiKey.objects.update(revoked_at=on(1))
    told(api.ask("GET", "staff"), 401, "unauthenticated")


def test_a_key_of_one_company_opens_nothing_of_another(api: Caller, other_api: Caller) -> None:
    api.host, other_api.host = other_api.host, api.host
    for caller in (api, other_api):
        for path in ("staff", "customers", "groups", "tags", "health", "writes/1", "customers/wmX"):
            told(caller.ask("GET", path), 401, "unauthenticated")


def test_only_the_hash_of_a_key_is_kept_and_its_use_is_noted(api: Caller, acme: Tenant) -> None:
    api.get("health")
    with acme:
        key = ApiKey.objects.get(name="ERP")
    assert key.last_used_at is not None
    assert api.key.encode() not in bytes(key.digest) and api.key[-40:] not in str(key.__dict__)


# -- what is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["nothing", "customers/", "customers/a%00b", "customers/" + "x" * 65, "staff/x"])
def test_an_address_that_is_none_is_404_in_the_same_shape(api: Caller, path: str) -> None:
    told(api.ask("GET", path), 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_method_that_is_not_served_is_405(api: Caller, method: str) -> None:
    response = api.ask(method, "customers", {})
    told(response, 405, "method_not_allowed")
    assert "GET" in response["Allow"]


def test_options_and_head_are_no_errors(api: Caller) -> None:
    assert (
        api.client.head(f"{BASE}/staff", headers={"host": api.host, "authorization": f"Bearer {api.key}"}).status_code
        == 200
    )
    assert api.ask("OPTIONS", "customers/wmX/tags").status_code in {200, 405}


def test_a_form_instead_of_json_is_415(api: Caller, acme: Tenant) -> None:
    response = api.ask("POST", "customers/wmX/tags", "add=1", content_type="application/x-www-form-urlencoded")
    assert response.status_code in {404, 415}
    with acme:
        Customer.objects.create(external_userid="wmX", first_added_at=on(1))
    response = api.ask("POST", "customers/wmX/tags", "add=1", content_type="application/x-www-form-urlencoded")
    told(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("body", ["{", "", "nonsense", b"\xff\xfe", '{"add": NaN}', "[" * 100_000, '"\\ud800"'])
def test_a_body_that_is_no_json_is_400(api: Caller, customer: str, body: str | bytes) -> None:
    response = api.ask("POST", f"customers/{customer}/tags", body)
    assert response.status_code == 400
    assert response.json()["code"] in {"malformed", "invalid"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ([], {"non_field_errors"}),
        (1, {"non_field_errors"}),
        ({}, {"non_field_errors"}),
        ({"add": "etVip"}, {"add"}),
        ({"add": ["\x00"]}, {"add.0"}),
        ({"add": ["\ud800"]}, {"add.0"}),
        ({"add": ["x" * 65, 5, None]}, {"add.0", "add.2"}),
        ({"add": ["x"] * 101}, {"add"}),
        ({"add": None}, {"add"}),
        ({"add": ["etNone"], "userid": {}}, {"userid"}),
        ({"add": ["etNone"], "userid": "nobody"}, {"userid"}),
        ({"remove": ["etNone"]}, {"remove"}),
    ],
)
def test_wrong_fields_are_named(api: Caller, customer: str, body: Any, fields: set[str]) -> None:
    answer = told(api.post(f"customers/{customer}/tags", body), 400, "invalid")
    assert answer["field_errors"].keys() == fields
    assert all(isinstance(text, str) for texts in answer["field_errors"].values() for text in texts)


def test_a_body_of_megabytes_is_413(api: Caller, customer: str) -> None:
    told(api.post(f"customers/{customer}/tags", {"add": ["x" * 6_000_000]}), 413, "too_large")


def test_only_json_is_answered(api: Caller) -> None:
    told(api.ask("GET", "staff", accept="text/html"), 406, "not_acceptable")
    assert api.ask("GET", "staff", accept="text/html,*/*;q=0.1").status_code == 200


def test_too_many_calls_are_429_and_say_when_to_come_back(api: Caller, settings: Any) -> None:
    settings.API_RATE = "2/min"
    assert [api.status("staff") for _ in range(2)] == [200, 200]
    response = api.ask("GET", "staff")
    told(response, 429, "too_many_requests")
    assert 0 < int(response["Retry-After"]) <= 60


def test_one_company_does_not_use_up_the_rate_of_another(api: Caller, other_api: Caller, settings: Any) -> None:
    settings.API_RATE = "1/min"
    assert [api.status("staff"), api.status("staff"), other_api.status("staff")] == [200, 429, 200]


def test_without_redis_nobody_is_refused(api: Caller, settings: Any) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    assert api.status("staff") == 200


def test_what_a_key_may_not_do_is_403() -> None:
    error = as_api_error(PermissionDenied())
    assert error is not None and (error.http_status, error.code) == (403, "forbidden")


def test_an_error_of_ours_is_500_in_the_same_shape_without_its_details(api: Caller, acme: Tenant) -> None:
    with acme, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE members_staff RENAME TO members_staff_away")
    answer = told(api.ask("GET", "staff"), 500, "internal")
    assert "members_staff" not in str(answer)


# -- languages ---------------------------------------------------------------------------------------------------------


def test_the_message_is_there_in_both_languages_whatever_was_asked_for(api: Caller) -> None:
    bodies = [api.ask("GET", "nothing", accept_language=language).json() for language in ("zh-CN", "en")]
    assert bodies[0]["message"] == bodies[1]["message"] == "没有找到对应的数据"
    assert bodies[0]["message_en"] == bodies[1]["message_en"]


def test_nested_errors_become_paths() -> None:
    texts = ValidationError({"a": {"b": ["x"]}, "c": [{}, {"d": [ErrorDetail("y")]}], "e": ["z"]})
    error = as_api_error(texts)
    assert error is not None and error.field_errors == {"a.b": ["x"], "c.1.d": ["y"], "e": ["z"]}
