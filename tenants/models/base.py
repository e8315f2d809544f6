"""What every tenant-owned row carries: the number of its tenant, checked by Python and again by the database."""

from typing import Any, Self

from django.db import connection, models


class WrongTenant(RuntimeError):
    """A row was loaded in one tenant's schema and used in another's."""


class TenantModel(models.Model):
    """Base of every model that lives in a tenant's schema.

    `tenant_id` is filled by the column's default, which differs from schema to schema, and a CHECK in each schema
    refuses any other value: a row that crosses tenants fails in the database even when Python forgot.
    """

    tenant_id = models.IntegerField(db_default=0, editable=False)

    class Meta:
        abstract = True

    _loaded_schema: str | None = None

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any) -> Self:
        instance = super().from_db(db, field_names, values)
        instance._loaded_schema = connection.schema_name
        return instance

    def _refuse_other_schema(self) -> None:
        if self._loaded_schema is not None and self._loaded_schema != connection.schema_name:
            raise WrongTenant(f"{self._meta.label} of {self._loaded_schema} used in {connection.schema_name}")

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_other_schema()
        super().save(*args, **kwargs)
        self._loaded_schema = connection.schema_name

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self._refuse_other_schema()
        return super().delete(*args, **kwargs)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_other_schema()
        super().refresh_from_db(*args, **kwargs)
