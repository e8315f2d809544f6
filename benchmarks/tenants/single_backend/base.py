"""Django's own Postgres backend for the one company that the reference serves: no schema is ever chosen."""

import os
from functools import cached_property
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    schema_name = os.environ.get("BENCH_SCHEMA", "public")

    @cached_property
    def tenant(self) -> Any:
        """Read once in a process, as a setting would be."""
        from tenants.models import Tenant

        return Tenant.objects.get(schema_name=self.schema_name)

    def set_tenant(self, tenant: Any) -> None:
        """There is one."""

    def set_schema_to_public(self) -> None:
        """There is one."""
