"""A member got a new userid and stood under both for a while: friendships that we have twice become one."""

from typing import Any

from django.db import connection
from django.db.models import OuterRef, Subquery

from contacts import bulk
from contacts.friendship import Friendship
from contacts.models import Follow, FollowTag

TOLD = ("added_at", "remark", "description", "remark_corp_name", "add_way", "state", "oper_userid")
STATE = ("opened_at", "half", "deleted_by_staff_at", "deleted_by_customer_at", "ended_at", "ended_by")
_SAME_TWICE = """
DELETE FROM contacts_timelineentry t USING contacts_timelineentry k
WHERE t.staff_id = %s AND k.staff_id = %s AND k.customer_id = t.customer_id AND k.kind = t.kind AND k.at = t.at
"""


def merge_twins(kept: int, gone: int, **_signal: Any) -> None:
    """What only one of the two rows knows goes into the kept one; the rest of `gone` is moved by whoever merges."""
    bulk.lock_customers()
    under_both = Follow.objects.filter(staff_id=gone, customer=OuterRef("customer")).values("pk")[:1]
    mine = Follow.objects.filter(staff_id=kept).annotate(twin=Subquery(under_both)).exclude(twin=None)
    twins = Follow.objects.in_bulk(mine.values_list("twin", flat=True))
    merged = list(mine)
    for follow in merged:
        _take_over(follow, twins[follow.twin])
    if merged:
        fields = [*TOLD, *STATE, "last_event_at", "raw_hash"]
        Follow.objects.bulk_update(merged, fields, batch_size=500)
        FollowTag.objects.filter(follow__in=merged).delete()
        by_twin = {follow.twin: follow.pk for follow in merged}
        links = FollowTag.objects.filter(follow__in=by_twin).values_list("follow_id", "tag_id")
        FollowTag.objects.bulk_create(FollowTag(follow_id=by_twin[twin], tag_id=tag) for twin, tag in list(links))
        Follow.objects.filter(pk__in=by_twin).delete()
        bulk.refresh_customers({follow.customer_id for follow in merged})
    others = Follow.objects.filter(staff_id=gone)
    moved = list(others.values_list("customer_id", flat=True))
    others.update(staff_id=kept)  # here already, where the facts can follow
    with connection.cursor() as cursor:
        bulk.refresh_facts(cursor, moved)
        cursor.execute(_SAME_TWICE, [gone, kept])


def _take_over(follow: Follow, twin: Follow) -> None:
    """WeCom's words are the newer row's; what only events told is in either."""
    one = Friendship.stored(*(getattr(follow, name) for name in STATE))
    one.join(Friendship.stored(*(getattr(twin, name) for name in STATE)))
    follow.opened_at, follow.half = one.opened_at, one.half
    follow.deleted_by_staff_at, follow.deleted_by_customer_at = one.deleted_by_staff_at, one.left_at
    follow.ended_at, follow.ended_by = one.ending
    for name in TOLD:
        setattr(follow, name, getattr(twin, name))
    follow.last_event_at = max(filter(None, [follow.last_event_at, twin.last_event_at]), default=None)
    follow.raw_hash = b""  # the numbers are sealed for the row of the twin: the next reading brings them
