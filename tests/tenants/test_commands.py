"""Commands of the contract: what they print, and the one line with which they fail."""

import json
import time
import zipfile
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection
from django.utils import timezone

from accounts.models import Operator
from acquisition.models import Welcome
from contacts.models import Customer
from integrations.models import ApiKey
from tenants.isolation import files_of
from tenants.keys import NoTenantKey, unseal
from tenants.middleware import hosts
from tenants.models import Credential, OutgoingCall, Receiver, ReceiverKey, Tenant, TenantKey, VendorAudit
from tenants.rotation import place_of
from tests.cast import ACME

GIVEN = {
    "name": "新公司",
    "corp_id": "wwnew00000000001",
    "agent_id": 1000009,
    "agent_secret": "new-app-secret",
    "contact_secret": "new-contact-secret",
    "token": "newToken1",
    "aes_key": "n" * 43,
}


def run(command, *arguments, **options):
    out = StringIO()
    call_command(command, *arguments, json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def schemas():
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace")
        return {name for (name,) in cursor.fetchall()}


def test_tenant_create_prints_what_the_company_must_be_told(db):
    told = run("tenant_create", "newco", **GIVEN)

    receiver = Receiver.objects.get(tenant__schema_name="newco")
    assert told["schema"] == "newco"
    assert told["domain"] == "newco.localhost"
    assert told["receiver"] == receiver.public_id
    assert told["callback_url"] == f"http://newco.localhost:8000/wecom/callback/{receiver.public_id}/"
    assert set(told) == {"schema", "domain", "receiver", "callback_url", "api_key", "operator", "password"}
    with Tenant.objects.get(schema_name="newco"):
        operator = Operator.objects.get(username=told["operator"])
        assert operator.check_password(told["password"])
        assert (operator.role, operator.scope, operator.must_change_password) == ("owner", "all", True)
        assert ApiKey.objects.count() == 1
        welcome = Welcome.objects.get()
        assert (welcome.reach, welcome.enabled, bool(welcome.text)) == ("default", True, True)


def test_a_new_tenant_stores_no_secret_in_the_clear(db):
    run("tenant_create", "newco", **GIVEN)

    tenant = Tenant.objects.get(schema_name="newco")
    for credential in Credential.objects.filter(app__tenant=tenant):
        assert b"secret" not in bytes(credential.sealed)
        plain = unseal(tenant.pk, place_of(credential, "sealed"), credential.sealed).decode()
        assert plain in {GIVEN["agent_secret"], GIVEN["contact_secret"]}
    key = ReceiverKey.objects.get(receiver__tenant=tenant)
    assert unseal(tenant.pk, place_of(key, "aes_key"), key.aes_key).decode() == GIVEN["aes_key"]
    assert unseal(tenant.pk, place_of(key, "token"), key.token).decode() == GIVEN["token"]


def test_a_new_tenants_schema_is_the_templates(acme):
    run("tenant_create", "order", **GIVEN)  # also a word of SQL

    with connection.cursor() as cursor:
        for what, table, column in (
            ("regexp_replace(indexdef, ' ON \\S+\\.', ' ON '), '' ORDER BY indexname", "pg_indexes", "schemaname"),
            (
                "table_name || column_name || data_type, '' ORDER BY table_name, column_name",
                "information_schema.columns",
                "table_schema",
            ),
        ):
            seen = set()
            for schema in ("order", settings.TEMPLATE_SCHEMA):
                cursor.execute(f"SELECT md5(string_agg({what})) FROM {table} WHERE {column} = %s", [schema])
                seen.add(cursor.fetchone())
            assert len(seen) == 1
    with Tenant.objects.get(schema_name="order"):
        assert Customer.objects.create(external_userid="wm1").pk
    assert run("migrate_all", verbosity=0)["migrated"] == []


def test_an_account_without_an_app_is_opened_and_a_half_entered_app_is_not(db):
    told = run("tenant_create", "newco", name="新公司")
    assert (told["receiver"], told["callback_url"], bool(told["password"])) == ("", "", True)
    with pytest.raises(CommandError, match="--agent-secret, --token, --aes-key as well"):
        run("tenant_create", "other", name="另一家", corp_id="wwnew00000000001", agent_id=1000009)


@pytest.mark.parametrize(
    ("schema", "change", "says"),
    [
        ("Big", {}, "lower-case"),
        ("pg_x", {}, "lower-case"),
        ("a", {}, "lower-case"),
        ('x"; drop', {}, "lower-case"),
        ("public", {}, "platform's own"),
        ("tenant_template", {}, "platform's own"),
        ("acme", {}, "there is a tenant"),
        ("newco", {"domain": "acme.localhost"}, "another tenant"),
        ("newco", {"domain": "http://x.com/"}, "host name"),
        ("newco", {"domain": "10.0.0.1"}, "host name"),
        ("newco", {"name": " "}, "name:"),
        ("newco", {"seats": 0}, "at least 1"),
        ("newco", {"corp_id": ACME.wecom.corp_id, "agent_id": ACME.wecom.agent_id}, "tenant 'acme' has this app"),
        ("newco", {"corp_id": "企业"}, "corp id"),
        ("newco", {"agent_id": 0}, "agent id"),
        ("newco", {"agent_secret": " "}, "agent secret"),
        ("newco", {"token": "a" * 33}, "token"),
        ("newco", {"token": "a b"}, "token"),
        ("newco", {"aes_key": "a" * 42}, "EncodingAESKey"),
        ("newco", {"aes_key": "/" * 43}, "EncodingAESKey"),
        ("newco", {"archive_key": ["/nowhere.pem"]}, "nowhere.pem"),
    ],
)
def test_tenant_create_says_what_is_wrong_and_makes_nothing(acme, schema, change, says):
    before = (Tenant.objects.count(), schemas())
    with pytest.raises(CommandError, match=says) as caught:
        run("tenant_create", schema, **{**GIVEN, **change})

    assert "\n" not in str(caught.value)
    assert (Tenant.objects.count(), schemas()) == before


def test_an_archive_key_that_is_no_text_is_refused_in_one_line(acme, tmp_path):
    (tmp_path / "key.der").write_bytes(b"\x30\x82\xff\xfe")
    with pytest.raises(CommandError, match="archive key 1: not a private key"):
        run("tenant_create", "newco", **GIVEN, archive_key=[str(tmp_path / "key.der")])


def test_a_failure_in_the_middle_leaves_nothing(db_commits, monkeypatch):
    monkeypatch.setattr("scrm.opening.issue_key", lambda **_: 1 / 0)
    before = schemas()
    with pytest.raises(ZeroDivisionError):
        run("tenant_create", "newco", **GIVEN)

    assert schemas() == before
    assert not Tenant.objects.filter(schema_name="newco").exists()


def test_tenant_list_names_the_tenants(acme, globex):
    listed = run("tenant_list")

    assert [tenant["schema"] for tenant in listed] == ["acme", "globex"]
    assert listed[0]["domains"] == ["acme.localhost"]
    assert listed[0]["corp_ids"] == [ACME.wecom.corp_id]
    assert (listed[0]["seats"], listed[0]["seats_used"]) == (50, 0)


def test_suspend_and_resume_are_audited(acme):
    assert run("tenant_suspend", "acme")["status"] == "suspended"
    assert run("tenant_suspend", "acme")["status"] == "suspended"
    assert run("tenant_resume", "acme")["status"] == "active"

    assert list(VendorAudit.objects.order_by("pk").values_list("tenant", "action")) == [
        (acme.pk, "tenant_suspended"),
        (acme.pk, "tenant_resumed"),
    ]


def test_a_tenant_that_waits_for_its_migration_is_not_resumed(acme):
    Tenant.objects.filter(pk=acme.pk).update(status="maintenance", migration_state="failed: x")
    with pytest.raises(CommandError, match="migrate_all"):
        run("tenant_resume", "acme")


@pytest.mark.parametrize("command", ["tenant_suspend", "tenant_resume", "tenant_export", "tenant_delete"])
@pytest.mark.parametrize("schema", ["nobody", "public"])
def test_a_command_about_nobody_says_so(db, command, schema):
    with pytest.raises(CommandError, match="there is no tenant"):
        run(command, schema)


def test_an_export_holds_all_of_one_tenant_and_nothing_of_another(db_commits, acme, globex, tmp_path):
    for tenant in (acme, globex):
        with tenant:
            Customer.objects.create(external_userid=f"canary-{tenant.schema_name}", name="韩梅梅")
    files_of("acme").mkdir(parents=True, exist_ok=True)
    (files_of("acme") / "a.txt").write_text("hello")

    told = run("tenant_export", "acme", to=tmp_path / "acme.zip")

    with zipfile.ZipFile(told["path"]) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    manifest = json.loads(content["acme/manifest.json"])
    assert manifest["tenant"]["name"] == "艾可美美妆"
    assert "韩梅梅".encode() in content["acme/schema.sql"]
    assert content["acme/files/a.txt"] == b"hello"
    assert len(content["acme/tenants_credential.jsonl"].splitlines()) == 2
    everything = b"".join(content.values())
    assert b"canary-acme" in everything
    assert b"canary-globex" not in everything
    assert ACME.wecom.agent_secret.encode() not in everything
    assert Path(told["path"]).stat().st_mode & 0o077 == 0


def test_an_export_does_not_overwrite(acme, tmp_path):
    with pytest.raises(CommandError, match="exists"):
        run("tenant_export", "acme", to=tmp_path)


def test_deleting_needs_the_name(acme):
    with pytest.raises(CommandError, match="cannot be undone"):
        run("tenant_delete", "acme", yes="acme")

    assert Tenant.objects.filter(pk=acme.pk).exists()


def test_a_company_is_deleted_when_no_process_takes_it_for_open_any_more(db_commits, acme, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", lambda seconds: waited.append((seconds, "acme" in schemas())))
    run("tenant_delete", "acme", yes="艾可美美妆")

    ((seconds, there),) = waited
    assert 9 < seconds <= hosts.KEPT
    assert there


def test_a_deleted_tenant_leaves_nothing_and_its_secrets_are_lost(db_commits, acme, globex, clean_cache):
    Tenant.objects.filter(pk=acme.pk).update(status="suspended", suspended_at=timezone.now() - timedelta(minutes=1))
    credential = Credential.objects.filter(app__tenant=acme).first()
    backup = bytes(credential.sealed)
    OutgoingCall.objects.create(
        tenant=acme, app=credential.app, idem_key="k", api="x", purpose="x", body=b"", due_at="2026-01-01T00:00Z"
    )
    server = redis.Redis.from_url(settings.REDIS_URL)
    server.set("t:acme::1:x", 1)
    server.set("t:globex::1:x", 1)
    files_of("acme").mkdir(parents=True, exist_ok=True)
    (files_of("acme") / "a.txt").write_text("hello")

    told = run("tenant_delete", "acme", yes="艾可美美妆")

    assert told["rows"]["tenants_outgoingcall"] == 1
    assert "acme" not in schemas()
    assert "globex" in schemas()
    assert not TenantKey.objects.filter(tenant_id=acme.pk).exists()
    assert {key.decode() for key in server.scan_iter("t:*")} == {"t:globex::1:x"}
    assert not files_of("acme").exists()
    with pytest.raises(NoTenantKey):
        unseal(acme.pk, place_of(credential, "sealed"), backup)
    assert VendorAudit.objects.get(action="tenant_deleted").detail["schema"] == "acme"
    assert Receiver.objects.filter(tenant=globex).exists()


def test_accounts_of_the_vendor_are_made_in_the_public_schema(platform):
    told = run("ops_user_create", "root", name="平台管理员", role="owner", totp=True)

    with platform:
        operator = Operator.objects.get(username="root")
    assert operator.check_password(told["password"])
    assert told["totp"].startswith("otpauth://totp/")
    assert operator.has_second_factor
    with pytest.raises(CommandError, match="there is one"):
        run("ops_user_create", "ROOT")


def test_a_wrong_option_is_one_line_too(capsys):
    with pytest.raises(SystemExit) as ended:
        load_command_class("contacts", "sync_now").run_from_argv(["manage.py", "sync_now", "acme", "--only", "prices"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "argument --only: invalid choice: 'prices'" in told


def test_times_are_iso_8601_with_a_zone(acme):
    Receiver.objects.filter(tenant=acme).update(last_event_at=datetime(2026, 10, 1, 2, 0, tzinfo=UTC))
    assert run("inbox_status", "acme")["last_event_at"] == "2026-10-01T02:00:00+00:00"
