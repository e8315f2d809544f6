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


ASYNCHRONOUSLY = "SET LOCAL synchronous_commit TO off"


def commit_asynchronously() -> None:
    """The transaction under way will not wait for the disk at its end (Postgres: synchronous_commit).

    For work whose cause stands in a row that is on the disk already, and is marked as done in this very transaction: a
    crash of Postgres within the next half second takes both back together, and the work is done again. The log is in
    order, so whatever is committed in the ordinary way afterwards, a call about to be sent for one, takes this along.
    """
    with connection.cursor() as cursor:
        cursor.execute(ASYNCHRONOUSLY)
