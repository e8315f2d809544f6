"""The database backend: django-tenants' own, which asks a kept connection nothing that it is about to ask anyway."""

from django.db import Error
from django_tenants.postgresql_backend import base


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # the library ships no types
    def is_usable(self) -> bool:
        """Whether a kept connection still lives. Before the first statement of a request a `SET search_path` is due:
        that it succeeds says as much as a `SELECT 1`, a round trip less. If it fails, the caller closes the connection,
        which forgets the path with it, and the new one begins with its own SET."""
        if self.connection is None or self.search_path_set_schemas:
            return bool(super().is_usable())
        try:
            with self._prepare_cursor(self.create_cursor()) as cursor:
                self._handle_search_path(cursor)
        except (Error, base.psycopg.Error):
            return False
        return self.search_path_set_schemas is not None
