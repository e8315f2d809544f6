"""Migrations of every schema: the shared one, the template, each tenant that is behind. Killed anywhere, it goes on."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import structlog
from django.apps import apps
from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import schema_context

from tenants.isolation import stamp_schema
from tenants.keys import first_key
from tenants.models import Domain, Tenant
from tenants.recycling import PUBLIC

log = structlog.get_logger(__name__)

LOCK = 0x5C_12_4D_16  # one run at a time in a database
LOCK_TIMEOUT = "3s"  # a migration that waits for a lock makes everyone behind it wait, too
TRIES = 3
CHUNK = 500  # schemas a query


@dataclass(slots=True)
class Report:
    """What a run did, by schema."""

    migrated: list[str] = field(default_factory=list)
    current: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def needed() -> tuple[tuple[str, str], ...]:
    """Migrations of the apps that have tables in a tenant's schema."""
    labels = {config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS}
    loader = MigrationLoader(None)
    return tuple(sorted((app, name) for app, name in loader.graph.nodes if app in labels))


def state_of_code() -> str:
    return hashlib.sha256(repr(needed()).encode()).hexdigest()


def with_migrations(schemas: Iterable[str]) -> list[str]:
    """Those of the schemas that exist and have a table of migrations."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relname = 'django_migrations' AND n.nspname = ANY (%s)",
            [list(schemas)],
        )
        there = {name for (name,) in cursor.fetchall()}
    return [schema for schema in schemas if schema in there]


def current_schemas(schemas: Iterable[str]) -> set[str]:
    """The schemas where nothing is to be done, found by one query for hundreds of them."""
    names = [f"{app}.{name}" for app, name in needed()]
    there = with_migrations(list(schemas))
    current: set[str] = set()
    for start in range(0, len(there), CHUNK):
        parts, values = [], []
        for schema in there[start : start + CHUNK]:
            parts.append(
                "SELECT %s, count(DISTINCT (app, name))"  # noqa: S608  the name is quoted
                f" FROM {connection.ops.quote_name(schema)}.django_migrations, needed"
                " WHERE app || '.' || name = ANY (names)"
            )
            values.append(schema)
        with connection.cursor() as cursor:
            cursor.execute("WITH needed AS (SELECT %s::text[] AS names) " + " UNION ALL ".join(parts), [names, *values])
            current |= {schema for schema, applied in cursor.fetchall() if applied == len(names)}
    return current


def migrate_schema(schema: str, *, progress: Callable[[str], None] | None = None) -> None:
    """Apply what is missing, each migration in a transaction of its own, recorded with it."""
    with schema_context(schema, include_public=schema == PUBLIC):
        # looked up with the public schema on the path, its table would be taken for the tenant's own
        MigrationRecorder(connection).ensure_schema()
    with schema_context(schema):

        def on_step(action: str, migration: object = None, fake: object = None) -> None:
            if progress and action == "apply_start":
                progress(f"{schema}: {migration}")

        executor = MigrationExecutor(connection, on_step)
        executor.loader.check_consistent_history(connection)
        targets = executor.loader.graph.leaf_nodes()
        plan = executor.migration_plan(targets)
        if plan:
            executor.migrate(targets, plan)


def migrate_patiently(schema: str, progress: Callable[[str], None] | None) -> None:
    """A lock that is not given within seconds is asked for again, a little later."""
    for attempt in range(1, TRIES + 1):
        try:
            migrate_schema(schema, progress=progress)
        except OperationalError as error:
            if attempt == TRIES or "lock timeout" not in str(error):
                raise
            time.sleep(attempt)
        else:
            return


def migrate_all(progress: Callable[[str], None] | None = None) -> Report:
    """Bring every schema to the state of this code. A tenant that fails is put into maintenance; the others go on."""
    with alone(), short_locks():
        migrate_schema(PUBLIC, progress=progress)
        public = ensure_public()
        stamp_schema(PUBLIC, 0)  # the vendor's own people belong to no tenant
        _ensure_schema(settings.TEMPLATE_SCHEMA)
        migrate_schema(settings.TEMPLATE_SCHEMA, progress=progress)
        return _migrate_tenants(Tenant.objects.exclude(pk=public.pk).order_by("pk"), progress)


def _migrate_tenants(tenants: Iterable[Tenant], progress: Callable[[str], None] | None) -> Report:
    report = Report()
    tenants = list(tenants)
    current = current_schemas([tenant.schema_name for tenant in tenants])
    state = state_of_code()[:16]
    for tenant in tenants:
        is_current = tenant.schema_name in current
        if is_current and tenant.migration_state == state:
            report.current += 1
            continue
        try:
            if not is_current:
                migrate_patiently(tenant.schema_name, progress)
            stamp_schema(tenant.schema_name, tenant.pk)
        except Exception as error:
            report.failed[tenant.schema_name] = str(error).strip().splitlines()[0] if str(error) else repr(error)
            log.exception("migration_failed", tenant=tenant.schema_name)
            _mark_failed(tenant, report.failed[tenant.schema_name])
        else:
            report.migrated.append(tenant.schema_name)
            _mark_done(tenant, state)
    return report


def _mark_failed(tenant: Tenant, reason: str) -> None:
    tenant.migration_state = f"failed: {reason}"[:200]
    if tenant.status == Tenant.Status.ACTIVE:
        tenant.status = Tenant.Status.MAINTENANCE
    tenant.save(update_fields=["migration_state", "status"])


def _mark_done(tenant: Tenant, state: str) -> None:
    """A tenant that waited in maintenance for its migration is served again."""
    if tenant.status == Tenant.Status.MAINTENANCE and tenant.migration_state.startswith("failed:"):
        tenant.status = Tenant.Status.ACTIVE
    tenant.migration_state = state
    tenant.save(update_fields=["migration_state", "status"])


def ensure_public() -> Tenant:
    """The row of the public schema: the vendor's own console, on its own host, with a key for its people's secrets."""
    tenant: Tenant = Tenant.objects.get_or_create(schema_name=PUBLIC, defaults={"name": "SCRM", "seats": 0})[0]
    Domain.objects.get_or_create(domain=f"ops.{settings.BASE_DOMAIN}", defaults={"tenant": tenant})
    first_key(tenant.pk)
    return tenant


def _ensure_schema(schema: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {connection.ops.quote_name(schema)}")


@contextmanager
def alone() -> Iterator[None]:
    """Two machines that start a release at once: the second waits, and then finds nothing to do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


@contextmanager
def short_locks() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
