"""Who enters a plan: what happened to a friendship is told by signals, and the same cause enters once.

An enrolment keeps the version it began with; all its steps are rows of the due index from the beginning.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from contacts import bulk
from contacts.models import Customer, Follow, FollowTag, TimelineEntry
from members.models import Staff
from sop import exits, rules, timing
from sop.models import Enrolment, Plan, PlanVersion, Step, StepRun
from sop.pace import Pace
from tagging.models import SegmentMember
from tenants import due
from tenants.staging import one_writer

STEP = "sop.step"
"""The kind of the due rows of step runs."""


class Begin(NamedTuple):
    follow_id: int
    cause: str
    anchor_at: datetime


_ENROL = """
INSERT INTO sop_enrolment (plan_id, version_id, follow_id, cause, anchor_at, state, exit_reason)
SELECT DISTINCT ON (f.customer_id) %(plan)s, %(version)s, f.id, b.cause, b.at, 'active', ''
FROM unnest(%(follows)s::bigint[], %(causes)s::text[], %(times)s::timestamptz[]) AS b (follow_id, cause, at)
JOIN contacts_follow f ON f.id = b.follow_id AND f.ended_at IS NULL AND NOT f.half
WHERE NOT EXISTS (
    SELECT FROM sop_enrolment e JOIN contacts_follow o ON o.id = e.follow_id
    WHERE e.plan_id = %(plan)s AND e.state = 'active' AND o.customer_id = f.customer_id)
AND NOT EXISTS (
    SELECT FROM sop_enrolment e WHERE e.plan_id = %(plan)s AND e.follow_id = f.id AND e.cause = b.cause)
AND NOT EXISTS (
    SELECT FROM sop_enrolment e JOIN contacts_follow o ON o.id = e.follow_id
    WHERE e.plan_id = %(plan)s AND o.customer_id = f.customer_id AND b.cause = ANY (e.also))
ORDER BY f.customer_id, b.at DESC
ON CONFLICT DO NOTHING RETURNING id, follow_id, anchor_at
"""


# a worker that lets its steps fall due holds the row, and may wait for rows of ours
_ALSO = """
WITH came AS (
    SELECT e.id, array_agg(DISTINCT b.cause) AS causes
    FROM unnest(%(follows)s::bigint[], %(causes)s::text[]) AS b (follow_id, cause)
    JOIN contacts_follow f ON f.id = b.follow_id
    JOIN contacts_follow o ON o.customer_id = f.customer_id
    JOIN sop_enrolment e ON e.follow_id = o.id AND e.plan_id = %(plan)s AND e.state = 'active'
    WHERE e.cause <> b.cause AND NOT b.cause = ANY (COALESCE(e.also, '{}'))
    GROUP BY e.id
), free AS (
    SELECT id FROM sop_enrolment WHERE id IN (SELECT id FROM came) FOR UPDATE SKIP LOCKED
)
UPDATE sop_enrolment e SET also = COALESCE(e.also, '{}') || came.causes
FROM came WHERE came.id = e.id AND e.id IN (SELECT id FROM free)
"""
_ANY = "SELECT EXISTS (SELECT FROM sop_plan WHERE enabled AND archived_at IS NULL AND trigger = ANY(%s))"


def running(*on: str) -> list[PlanVersion]:
    """The newest published version of each plan that begins with one of these. Where there is none, which is so for
    most news of most companies, that is all that is asked."""
    with connection.cursor() as cursor:
        cursor.execute(_ANY, [list(on)])
        if not cursor.fetchone()[0]:
            return []
    rows = PlanVersion.objects.filter(
        plan__enabled=True, plan__archived_at=None, plan__trigger__in=on, published_at__isnull=False
    )
    return list(rows.select_related("plan").order_by("plan_id", "-number").distinct("plan_id"))


def newest(plan: Plan) -> PlanVersion | None:
    return plan.versions.exclude(published_at=None).order_by("-number").first()


def enrol(plan: Plan, follow_ids: Iterable[int], cause: str, anchor_at: datetime) -> int:
    """Put friendships into the plan's newest version; how many are in it now by this cause and were not before."""
    version = newest(plan)
    return begin(version, [Begin(pk, cause, anchor_at) for pk in follow_ids]) if version else 0


@transaction.atomic
def begin(version: PlanVersion, begins: Sequence[Begin]) -> int:
    """One run of a plan at a time for a customer, whichever friend it goes by; a cause that was there, or came while
    another run was on its way, enters nobody."""
    if not begins:
        return 0
    values: dict[str, Any] = {
        "plan": version.plan_id,
        "version": version.pk,
        "follows": [one.follow_id for one in begins],
        "causes": [one.cause[:120] for one in begins],
        "times": [one.anchor_at for one in begins],
    }
    with connection.cursor() as cursor:
        one_writer(cursor, f"sop plan {version.plan_id}")
        cursor.execute(_ENROL, values)
        made: list[tuple[int, int, datetime]] = cursor.fetchall()
        if len(made) < len(begins):
            cursor.execute(_ALSO, values)
    if made:
        _plan_steps(version, made)
        _tell(version, made)
    return len(made)


