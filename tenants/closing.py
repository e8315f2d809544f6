"""A company that pauses or leaves: suspended, given its data, and then gone, its secrets unreadable in every backup."""

import base64
import hashlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import redis
import structlog
from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from tenants import keys
from tenants.isolation import files_of
from tenants.middleware import hosts
from tenants.models import (
    AccessToken,
    ApiBreaker,
    Authorisation,
    CorpApp,
    Credential,
    Domain,
    DomainFile,
    Job,
    OutgoingCall,
    Receiver,
    ReceiverKey,
    Tenant,
    TenantKey,
    VendorAudit,
)
from tenants.provision import Refused
from tenants.template import dump

log = structlog.get_logger(__name__)

Rows = Callable[[Tenant], models.QuerySet[Any]]

# The tenant's rows in the shared schema, by table, in an order in which they can be deleted. Higher layers add theirs
# in scrm/wiring.py. An access token is a secret of hours: it is deleted, not exported.
SHARED_ROWS: dict[str, Rows] = {
    "tenants_apibreaker": lambda tenant: ApiBreaker.objects.filter(app__tenant=tenant),
    "tenants_outgoingcall": lambda tenant: OutgoingCall.objects.filter(tenant=tenant),
    "tenants_job": lambda tenant: Job.objects.filter(tenant=tenant),
    "tenants_accesstoken": lambda tenant: AccessToken.objects.filter(app__tenant=tenant),
    "tenants_authorisation": lambda tenant: Authorisation.objects.filter(tenant=tenant),
    "tenants_receiverkey": lambda tenant: ReceiverKey.objects.filter(receiver__tenant=tenant),
    "tenants_receiver": lambda tenant: Receiver.objects.filter(tenant=tenant),
    "tenants_credential": lambda tenant: Credential.objects.filter(app__tenant=tenant),
    "tenants_corpapp": lambda tenant: CorpApp.objects.filter(tenant=tenant),
    "tenants_domainfile": lambda tenant: DomainFile.objects.filter(tenant=tenant),
    "tenants_domain": lambda tenant: Domain.objects.filter(tenant=tenant),
    "tenants_tenantkey": lambda tenant: TenantKey.objects.filter(tenant=tenant),
}
NOT_EXPORTED = frozenset({"tenants_accesstoken"})


def audit(tenant: Tenant | None, action: str, *, by: str, **detail: Any) -> None:
    VendorAudit.objects.create(tenant=tenant, actor=by[:80], action=action, detail=detail)


def suspend(tenant: Tenant, *, by: str) -> None:
    """Nobody signs in and nothing is sent; what WeCom tells is still stored. Felt everywhere within ten seconds."""
    _set_status(tenant, Tenant.Status.SUSPENDED, timezone.now(), "tenant_suspended", by)


def resume(tenant: Tenant, *, by: str) -> None:
    _set_status(tenant, Tenant.Status.ACTIVE, None, "tenant_resumed", by)


def _set_status(tenant: Tenant, status: str, suspended_at: datetime | None, action: str, by: str) -> None:
    with transaction.atomic():
        before = Tenant.objects.select_for_update().get(pk=tenant.pk).status
        if before == status:
            return
        if status == Tenant.Status.ACTIVE and tenant.migration_state.startswith("failed:"):
            raise Refused(
                f"{tenant.schema_name} waits for a migration: run migrate_all first ({tenant.migration_state})"
            )
        tenant.status, tenant.suspended_at = status, suspended_at
        tenant.save(update_fields=["status", "suspended_at"])
        audit(tenant, action, by=by, before=before)
    hosts.forget()


class Elsewhere(NamedTuple):
    """Files that do not lie in the tenant's folder: copied for an export, deleted with the company."""

    copy: Callable[[str, Path], int]
    delete: Callable[[str], int]


ELSEWHERE: list[Elsewhere] = []  # filled by scrm/wiring.py


def export(tenant: Tenant, to: Path, *, by: str) -> dict[str, Any]:
    """All that the platform keeps of a company: a dump of its schema, its rows in the shared schema as JSON lines, its
    files. Into a folder, or into one file when the name ends with .zip. Secrets stay sealed."""
    if to.exists():
        raise Refused(f"{to} exists: name a new file or folder")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".export-") as scratch:
        folder = Path(scratch) / tenant.schema_name
        folder.mkdir(mode=0o700)
        manifest = _write(tenant, folder)
        if to.suffix == ".zip":
            _zip(folder, to)
        else:
            folder.rename(to)
    audit(tenant, "tenant_exported", by=by, rows=manifest["rows"])
    return {"schema": tenant.schema_name, "path": str(to), **manifest}


