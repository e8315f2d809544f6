"""Rotation of keys while everything runs: which columns are sealed, and how they move to a new data key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from tenants import keys
from tenants.models import OutgoingCall, Tenant, TenantKey
from tenants.recycling import PUBLIC

BATCH = 500


def place_of(row: models.Model, column: str) -> str:
    """The usual name of a sealed value: "table|column|pk"."""
    return f"{row._meta.db_table}|{column}|{row.pk}"


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose values `keys.seal` made.

    `tenant` is the lookup from a row of the shared schema to its tenant; empty for a model of the tenants' own schemas.
    `name` must give the very name that was sealed with; without it that is "table|column|pk".
    """

    model: str
    column: str
    tenant: str = ""
    name: Callable[[Any], str] | None = None

    def place(self, row: models.Model) -> str:
        return self.name(row) if self.name else place_of(row, self.column)

    def is_in(self, schema: str) -> bool:
        """The public schema has the tables of few of the tenants' apps."""
        config = apps.get_app_config(self.model.partition(".")[0])
        return bool(self.tenant) or schema != PUBLIC or config.name in settings.SHARED_APPS

    def rows(self, tenant: Tenant) -> models.QuerySet[Any]:
        manager = apps.get_model(self.model)._base_manager
        rows: models.QuerySet[Any] = manager.filter(**{self.tenant: tenant}) if self.tenant else manager.all()
        return rows.exclude(**{self.column: None}).order_by("pk")


def place_of_body(call: OutgoingCall) -> str:
    """The key is known before the row has a number, and never changes."""
    return f"{call._meta.db_table}|body|{call.idem_key}"


SEALED: list[SealedColumn] = [  # higher layers add their own in scrm/wiring.py; access tokens are fetched again instead
    SealedColumn("tenants.Credential", "sealed", tenant="app__tenant"),
    SealedColumn("tenants.ReceiverKey", "token", tenant="receiver__tenant"),
    SealedColumn("tenants.ReceiverKey", "aes_key", tenant="receiver__tenant"),
    SealedColumn("tenants.OutgoingCall", "body", tenant="tenant", name=place_of_body),
]


@dataclass(frozen=True, slots=True)
class Rotated:
    version: int
    values: int
    dropped: int


def rewrap_keys(tenant: Tenant) -> int:
    """Wrap the tenant's data keys by the platform's newest key; what they seal stays as it is."""
    return sum(keys.rewrap(row) for row in TenantKey.objects.filter(tenant=tenant))


def rotate(tenant: Tenant) -> Rotated:
    """A new data key, and every sealed value moved to it.

    Other processes may seal with the version before for some seconds more, so that one stays until the next rotation;
    older ones go, since nothing is sealed with them any more. A rotation that was killed is finished by the next one.
    """
    version = keys.next_key(tenant.pk)
    values = 0
    with tenant:
        for column in filter(lambda column: column.is_in(tenant.schema_name), SEALED):
            values += _reseal(tenant, column, version)
    dropped, _ = TenantKey.objects.filter(tenant=tenant, version__lt=version - 1).delete()
    keys.forget(tenant.pk)
    return Rotated(version, values, dropped)


def _reseal(tenant: Tenant, column: SealedColumn, version: int) -> int:
    done, after = 0, None
    while True:
        with transaction.atomic():
            rows = column.rows(tenant).select_for_update(of=("self",))
            batch = list((rows.filter(pk__gt=after) if after is not None else rows)[:BATCH])
            for row in batch:
                blob = getattr(row, column.column)
                if keys.sealed_version(blob) == version:
                    continue
                place = column.place(row)
                plaintext = keys.unseal(tenant.pk, place, blob)
                setattr(row, column.column, keys.seal(tenant.pk, place, plaintext))
                row.save(update_fields=[column.column])
                done += 1
        if len(batch) < BATCH:
            return done
        after = batch[-1].pk
