"""A company's own system that calls the Open API."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client

from integrations.authentication import issue_key
from tenants.models import Tenant
from tests.integrations import contract

BASE = contract.BASE


@dataclass
class Caller:
    """Every answer it gets is held against the document."""

    host: str
    key: str
    client: Client = field(default_factory=Client)

    @classmethod
    def of(cls, tenant: Tenant) -> "Caller":
        with tenant:
            return cls(f"{tenant.schema_name}.localhost", issue_key("ERP"))

    def ask(self, method: str, path: str, body: Any = None, query: Any = None, **headers: str) -> HttpResponse:
        headers = {"host": self.host, "authorization": f"Bearer {self.key}", **headers}
        response: HttpResponse = self.client.generic(
            method,
            f"{BASE}/{path}",
            data=as_json(body),
            content_type=headers.pop("content_type", "application/json"),
            headers=headers,
            query_params=query or {},
        )
        if operation_exists(method, f"{BASE}/{path}"):
            contract.check(method, f"{BASE}/{path}", response.status_code, response.json())
        return response

    def get(self, path: str, **query: Any) -> Any:
        """The answer's body; it must be a 200."""
        response = self.ask("GET", path, query=query)
        assert response.status_code == 200, response.content.decode()
        return response.json()

    def status(self, path: str, **query: Any) -> int:
        return self.ask("GET", path, query=query).status_code

    def post(self, path: str, body: Any, **headers: str) -> HttpResponse:
        return self.ask("POST", path, body, **headers)

    def pages(self, path: str, **query: Any) -> list[list[Any]]:
        """All pages of a list."""
        pages, after = [], ""
        while True:
            page = self.get(path, **query, **({"after": after} if after else {}))
            pages.append(page["data"])
            if not (after := page["next"]):
                return pages


def as_json(body: Any) -> str | bytes:
    if body is None:
        return b""
    return body if isinstance(body, str | bytes) else json.dumps(body)


def operation_exists(method: str, path: str) -> bool:
    try:
        contract.operation_of(method, path)
    except (AssertionError, KeyError):
        return False
    return True
