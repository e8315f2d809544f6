"""Two rows of one member become one: conversations and alerts of either are the kept one's."""

from typing import Any

from django.db import connection

_MOVES = (
    """UPDATE archive_conversation SET staff_ids = (
        SELECT array_agg(DISTINCT one ORDER BY one)
        FROM unnest(array_replace(staff_ids, %(gone)s::bigint, %(kept)s::bigint)) one
    ) WHERE staff_ids @> ARRAY[%(gone)s::bigint]""",
    "UPDATE archive_alert SET staff_id = %(kept)s WHERE staff_id = %(gone)s",
    "UPDATE archive_alert SET assigned_to_id = %(kept)s WHERE assigned_to_id = %(gone)s",
)


def merge_talks(kept: int, gone: int, **_signal: Any) -> None:
    with connection.cursor() as cursor:
        for statement in _MOVES:
            cursor.execute(statement, {"kept": kept, "gone": gone})
