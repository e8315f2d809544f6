"""Releases: every schema is brought up to date, a failure stops one company alone, a kill costs nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO

import psycopg2
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, models
from django.db.migrations import CreateModel, Migration
from django.db.migrations.loader import MigrationLoader
from django.test.utils import CaptureQueriesContext

from tenants import migrate
from tenants.models import SchemaTemplate, Tenant
from tenants.provision import create_tenant


def run():
    out = StringIO()
    call_command("migrate_all", json=True, stdout=out, skip_checks=True)
    return json.loads(out.getvalue())


@pytest.fixture
def new_release(monkeypatch):
    """A migration that nobody has: a new table of every tenant."""

    def release():
        class Later(Migration):
            operations = [new_table("Later")]

        original = MigrationLoader.load_disk

        def load_disk(self):
            original(self)
            self.disk_migrations["integrations", "0999_later"] = Later("0999_later", "integrations")

        leaf = max(name for app, name in MigrationLoader(None).graph.nodes if app == "integrations")
        Later.dependencies = [("integrations", leaf)]
        monkeypatch.setattr(MigrationLoader, "load_disk", load_disk)
        migrate.needed.cache_clear()

    yield release
    monkeypatch.undo()
    migrate.needed.cache_clear()


def new_table(name):
    return CreateModel(
        name, [("id", models.BigAutoField(primary_key=True)), ("tenant_id", models.IntegerField(db_default=0))]
    )


def tables(schema):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        return {name for (name,) in cursor.fetchall()}


def test_a_release_without_migrations_asks_once_for_all(db_commits, acme, globex):
    with CaptureQueriesContext(connection) as captured:
        report = migrate._migrate_tenants([acme, globex], None)

    assert (report.migrated, report.current, report.failed) == ([], 2, {})
    assert len(captured) <= 4


def test_a_new_table_reaches_every_schema_and_the_next_run_does_nothing(db_commits, acme, globex, new_release):
    new_release()

    assert run() == {"migrated": ["acme", "globex"], "current": 0, "failed": {}}
    for schema in ("acme", "globex", settings.TEMPLATE_SCHEMA):
        assert "integrations_later" in tables(schema)
    assert run() == {"migrated": [], "current": 2, "failed": {}}


def test_a_new_tenant_is_made_of_the_new_template(db_commits, acme, new_release):
    before = SchemaTemplate.objects.get().state
    new_release()
    run()

    create_tenant("newco", name="新公司")

    assert "integrations_later" in tables("newco")
    assert SchemaTemplate.objects.get().state != before
    assert run()["migrated"] == []


def test_a_tenant_that_fails_waits_in_maintenance_and_the_others_go_on(db_commits, acme, globex, new_release):
    new_release()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE acme.integrations_later (id int)")

    with pytest.raises(CommandError, match=r"1 tenants are in maintenance: acme: .*already exists"):
        run()

    acme.refresh_from_db()
    assert acme.status == "maintenance"
    assert acme.migration_state.startswith("failed: ")
    assert "integrations_later" in tables("globex")

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE acme.integrations_later")
    assert run() == {"migrated": ["acme"], "current": 1, "failed": {}}
    acme.refresh_from_db()
    assert acme.status == "active"


def test_a_suspended_tenant_is_migrated_and_stays_suspended(db_commits, acme, globex, new_release):
    Tenant.objects.filter(pk=acme.pk).update(status="suspended")
    new_release()

    assert run()["migrated"] == ["acme", "globex"]
    assert Tenant.objects.get(pk=acme.pk).status == "suspended"


def test_a_lock_that_someone_holds_is_not_waited_for_long(db_commits, acme, globex, monkeypatch):
    place = connection.settings_dict
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "200ms")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    holder = psycopg2.connect(
        dbname=place["NAME"], user=place["USER"], password=place["PASSWORD"], host=place["HOST"], port=place["PORT"]
    )
    try:
        holder.cursor().execute("LOCK TABLE acme.contacts_customer")
        with (
            migrate.short_locks(),
            connection.cursor() as cursor,
            pytest.raises(OperationalError, match="lock timeout"),
        ):
            cursor.execute("ALTER TABLE acme.contacts_customer ADD COLUMN x int")
    finally:
        holder.close()


def test_a_tenant_behind_with_no_change_to_make_is_only_recorded(db_commits, acme):
    """Code of before and after run on one schema; what is applied already is not applied again."""
    Tenant.objects.filter(pk=acme.pk).update(migration_state="older")

    assert run()["migrated"] == ["acme"]
    assert run()["migrated"] == []


def take_back(tenant, apps=("console", "integrations")):
    """As if these apps came with the next release."""
    with connection.cursor() as cursor:
        for table in tables(tenant.schema_name):
            if table.startswith(apps):
                cursor.execute(f"DROP TABLE {tenant.schema_name}.{table} CASCADE")
        cursor.execute(f"DELETE FROM {tenant.schema_name}.django_migrations WHERE app = ANY (%s)", [list(apps)])
    Tenant.objects.filter(pk=tenant.pk).update(migration_state="")


def test_a_release_that_is_killed_goes_on_where_it_was(db_commits, acme, globex):
    """The real command, killed while it makes the schema of one of several tenants."""
    for number in range(3):
        take_back(create_tenant(f"late{number}", name="后来的"))
    command = [sys.executable, "manage.py", "migrate_all"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    for line in child.stdout:
        if line.startswith("late1: integrations"):
            child.send_signal(signal.SIGKILL)
            break
    child.wait()
    done = set(Tenant.objects.exclude(migration_state="").values_list("schema_name", flat=True))
    assert "late0" in done
    assert "late2" not in done

    report = run()

    assert "late0" not in report["migrated"]
    assert "late2" in report["migrated"]
    assert report["failed"] == {}
    for number in range(3):
        assert tables(f"late{number}") == tables("acme")
    assert run()["migrated"] == []
