"""Operators of a test's company, and browsers in which they are signed in."""

from typing import Any

from django.db import connection
from django.test import Client

from accounts.models import Operator
from tenants.models import Tenant
from tests.cast import PASSWORD


def add_operator(tenant: Tenant, username: str = "wang", role: str = "owner", **values: Any) -> Operator:
    with tenant:
        operator = Operator(username=username, role=role, **{"name": username, "scope": "all", **values})
        operator.set_password(PASSWORD)
        operator.save()
    return operator


class StayingClient(Client):
    """A client after whose requests the test is back in the company's schema."""

    def __init__(self, tenant: Tenant, **more: Any) -> None:
        super().__init__(**more)
        self.tenant = tenant

    def request(self, **request: Any) -> Any:
        try:
            return super().request(**request)
        finally:
            connection.set_tenant(self.tenant)


def signed_in(tenant: Tenant, operator: Operator, *, staying: bool = False) -> Client:
    """A client of the tenant's host with the operator's session."""
    headers = {"host": f"{tenant.schema_name}.localhost"}
    client = StayingClient(tenant, headers=headers) if staying else Client(headers=headers)
    with tenant:
        client.force_login(operator)
    return client


def client_as(tenant: Tenant, role: str = "owner", **values: Any) -> Client:
    """Shorthand: a new operator of this role, signed in."""
    return signed_in(tenant, add_operator(tenant, f"the-{role}", role, **values))
