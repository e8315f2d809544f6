"""Secrets open for their own tenant and place only, and keys are changed while everything runs."""

import base64
import json
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tenants import keys, rotation
from tenants.keys import (
    KekMisconfigured,
    KekMissing,
    NoTenantKey,
    Unsealable,
    keks,
    parse_keks,
    seal,
    sealed_version,
    unseal,
)
from tenants.models import Credential, TenantKey
from tenants.provision import store_secret
from tenants.rotation import place_of
from tests.cast import ACME

NEW_KEK = "k2:" + base64.b64encode(b"2" * 32).decode()
PLACE = "tenants_credential|sealed|1"


def test_what_is_sealed_opens_again(acme):
    for plaintext in (b"", b"secret", "企业微信", b"x" * 100_000):
        expected = plaintext.encode() if isinstance(plaintext, str) else plaintext
        assert unseal(acme.pk, PLACE, seal(acme.pk, PLACE, plaintext)) == expected


def test_the_same_secret_is_sealed_differently_each_time(acme):
    assert seal(acme.pk, PLACE, "x") != seal(acme.pk, PLACE, "x")


def test_a_sealed_value_opens_in_its_own_place_and_tenant_alone(acme, globex):
    blob = seal(acme.pk, PLACE, "secret")

    for tenant, place in ((acme, "tenants_credential|sealed|2"), (globex, PLACE)):
        with pytest.raises(Unsealable):
            unseal(tenant.pk, place, blob)


def test_a_sealed_value_that_was_touched_does_not_open(acme):
    blob = seal(acme.pk, PLACE, "secret")
    for position in range(3, len(blob)):
        touched = bytearray(blob)
        touched[position] ^= 1
        with pytest.raises(Unsealable):
            unseal(acme.pk, PLACE, bytes(touched))
    for cut in (0, 1, 2, 3, 10, 30, len(blob) - 1):
        with pytest.raises(Unsealable):
            unseal(acme.pk, PLACE, blob[:cut])
    with pytest.raises(Unsealable):
        unseal(acme.pk, PLACE, b"\x02" + blob[1:])


def test_a_tenant_without_a_key_seals_nothing(db):
    with pytest.raises(NoTenantKey):
        seal(987654, PLACE, "x")


def test_keys_are_read_once(acme, django_assert_num_queries):
    blob = seal(acme.pk, PLACE, "x")
    with django_assert_num_queries(0):
        unseal(acme.pk, PLACE, blob)
        seal(acme.pk, PLACE, "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k1",
        "k1:",
        ":" + "A" * 43 + "=",
        "k1:" + "A" * 42,
        "k1:not base64!",
        "k1:" + base64.b64encode(b"1" * 16).decode(),
        "k 1:" + "A" * 43 + "=",
        "x" * 17 + ":" + "A" * 43 + "=",
        "A" * 43 + "=",
        f"{NEW_KEK},{NEW_KEK}",
        f"{NEW_KEK},",
    ],
)
def test_a_platform_key_in_any_other_form_is_named_and_not_shown(text):
    with pytest.raises(KekMisconfigured, match="SCRM_KEK") as caught:
        parse_keks(text)

    assert "AAAA" not in str(caught.value)
    assert NEW_KEK[3:] not in str(caught.value)


def test_the_published_key_guards_no_real_company(settings):
    settings.KEKS = settings.INSECURE_KEK
    assert keks()
    settings.BASE_DOMAIN = "scrm.example.com"
    with pytest.raises(KekMisconfigured):
        keks()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, set()),
        ({"BASE_DOMAIN": "scrm.example.com"}, {"tenants.E001", "tenants.E002"}),
        ({"BASE_DOMAIN": "scrm.example.com", "DEBUG": True}, set()),
        ({"BASE_DOMAIN": "scrm.example.com", "KEKS": NEW_KEK, "SECRET_KEY": "x" * 60}, set()),
        ({"KEKS": "nonsense"}, {"tenants.E001"}),
    ],
)
def test_a_release_does_not_start_on_published_secrets(settings, change, found):
    from tenants.settings_checks import secrets_are_ours

    settings.KEKS, settings.SECRET_KEY = settings.INSECURE_KEK, settings.INSECURE_SECRET
    for name, value in change.items():
        setattr(settings, name, value)

    assert {error.id for error in secrets_are_ours(None)} == found


