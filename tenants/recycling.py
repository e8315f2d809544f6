"""A Postgres backend keeps what it learned about every table it touched: 0.7 MB a tenant, and it never gives it back.

So a connection that has served many tenants is closed when it goes home to the public schema, and the next query opens
a new one. Read by the database backend itself (EXTRA_SET_TENANT_METHOD_PATH): no model may be imported here.
"""

from typing import Any

PUBLIC = "public"
TENANTS_A_CONNECTION = 100


def count_tenants(connection: Any, tenant: Any) -> None:
    """Called at every change of tenant."""
    if not hasattr(connection, "_tenants_seen") or connection._counted_for is not connection.connection:
        connection._counted_for, connection._tenants_seen = connection.connection, set()
    seen: set[str] = connection._tenants_seen
    if tenant.schema_name != PUBLIC:
        seen.add(tenant.schema_name)
    elif len(seen) >= TENANTS_A_CONNECTION and connection.get_autocommit() and not connection.in_atomic_block:
        connection.close()
