"""The OpenAPI document: valid, complete, and readable without a key."""

import io
import json
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema

from integrations.api import document
from scrm import urls_api
from tenants.models import Tenant

BASE = "/api/v1"
ERRORS_OF_ALL = {"401", "403", "405", "406", "429", "500"}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def doc() -> dict[str, Any]:
    return document("scrm.urls_api_root")


def operations(doc: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, of in doc["paths"].items() for method, one in of.items() if method in METHODS]


def test_it_is_a_valid_openapi_3_1_document_without_a_warning(doc: dict[str, Any]) -> None:
    call_command("spectacular", urlconf="scrm.urls_api_root", validate=True, fail_on_warn=True, stdout=io.StringIO())
    assert doc["openapi"].startswith("3.1.")
    validate_schema(json.loads(json.dumps(doc)))


def test_every_route_is_in_it(doc: dict[str, Any]) -> None:
    own = {"^schema/?$", ""}  # the document itself, and what stands at every other address
    routes = {str(pattern.pattern) for pattern in urls_api.urlpatterns} - own
    named = {f"{BASE}/{shape(route)}" for route in routes}
    assert named == {path.replace("{id}", "{pk}") for path in doc["paths"]}


def shape(route: str) -> str:
    for converter in ("wecom", "int"):
        route = route.replace(f"<{converter}:", "{")
    return route.replace(">", "}")


def test_every_operation_says_its_errors_and_how_to_sign_in(doc: dict[str, Any]) -> None:
    for path, _, one in operations(doc):
        assert one["responses"].keys() >= ERRORS_OF_ALL, path
        assert one["security"] == [{"apiKey": []}], path
        assert one["description"], path
        if "{" in path:
            assert "404" in one["responses"], path
        for code, response in one["responses"].items():
            if code >= "400":
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}
    assert doc["components"]["securitySchemes"] == {"apiKey": {"type": "http", "scheme": "bearer"}}


def test_writes_take_an_idempotency_key(doc: dict[str, Any]) -> None:
    writes = [one for _, method, one in operations(doc) if method != "get"]
    assert writes
    for one in writes:
        assert "Idempotency-Key" in [parameter["name"] for parameter in one["parameters"]]
        assert one["responses"].keys() >= {"400", "413", "415", "422"}


def test_lists_take_limit_and_cursor(doc: dict[str, Any]) -> None:
    for name in ("staff", "customers", "groups", "tags", "customers/{external_userid}/timeline"):
        parameters = {one["name"] for one in doc["paths"][f"{BASE}/{name}"]["get"]["parameters"]}
        assert parameters >= {"limit", "after"}, name


def test_operations_have_names_of_their_own(doc: dict[str, Any]) -> None:
    names = [one["operationId"] for _, _, one in operations(doc)]
    assert len(set(names)) == len(names)


def test_it_is_served_without_a_key_as_json_and_as_yaml(acme: Tenant, acme_client: Client, clean_cache: None) -> None:
    response = acme_client.get(f"{BASE}/schema/")
    assert response.status_code == acme_client.get(f"{BASE}/schema").status_code == 200
    assert response["Content-Type"].startswith("application/json")
    assert response.json()["info"]["title"]
    as_yaml = acme_client.get(f"{BASE}/schema/", headers={"accept": "application/yaml"})
    assert yaml.safe_load(as_yaml.content) == response.json()


def test_who_asks_too_often_for_it_waits(acme: Tenant, acme_client: Client, clean_cache: None, settings: Any) -> None:
    settings.API_RATE = "2/min"
    assert [acme_client.get(f"{BASE}/schema/").status_code for _ in range(3)] == [200, 200, 429]


def test_it_tells_nothing_of_a_tenant(
    acme: Tenant, acme_client: Client, globex_client: Client, clean_cache: None
) -> None:
    assert acme_client.get(f"{BASE}/schema/").content == globex_client.get(f"{BASE}/schema/").content