def _write(tenant: Tenant, folder: Path) -> dict[str, Any]:
    dump(tenant.schema_name, to=folder / "schema.sql")
    rows = {}
    for table, select in SHARED_ROWS.items():
        if table not in NOT_EXPORTED:
            rows[table] = _write_lines(folder / f"{table}.jsonl", select(tenant))
    files = files_of(tenant.schema_name)
    if files.exists():
        shutil.copytree(files, folder / "files")
    for place in ELSEWHERE:
        place.copy(tenant.schema_name, folder / "files")
    manifest = {
        "tenant": {"schema": tenant.schema_name, "name": tenant.name, "uid": str(tenant.uid), "plan": tenant.plan},
        "migration_state": tenant.migration_state,
        "exported_at": timezone.now().isoformat(),
        "rows": rows,
        "sha256": {str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1))
    return manifest


def _write_lines(path: Path, rows: models.QuerySet[Any]) -> int:
    count = 0
    with path.open("w") as file:
        for row in rows.values().iterator(chunk_size=2000):
            file.write(json.dumps(row, ensure_ascii=False, default=plain) + "\n")
            count += 1
    return count


def plain(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _zip(folder: Path, to: Path) -> None:
    half = folder.with_suffix(".zip")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, Path(folder.name) / path.relative_to(folder))
    half.chmod(0o600)
    half.rename(to)


def delete(tenant: Tenant, *, by: str) -> dict[str, Any]:
    """Schema, shared rows, data keys, Redis keys and files of a company, for good. Returns the certificate, which is
    also in the vendor's audit: what was deleted, when, by whom."""
    if tenant.status == Tenant.Status.ACTIVE:
        suspend(tenant, by=by)
    _wait_until_nobody_serves_it(tenant)
    schema, number = tenant.schema_name, tenant.pk
    with transaction.atomic():
        rows = {table: _delete_rows(select(tenant)) for table, select in higher_layers_first()}
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {connection.ops.quote_name(schema)} CASCADE")
        certificate = {
            "schema": schema,
            "name": tenant.name,
            "uid": str(tenant.uid),
            "deleted_at": timezone.now().isoformat(),
            "rows": rows,
        }
        tenant.delete()
        audit(None, "tenant_deleted", by=by, **certificate)
    keys.forget(number)
    hosts.forget()
    return {
        **certificate,
        "redis_keys": _delete_redis_keys(schema),
        "files": _delete_files(schema) + sum(place.delete(schema) for place in ELSEWHERE),
    }


def _wait_until_nobody_serves_it(tenant: Tenant) -> None:
    """A process that still took it for open would ask tables that are gone, or find those of the platform instead."""
    closed_for = (timezone.now() - tenant.suspended_at).total_seconds() if tenant.suspended_at else 0.0
    time.sleep(max(hosts.KEPT - closed_for, 0.0))


def higher_layers_first() -> Iterator[tuple[str, Rows]]:
    """Rows of higher layers first: they may point at ours."""
    own = {model._meta.db_table for model in apps.get_app_config("tenants").get_models()}
    yield from ((table, rows) for table, rows in SHARED_ROWS.items() if table not in own)
    yield from ((table, rows) for table, rows in SHARED_ROWS.items() if table in own)


def _delete_rows(rows: models.QuerySet[Any]) -> int:
    return int(rows._raw_delete(using="default"))


def _delete_redis_keys(schema: str) -> int:
    """Losing Redis loses nothing, so a Redis that is down stops no deletion: what it keeps of a tenant expires."""
    count = 0
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=5) as server:
            for key in server.scan_iter(f"t:{schema}:*", count=1000):
                count += int(server.delete(key))
    except redis.RedisError as error:
        log.warning("redis_keys_left", tenant=schema, error=str(error))
    return count


def _delete_files(schema: str) -> int:
    folder = files_of(schema)
    count = sum(path.is_file() for path in folder.rglob("*")) if folder.exists() else 0
    shutil.rmtree(folder, ignore_errors=True)
    return count
