"""Two rows of one member become one: what was asked of either stands with the kept one."""

from typing import Any

from django.db import connection

_MOVE = """
UPDATE broadcasts_broadcastsender s SET staff_id = %(kept)s, part = s.part + coalesce((
    SELECT max(k.part) + 1 FROM broadcasts_broadcastsender k
    WHERE k.broadcast_id = s.broadcast_id AND k.staff_id = %(kept)s), 0)
WHERE s.staff_id = %(gone)s
"""
_NAMES = """
UPDATE broadcasts_broadcast SET staff_ids = array_replace(staff_ids, %(gone)s::bigint, %(kept)s::bigint),
    scope_staff_ids = array_replace(scope_staff_ids, %(gone)s::bigint, %(kept)s::bigint)
WHERE %(gone)s = ANY(staff_ids) OR %(gone)s = ANY(scope_staff_ids)
"""


def merge_senders(kept: int, gone: int, **_signal: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"kept": kept, "gone": gone})
        cursor.execute(_NAMES, {"kept": kept, "gone": gone})
