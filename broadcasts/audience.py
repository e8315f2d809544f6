"""Who gets a broadcast, through whom, and who is left out and why: one set of SQL for preflight, lists and plan.

A customer is asked for by the staff member with whom the newest message was exchanged, else by the one who became a
friend last; a group by its owner. WeCom does the same for itself (path/92135); we say it in the call.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from broadcasts.limits import limit_on
from broadcasts.models import Broadcast, LeftOut
from broadcasts.origins import origin_of
from members.models import Staff
from members.scope import visible_staff
from tagging.conditions import compile

Kind = Broadcast.Kind
Reason = LeftOut.Reason
PART = {Kind.CUSTOMERS: 10_000, Kind.GROUPS: 2_000}
"""How many one call takes (wecom-api.md 5.7)."""

TALKS: list[str] = [
    "SELECT customer_id, staff_id, at FROM content_sending WHERE customer_id IS NOT NULL AND via = 'sidebar'"
]
"""SELECTs of (customer_id, staff_id, at): who exchanged messages with whom. scrm/wiring.py adds the archive's."""

_ABLE = f"{{0}}.can_follow AND {{0}}.visible AND {{0}}.left_at IS NULL AND {{0}}.status = {Staff.Status.ACTIVE.value}"
_BUSY = """
busy AS (
    SELECT receiver FROM broadcasts_receipts WHERE kind = %s AND day >= %s GROUP BY receiver HAVING sum(count) >= %s
)"""
_CUSTOMERS = """
talked AS (
    SELECT customer_id, staff_id, max(at) AS at FROM ({talks}) spoken GROUP BY customer_id, staff_id
),
placed AS (
    SELECT DISTINCT ON (a.receiver) a.receiver, able.id AS staff_id,
        CASE WHEN tie.id IS NULL THEN 'deleted' WHEN able.id IS NULL THEN 'no_sender'
            WHEN busy.receiver IS NOT NULL THEN 'at_limit' END AS reason
    FROM audience a
    LEFT JOIN contacts_follow tie ON tie.customer_id = a.receiver AND tie.ended_at IS NULL AND NOT tie.half{through}
    LEFT JOIN able ON able.id = tie.staff_id
    LEFT JOIN talked ON talked.customer_id = a.receiver AND talked.staff_id = tie.staff_id
    LEFT JOIN busy ON busy.receiver = a.receiver
    ORDER BY a.receiver, able.id IS NULL, talked.at DESC NULLS LAST, tie.added_at DESC, tie.id DESC
)"""
_GROUPS = """
placed AS (
    SELECT g.id AS receiver, able.id AS staff_id,
        CASE WHEN able.id IS NULL THEN 'no_sender' WHEN busy.receiver IS NOT NULL THEN 'at_limit' END AS reason
    FROM contacts_groupchat g
    LEFT JOIN able ON able.id = g.owner_id
    LEFT JOIN busy ON busy.receiver = g.id
    WHERE g.dismissed_at IS NULL{owners}
)"""
_CROWDED = """,
waiting AS (
    SELECT r.id AS receiver, count(*) AS number FROM broadcasts_broadcastsender s
    JOIN broadcasts_broadcast b ON b.id = s.broadcast_id CROSS JOIN LATERAL unnest(s.receivers) AS r (id)
    WHERE b.kind = %s AND b.state = 'sending' AND b.id IS DISTINCT FROM %s
        AND (s.state IN ('planned', 'asked', 'unknown') OR s.poll_at IS NOT NULL)
        AND NOT EXISTS (SELECT FROM broadcasts_delivery d
            WHERE d.sender_id = s.id AND d.receiver = r.id AND d.state <> 'waiting')
    GROUP BY r.id
),
crowded AS (
    SELECT placed.receiver FROM placed JOIN waiting USING (receiver)
    WHERE placed.reason IS NULL AND waiting.number + COALESCE((SELECT sum(got.count) FROM broadcasts_receipts got
        WHERE got.kind = %s AND got.receiver = placed.receiver AND got.day >= %s), 0) >= %s
)"""
_THROUGH = " AND tie.staff_id = a.through"
_TIES = """
SELECT staff.id, count(*), NOT ({able}) FROM audience a
JOIN contacts_follow tie ON tie.customer_id = a.receiver AND tie.ended_at IS NULL AND NOT tie.half{through}
JOIN members_staff staff ON staff.id = tie.staff_id GROUP BY staff.id
"""


class Sql(NamedTuple):
    """`WITH …` up to `placed (receiver, staff_id, reason)`; a reason means: left out."""

    text: str
    params: list[Any]


