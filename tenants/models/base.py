"""What every tenant-owned row carries: the number of its tenant, checked by Python and again by the database."""

from collections.abc import Collection, Iterable
from typing import Any, Self, TypeVar

from django.db import models

from tenants.db import connection
from tenants.recycling import PUBLIC

Row = TypeVar("Row", bound=models.Model, covariant=True)


class WrongTenant(RuntimeError):
    """A row or a query of one tenant's schema was used in another's."""


class TenantQuerySet(models.QuerySet[Row]):
    """A query made in one tenant and read in another would answer with the other's rows: it is refused instead."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made_in: str | None = connection.schema_name

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone._made_in = self._made_in
        return clone

    def _refuse_other_schema(self) -> None:
        here = connection.schema_name
        if self._made_in not in {here, PUBLIC}:  # made while modules load, a query belongs to nobody yet
            raise WrongTenant(f"query of {self.model._meta.label} made in {self._made_in}, used in {here}")

    @property
    def db(self) -> str:
        """Read by everything that reaches the database."""
        self._refuse_other_schema()
        return super().db

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        """As part of another query."""
        self._refuse_other_schema()
        return super().resolve_expression(*args, **kwargs)

    def bulk_update(self, objs: Iterable[Row], *args: Any, **kwargs: Any) -> int:
        objs = list(objs)
        for row in objs:
            if isinstance(row, TenantModel):
                row.refuse_other_schema()
        return super().bulk_update(objs, *args, **kwargs)


class TenantModel(models.Model):
    """Base of every model that lives in a tenant's schema.

    `tenant_id` is filled by the column's default, which differs from schema to schema, and a CHECK in each schema
    refuses any other value: a row that crosses tenants fails in the database even when Python forgot.
    A manager of its own must come from a `TenantQuerySet`.
    """

    tenant_id = models.IntegerField(db_default=0, editable=False)

    objects = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        abstract = True

    _loaded_schema: str | None = None

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        instance = super().from_db(db, field_names, values, **options)
        schema = instance._loaded_schema = connection.schema_name
        owner = 0 if schema == PUBLIC else getattr(connection.tenant, "pk", None)
        if owner is not None and instance.__dict__.get("tenant_id", owner) != owner:
            # the schema has no such table (deleted, not migrated yet): Postgres went on to the public one
            raise WrongTenant(f"{cls._meta.label} of tenant {instance.tenant_id} read in {schema}")
        return instance

    def refuse_other_schema(self) -> None:
        if self._loaded_schema is not None and self._loaded_schema != connection.schema_name:
            raise WrongTenant(f"{self._meta.label} of {self._loaded_schema} used in {connection.schema_name}")

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.refuse_other_schema()
        super().save(*args, **kwargs)
        self._loaded_schema = connection.schema_name

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self.refuse_other_schema()
        return super().delete(*args, **kwargs)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self.refuse_other_schema()
        super().refresh_from_db(*args, **kwargs)
