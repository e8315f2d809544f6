"""The plan of a broadcast: one row for each staff member's call, made by one statement, once."""

from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from broadcasts.audience import PART, placed
from broadcasts.models import Broadcast

State = Broadcast.State
_PLAN = """
, numbered AS (
    SELECT receiver, staff_id, (row_number() OVER (PARTITION BY staff_id ORDER BY receiver) - 1) / %s AS part
    FROM placed WHERE reason IS NULL
),
outside AS (
    INSERT INTO broadcasts_leftout (broadcast_id, reason, receivers, total)
    SELECT %s, reason, array_agg(receiver), count(*) FROM placed WHERE reason IS NOT NULL GROUP BY reason
    ON CONFLICT DO NOTHING
)
INSERT INTO broadcasts_broadcastsender
    (broadcast_id, staff_id, part, receivers, total, state, msgid, reason,
     sent, not_friend, at_limit, refused, reminded)
SELECT %s, staff_id, part, array_agg(receiver), count(*), 'planned', '', '', 0, 0, 0, 0, 0
FROM numbered GROUP BY staff_id, part
ON CONFLICT (broadcast_id, staff_id, part) DO NOTHING
"""


def plan(broadcast: Broadcast) -> int:
    """How many are asked. All of it commits with the new state: killed before that, it is made anew from nothing."""
    with transaction.atomic():
        found = Broadcast.objects.select_for_update(no_key=True).get(pk=broadcast.pk)
        if found.state == State.PLANNING:
            if not found.senders.exists():
                insert_senders(found)
            found.state = State.SENDING
            if not found.senders.exists():
                found.state, found.ended_at = State.FAILED, timezone.now()
                found.reason = _("没有可以通知的员工：受众为空，或都已达接收上限、已不是好友")
            found.save(update_fields=["state", "reason", "ended_at"])
        broadcast.state, broadcast.reason = found.state, found.reason
    return broadcast.senders.count()


def insert_senders(broadcast: Broadcast) -> None:
    sql = placed(broadcast)
    params: list[Any] = [*sql.params, PART[Broadcast.Kind(broadcast.kind)], broadcast.pk, broadcast.pk]
    with connection.cursor() as cursor:
        cursor.execute(sql.text + _PLAN, params)
