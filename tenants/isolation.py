"""Whose data this is, outside the models: cache keys, Redis keys, files, rounds over tenants, the stamp in a schema."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from django.apps import apps
from django.conf import settings

from tenants.db import connection
from tenants.models import Tenant, TenantModel
from tenants.recycling import PUBLIC

log = structlog.get_logger(__name__)

PART = re.compile(r"[\w.@-]{1,255}")
# every key of ours in Redis: `t:<schema>:…`, where `public` is the platform itself (budgets of WeCom's limits, hosts of
# nobody), or the queues of Celery, whose messages carry no data but a schema and a lane
REDIS_KEY = re.compile(r"(?:t:[a-z][a-z0-9_]*:|celery:).+", re.S)


class NoTenant(RuntimeError):
    """Work that belongs to a tenant was started without one."""


def current_schema() -> str:
    return str(connection.schema_name)


def require_tenant() -> str:
    """The schema of the current tenant; the public one is nobody's."""
    schema = current_schema()
    if schema == PUBLIC:
        raise NoTenant("this runs for a tenant: enter one with `with tenant:`")
    return schema


def current_owner() -> Tenant:
    """Whose key seals secrets here: the current tenant, or the platform itself in the public schema."""
    tenant = connection.tenant
    return tenant if isinstance(tenant, Tenant) else Tenant.objects.get(schema_name=current_schema())


def cache_key(key: str, key_prefix: str, version: int) -> str:
    """KEY_FUNCTION of the cache: the same key in two tenants is two keys."""
    return f"t:{current_schema()}:{key_prefix}:{version}:{key}"


def redis_key(*parts: str) -> str:
    """A key for direct use of Redis. What a tenant owns there all begins with `t:<schema>:`."""
    return ":".join(("t", current_schema(), *parts))


def tenant_path(*parts: str) -> Path:
    """A place among the current tenant's files. Parts are names, never paths."""
    schema = require_tenant()
    for part in parts:
        if not PART.fullmatch(part) or part in {".", ".."}:
            raise ValueError(f"{part!r} is not a file name")
    return files_of(schema).joinpath(*parts)


def files_of(schema: str) -> Path:
    return Path(settings.DATA_DIR) / "files" / schema


def each_tenant(act: Callable[[Tenant], object], *, tenants: Iterable[Tenant] | None = None) -> dict[str, Exception]:
    """Do something in every tenant in use, one after the other. One tenant's failure is logged and given back by
    schema; the others go on."""
    failures: dict[str, Exception] = {}
    for tenant in active_tenants() if tenants is None else tenants:
        try:
            with tenant:
                act(tenant)
        except Exception as error:
            log.exception("tenant_failed", tenant=tenant.schema_name, act=getattr(act, "__name__", str(act)))
            failures[tenant.schema_name] = error
    return failures


def active_tenants() -> list[Tenant]:
    return list(Tenant.objects.exclude(schema_name=PUBLIC).filter(status=Tenant.Status.ACTIVE).order_by("pk"))


STAMP = """
DO $stamp$
DECLARE
    place record;
BEGIN
    FOR place IN
        SELECT c.oid, c.relname, pg_get_expr(d.adbin, d.adrelid) AS stamped,
               EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = 'of_tenant') AS checked
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = {schema_literal}::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname = ANY (ARRAY[{tables}])
    LOOP
        IF place.stamped IS DISTINCT FROM '{number}' THEN
            EXECUTE format('UPDATE {schema}.%I SET tenant_id = {number} WHERE tenant_id = 0', place.relname);
            EXECUTE format('ALTER TABLE {schema}.%I ALTER COLUMN tenant_id SET DEFAULT {number}', place.relname);
        END IF;
        IF NOT place.checked THEN
            EXECUTE format(
                'ALTER TABLE {schema}.%I ADD CONSTRAINT of_tenant CHECK (tenant_id = {number})', place.relname);
        END IF;
    END LOOP;
END $stamp$
"""


def stamp_schema(schema: str, tenant_id: int) -> None:
    """Give every tenant-owned table of a schema the tenant's number as the default of `tenant_id` and refuse any other.

    Tables that carry the stamp are left alone, so this may run after every migration.
    """
    tables = ", ".join(f"'{model._meta.db_table}'" for model in tenant_models())
    quoted = connection.ops.quote_name(schema)
    sql = STAMP.format(schema=quoted, schema_literal=f"'{quoted}'", tables=tables, number=int(tenant_id))
    with connection.cursor() as cursor:
        cursor.execute(sql)


def tenant_models() -> list[type[TenantModel]]:
    return [model for model in apps.get_models(include_auto_created=False) if issubclass(model, TenantModel)]