def reach_of(operator: Any) -> list[int] | None:
    """The staff through whom an operator may send; None: everybody."""
    seen = visible_staff(operator)
    return None if seen is None else sorted(seen.values_list("pk", flat=True))


def staff_range(broadcast: Broadcast) -> list[int] | None:
    """Those who may be asked: the chosen ones, of the range of who sends it."""
    chosen, scope = broadcast.staff_ids, broadcast.scope_staff_ids
    if scope is None:
        return list(chosen) or None
    return sorted(set(scope) & set(chosen)) if chosen else list(scope)


def tree_of(broadcast: Broadcast) -> dict[str, Any]:
    """A saved segment speaks for itself until the broadcast is sent; then its conditions are kept."""
    if broadcast.segment is not None and broadcast.sent_at is None:
        return dict(broadcast.segment.tree)
    return dict(broadcast.tree)


def day_of(broadcast: Broadcast) -> date:
    """The day whose limit counts: of one that is put off, the day on which it goes."""
    now = timezone.now()
    at = broadcast.send_at if broadcast.sent_at is None else None
    return timezone.localdate(max(now, at) if at is not None else now)


def placed(broadcast: Broadcast) -> Sql:
    audience, params = _audience(broadcast)
    range_ = staff_range(broadcast)
    within = "" if range_ is None else " AND staff.id = ANY(%s)"
    able = f"able AS (SELECT staff.id FROM members_staff staff WHERE {_ABLE.format('staff')}{within})"  # noqa: S608
    limit = limit_on(day_of(broadcast))
    params += [*([] if range_ is None else [range_]), broadcast.kind, limit.since, limit.most]
    if broadcast.kind == Kind.GROUPS:
        rest = _GROUPS.format(owners="" if range_ is None else " AND g.owner_id = ANY(%s)")
        params += [] if range_ is None else [range_]
    else:
        rest = _CUSTOMERS.format(talks=" UNION ALL ".join(TALKS), through=_through(broadcast))
    return Sql(f"WITH {audience}{able},{_BUSY},{rest}", params)


def _audience(broadcast: Broadcast) -> tuple[str, list[Any]]:
    if broadcast.kind == Kind.GROUPS:
        return "", []
    where = compile(tree_of(broadcast), staff_ids=staff_range(broadcast))
    sql = f"SELECT f.customer_id AS receiver FROM contacts_customerfacts f WHERE {where.sql}"  # noqa: S608
    if (origin := origin_of(broadcast)) is None:
        return f"audience AS ({sql}), ", list(where.params)
    meant, number = origin
    sql = (
        "SELECT f.customer_id AS receiver, meant.staff_id AS through"  # noqa: S608
        f" FROM ({meant.receivers}) meant JOIN contacts_customerfacts f USING (customer_id) WHERE {where.sql}"
    )
    return f"audience AS ({sql}), ", [number, *where.params]


def _through(broadcast: Broadcast) -> str:
    """Who asked for it said by whom it is sent."""
    return _THROUGH if broadcast.origin else ""


def with_crowded(broadcast: Broadcast, sql: Sql) -> Sql:
    """`crowded (receiver)`: of those who will be sent it, who may not get it. WeCom counts what reaches a customer, so
    of messages that wait for their staff the first to be sent takes the last place (wecom-api.md 5.7, status 3)."""
    limit = limit_on(day_of(broadcast))
    params = [broadcast.kind, broadcast.pk, broadcast.kind, limit.since, limit.most]
    return Sql(f"{sql.text}{_CROWDED}", [*sql.params, *params])


def others_wait(broadcast: Broadcast) -> bool:
    """Of a day in a later span it cannot be said: what waits now is over by then, or not."""
    if limit_on(day_of(broadcast)).since > timezone.localdate():
        return False
    going = Broadcast.objects.filter(kind=broadcast.kind, state=Broadcast.State.SENDING)
    return going.exclude(pk=broadcast.pk).exists()


# -- preflight ---------------------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """One staff member who will be asked to send to so many."""

    staff: Staff
    total: int


class Unable(NamedTuple):
    """One who has friends in the audience, or owns groups, and cannot send."""

    staff: Staff
    friends: int
    reason: str