def _plan_steps(version: PlanVersion, made: list[tuple[int, int, datetime]]) -> None:
    zone, steps, pace = timezone.get_current_timezone(), list(version.steps.order_by("no")), rules.pace()
    runs = [_run_of(step, pk, anchor_at, zone, pace) for pk, _follow, anchor_at in made for step in steps]
    StepRun.objects.bulk_create(runs, batch_size=5000)
    due.put(STEP, {run.pk: run.due_at for run in runs if run.state == StepRun.State.WAITING})
    waiting = {run.enrolment_id for run in runs if run.state == StepRun.State.WAITING}
    exits.finish({pk for pk, _follow, _anchor in made} - waiting)


def _run_of(step: Step, enrolment_id: int, anchor_at: datetime, zone: Any, pace: Pace) -> StepRun:
    fall = timing.falls(step, anchor_at, zone, f"{enrolment_id}:{step.no}", pace)
    run = StepRun(enrolment_id=enrolment_id, step=step, due_at=fall.at, reason=fall.reason)
    if fall.missed:
        run.state, run.settled_at = StepRun.State.EXPIRED, timezone.now()
    return run


def _tell(version: PlanVersion, made: list[tuple[int, int, datetime]]) -> None:
    follows = Follow.objects.in_bulk([follow_id for _pk, follow_id, _at in made])
    payload = {"plan": version.plan_id, "name": version.plan.name, "version": version.number}
    bulk.write_timeline(
        [
            bulk.Entry(
                key=f"sop_enrolled:{pk}",
                kind=TimelineEntry.Kind.SOP_ENROLLED,
                at=timezone.now(),
                customer_id=follows[follow_id].customer_id,
                staff_id=follows[follow_id].staff_id,
                payload=payload,
            )
            for pk, follow_id, _at in made
        ],
        source=TimelineEntry.Source.SYSTEM,
    )


# -- what happened -----------------------------------------------------------------------------------------------------


def follows_added(follow_ids: Collection[int]) -> None:
    """New friendships, with the tags that they brought."""
    versions = running("added", "tag")
    by_adding = [version for version in versions if version.plan.trigger == "added"]
    follows = list(Follow.objects.filter(pk__in=follow_ids)) if by_adding else []
    for version in by_adding:
        begin(version, [added(follow) for follow in follows if for_staff(version, follow.staff_id)])
    _tags_put(follow_ids, [version for version in versions if version.plan.trigger == "tag"])


def added(follow: Follow) -> Begin:
    return Begin(follow.pk, f"added:{follow.added_at.timestamp():.0f}", follow.added_at)


def tags_put(follow_ids: Collection[int]) -> None:
    """A tag's link to a friendship is made when the tag is put on: its number tells each time from the other."""
    _tags_put(follow_ids, running("tag"))


def _tags_put(follow_ids: Collection[int], versions: Iterable[PlanVersion]) -> None:
    now = timezone.now()
    for version in versions:
        links = FollowTag.objects.filter(
            follow__in=follow_ids, tag__in=version.trigger.get("tags", []), pk__gt=version.trigger.get("after", 0)
        ).select_related("follow")
        begins = [
            Begin(link.follow_id, f"tag:{link.tag_id}:{link.pk}", now)
            for link in links
            if for_staff(version, link.follow.staff_id)
        ]
        begin(version, begins)


def stage_reached(customer_ids: Collection[int], stage_id: int | None) -> None:
    versions = [one for one in running("stage") if stage_id is not None and one.trigger.get("stage") == stage_id]
    if not versions:
        return
    times = dict(Customer.objects.filter(pk__in=customer_ids).values_list("pk", "stage_at"))
    now = timezone.now()
    for version in versions:
        friends = friends_of(customer_ids, version)
        begin(
            version,
            [
                Begin(pk, f"stage:{stage_id}:{(times[customer] or now).timestamp():.0f}", now)
                for customer, pk in friends.items()
            ],
        )


def segment_entered(segment_id: int, customer_ids: Collection[int]) -> None:
    versions = [one for one in running("segment") if one.trigger.get("segment") == segment_id]
    if not versions:
        return
    members = SegmentMember.objects.filter(segment=segment_id, customer__in=customer_ids, left_at=None)
    stays = dict(members.values_list("customer_id", "pk"))
    now = timezone.now()
    for version in versions:
        begin(
            version,
            [
                Begin(pk, f"segment:{segment_id}:{stays.get(customer, 0)}", now)
                for customer, pk in friends_of(customer_ids, version).items()
            ],
        )


def for_staff(version: PlanVersion, staff_id: int) -> bool:
    wanted = version.trigger.get("staff")
    return not wanted or staff_id in wanted


def friends_of(customer_ids: Collection[int], version: PlanVersion | None = None) -> dict[int, int]:
    """By customer the friendship that speaks for the company: the newest with somebody who can write."""
    rows = Follow.objects.living().filter(customer__in=customer_ids, half=False).filter(able("staff__"))
    if version is not None and version.trigger.get("staff"):
        rows = rows.filter(staff__in=version.trigger["staff"])
    rows = rows.order_by("customer_id", "-added_at", "-id").distinct("customer_id")
    return dict(rows.values_list("customer_id", "pk"))


def able(prefix: str = "") -> Q:
    """Members who can write to customers."""
    return Q(**{f"{prefix}left_at": None, f"{prefix}status": Staff.Status.ACTIVE})


def active(plan: Plan) -> int:
    return Enrolment.objects.filter(plan=plan, state=Enrolment.State.ACTIVE).alias(one=F("pk")).count()