def rotate(*arguments, **options):
    out = StringIO()
    call_command("keys_rotate", *arguments, json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def opened(tenant):
    return {
        credential.kind: unseal(tenant.pk, place_of(credential, "sealed"), credential.sealed).decode()
        for credential in Credential.objects.filter(app__tenant=tenant)
    }


def test_a_rotation_moves_every_secret_to_a_new_key(acme, globex):
    before = opened(acme)
    told = rotate("acme")

    assert told["rotated"]["acme"] == {"version": 2, "values": 4, "dropped": 0}
    assert opened(acme) == before
    assert before["app_secret"] == ACME.wecom.agent_secret
    assert {sealed_version(row.sealed) for row in Credential.objects.filter(app__tenant=acme)} == {2}
    assert {sealed_version(row.sealed) for row in Credential.objects.filter(app__tenant=globex)} == {1}


def test_the_key_before_opens_until_the_next_rotation(acme):
    late = seal(acme.pk, PLACE, "sealed by a process that did not hear yet")
    rotate("acme")
    assert unseal(acme.pk, PLACE, late)

    assert rotate("acme")["rotated"]["acme"]["dropped"] == 1
    assert list(TenantKey.objects.filter(tenant=acme).order_by("version").values_list("version", flat=True)) == [2, 3]
    with pytest.raises(NoTenantKey):
        unseal(acme.pk, PLACE, late)


def test_a_rotation_that_was_killed_is_finished_by_the_next(acme, monkeypatch):
    before = opened(acme)
    reseal = rotation._reseal
    monkeypatch.setattr(
        rotation,
        "_reseal",
        lambda tenant, column, version: 1 / 0 if column.column == "aes_key" else reseal(tenant, column, version),
    )
    with pytest.raises(ZeroDivisionError):
        rotation.rotate(acme)
    assert opened(acme) == before
    monkeypatch.undo()

    assert rotation.rotate(acme).version == 3
    assert opened(acme) == before


def test_a_new_platform_key_takes_over_and_the_old_one_can_go(acme, globex, settings):
    old = settings.KEKS
    settings.KEKS = f"{NEW_KEK},{old}"
    assert opened(acme)
    before = opened(acme)

    told = rotate(all=True, kek_only=True)

    assert told["rotated"] == {"public": {"keys": 1}, "acme": {"keys": 1}, "globex": {"keys": 1}}
    settings.KEKS = NEW_KEK
    keys.forget()
    assert opened(acme) == before
    settings.KEKS = old.replace("dev:", "other:")
    keys.forget()
    with pytest.raises(KekMissing):
        opened(acme)


def test_all_keys_are_rotated_the_platforms_too(acme, globex, platform):
    told = rotate(all=True)

    assert {schema: numbers["version"] for schema, numbers in told["rotated"].items()} == {
        "public": 2,
        "acme": 2,
        "globex": 2,
    }


def test_keys_rotate_says_what_it_needs(db):
    for arguments, options in (((), {}), (("acme",), {"all": True}), (("nobody",), {})):
        with pytest.raises(CommandError):
            rotate(*arguments, **options)


def test_secrets_are_read_and_written_while_the_key_changes(db_commits, acme):
    stop, errors = threading.Event(), []

    def work() -> None:
        app = acme.apps.get()
        number = 0
        while not stop.is_set():
            try:
                number += 1
                row = store_secret(app, "archive_key", f"PRIVATE KEY----- {number}")
                row.refresh_from_db()
                assert unseal(acme.pk, place_of(row, "sealed"), row.sealed).decode().endswith(str(number))
                assert opened(acme)["app_secret"] == ACME.wecom.agent_secret
            except BaseException as error:  # noqa: BLE001  told to the test
                errors.append(error)
                break
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(3):
        rotation.rotate(acme)
    stop.set()
    thread.join()

    assert errors == []
    assert len(opened(acme)) == 3


def test_every_sealed_column_is_known_to_the_rotation():
    """A column that is forgotten here would be lost two rotations later."""
    from django.apps import apps
    from django.db.models import BinaryField

    not_sealed = {
        ("tenants.AccessToken", "sealed"),  # fetched again
        ("tenants.TenantKey", "wrapped"),
        ("callbacks.InboxEvent", "body"),  # encrypted by the receiver's EncodingAESKey
        ("callbacks.InboxEvent", "dedupe_key"),
        ("contacts.Customer", "raw_hash"),
        ("contacts.Follow", "raw_hash"),
        ("integrations.ApiKey", "digest"),
        ("integrations.IdempotentRequest", "request_hash"),
    }
    columns = {
        (model._meta.label, field.name)
        for model in apps.get_models()
        for field in model._meta.fields
        if isinstance(field, BinaryField)
    }
    assert columns - not_sealed == {(column.model, column.column) for column in rotation.SEALED}