class Preflight(NamedTuple):
    """What would happen now, to the person: matched = asked + those left out."""

    matched: int
    friendships: int  # of customers: several staff may be friends with one
    left_out: dict[str, int]
    receivers: int
    senders: list[Asked]
    unable: list[Unable]
    crowded: int = 0  # of the receivers: messages that wait for their staff may take the last place

    @property
    def kept(self) -> dict[str, Any]:
        """As it is stored with the broadcast."""
        return {
            "matched": self.matched,
            "friendships": self.friendships,
            "left_out": self.left_out,
            "receivers": self.receivers,
            "senders": len(self.senders),
            "crowded": self.crowded,
        }


def preflight(broadcast: Broadcast) -> Preflight:
    sql = placed(broadcast)
    counted = "SELECT reason, CASE WHEN reason IS NULL THEN staff_id END, count(*), {} FROM placed{} GROUP BY 1, 2"
    crowd = ("0", "")
    if others_wait(broadcast):
        sql, crowd = with_crowded(broadcast, sql), ("count(crowded.receiver)", " LEFT JOIN crowded USING (receiver)")
    rows = _all(f"{sql.text} {counted.format(*crowd)}", sql.params)
    left_out = {reason: count for reason, _, count, _ in rows if reason is not None}
    totals = {staff: count for reason, staff, count, _ in rows if reason is None}
    ties = _ties(broadcast)
    unable = {staff: count for staff, count, cannot in ties if cannot}
    people = Staff.objects.in_bulk([*totals, *unable])
    return Preflight(
        matched=sum(count for _, _, count, _ in rows),
        friendships=sum(count for _, count, _ in ties),
        left_out=left_out,
        receivers=sum(totals.values()),
        senders=[Asked(people[pk], totals[pk]) for pk in sorted(totals, key=lambda pk: (-totals[pk], pk))],
        unable=[
            Unable(people[pk], unable[pk], why_unable(people[pk]))
            for pk in sorted(unable, key=lambda pk: (-unable[pk], pk))
        ],
        crowded=sum(count for _, _, _, count in rows),
    )


def _ties(broadcast: Broadcast) -> list[Any]:
    """Friendships, or groups, by staff: (staff, how many, cannot send)."""
    if broadcast.kind == Kind.GROUPS:
        able = _ABLE.format("staff")
        sql = (
            f"SELECT staff.id, count(*), NOT ({able}) FROM contacts_groupchat g"  # noqa: S608
            " JOIN members_staff staff ON staff.id = g.owner_id WHERE g.dismissed_at IS NULL"
        )
        range_ = staff_range(broadcast)
        within = "" if range_ is None else " AND g.owner_id = ANY(%s)"
        return _all(f"{sql}{within} GROUP BY staff.id", [] if range_ is None else [range_])
    audience, params = _audience(broadcast)
    ties = _TIES.format(able=_ABLE.format("staff"), through=_through(broadcast))
    return _all(f"WITH {audience.removesuffix(', ')} {ties}", params)


def why_unable(staff: Staff) -> str:
    """In words, "" for who can send."""
    if staff.left_at is not None or staff.status == Staff.Status.LEFT:
        return _("已离职")
    if not staff.can_follow:
        return _("没有客户联系权限")
    if not staff.visible:
        return _("不在应用可见范围")
    return "" if staff.status == Staff.Status.ACTIVE else _("未激活或已禁用")


# -- who is left out ---------------------------------------------------------------------------------------------------


def left_out_ids(broadcast: Broadcast, reason: str) -> tuple[str, list[Any]]:
    """A SELECT of those left out: as it was planned, or as it would be now."""
    if broadcast.sent_at is not None and broadcast.state not in (Broadcast.State.SCHEDULED, Broadcast.State.PLANNING):
        sql = "SELECT unnest(receivers) FROM broadcasts_leftout WHERE broadcast_id = %s AND reason = %s"
        return sql, [broadcast.pk, reason]
    now = placed(broadcast)
    return f"{now.text} SELECT receiver FROM placed WHERE reason = %s", [*now.params, reason]  # noqa: S608


EXPECTED = {
    "matched": "true",
    "receivers": "reason IS NULL",
    "crowded": "receiver IN (SELECT receiver FROM crowded)",
}


def expected_ids(broadcast: Broadcast, whom: str) -> tuple[str, list[Any]]:
    """A SELECT of all who are meant, or of those expected to get it, or of those who may not, as it would be now."""
    now = placed(broadcast)
    if whom == "crowded":
        now = with_crowded(broadcast, now)
    return f"{now.text} SELECT receiver FROM placed WHERE {EXPECTED[whom]}", now.params  # noqa: S608


def _all(sql: str, params: Iterable[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        rows: list[Any] = cursor.fetchall()
    return rows
