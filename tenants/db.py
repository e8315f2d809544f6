"""The database connection as django-tenants makes it, with its own attributes typed. No model may be imported here."""

from typing import TYPE_CHECKING, Any, cast

from django import db

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    class TenantConnection(BaseDatabaseWrapper):
        schema_name: str
        tenant: Any  # a Tenant, or the library's stand-in that knows a schema name alone
        tenants_before: list[Any]

        def set_tenant(self, tenant: Any) -> None: ...
        def set_schema_to_public(self) -> None: ...


connection = cast("TenantConnection", db.connection)
