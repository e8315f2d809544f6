"""客户阶段: one pipeline of the company's own. Moving customers along it, and keeping it in order."""

import uuid
from collections.abc import Iterable, Sequence

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk
from contacts.models import Customer, Stage, TimelineEntry
from contacts.order import last_place
from contacts.signals import stage_changed

MOST = 20
SET = 2000

_MOVE = """
WITH moved AS (
    SELECT c.id, c.stage_id AS old FROM contacts_customer c
    WHERE c.id = ANY(%(ids)s) AND c.stage_id IS DISTINCT FROM %(stage)s ORDER BY c.id FOR UPDATE
)
UPDATE contacts_customer c SET stage_id = %(stage)s, stage_at = %(at)s, updated_at = %(at)s
FROM moved WHERE c.id = moved.id RETURNING c.id, moved.old
"""


def living_stages() -> QuerySet[Stage]:
    """The pipeline, in its order."""
    return Stage.objects.filter(archived_at=None).order_by("order", "id")


def stage_named(name: str) -> Stage:
    """The stage of that name; ValidationError in the user's words."""
    stage = living_stages().filter(name=name.strip()).first()
    if stage is None:
        raise ValidationError({"stage": _("没有名为“%(name)s”的阶段") % {"name": name}})
    return stage


def move_to_stage(customers: Iterable[int], stage: Stage | None, *, by: str, source: str) -> int:
    """Move customers (their ids) to a stage, None being none; how many were not there already.

    Each move stands on the customer's timeline; `stage_changed` is sent once per set, in its transaction.
    """
    if stage is not None and stage.archived_at is not None:
        raise ValidationError({"stage": _("阶段“%(name)s”已停用") % {"name": stage.name}})
    ids = sorted(set(customers))
    return sum(_move(ids[start : start + SET], stage, by, source) for start in range(0, len(ids), SET))


@transaction.atomic
def _move(ids: Sequence[int], stage: Stage | None, by: str, source: str) -> int:
    bulk.lock_customers()
    at, act, stage_id = timezone.now(), uuid.uuid4().hex[:12], stage.pk if stage else None
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"ids": list(ids), "stage": stage_id, "at": at})
        moved = dict(cursor.fetchall())
        if not moved:
            return 0
        bulk.refresh_facts(cursor, list(moved))
    names = dict(Stage.objects.filter(pk__in=set(moved.values()) - {None}).values_list("pk", "name"))
    kind = TimelineEntry.Kind.STAGE_CHANGED
    to = stage.name if stage else ""
    bulk.write_timeline(
        [
            bulk.Entry(
                key=f"{kind}:{pk}:{act}",
                kind=kind,
                at=at,
                customer_id=pk,
                actor=by,
                payload={"from": names.get(old, ""), "to": to, "stage": stage_id},
            )
            for pk, old in moved.items()
        ],
        source=source,
    )
    stage_changed.send(Customer, customer_ids=list(moved), stage_id=stage_id, source=source)
    return len(moved)


# -- the pipeline itself -----------------------------------------------------------------------------------------------


@transaction.atomic
def add_stage(name: str, outcome: str = Stage.Outcome.OPEN) -> Stage:
    """At the end of the pipeline. A name that was put away comes back with its customers."""
    name = _checked(name)
    _refuse_one_more()
    order = last_place(living_stages())
    old = Stage.objects.filter(name=name).exclude(archived_at=None).order_by("-archived_at").first()
    if old is not None:
        old.archived_at, old.order, old.outcome = None, order, outcome
        old.save(update_fields=["archived_at", "order", "outcome"])
        return old
    return Stage.objects.create(name=name, outcome=outcome, order=order)


def change_stage(stage: Stage, *, name: str, outcome: str) -> None:
    stage.name, stage.outcome = _checked(name, stage), outcome
    stage.save(update_fields=["name", "outcome"])


def put_away(stage: Stage) -> None:
    """It can no longer be chosen; customers who are in it stay in it until somebody moves them."""
    stage.archived_at = timezone.now()
    stage.save(update_fields=["archived_at"])


@transaction.atomic
def bring_back(stage: Stage) -> None:
    """To the place it had, with those who are still in it."""
    _checked(stage.name, stage)
    _refuse_one_more()
    stage.archived_at = None
    stage.save(update_fields=["archived_at"])


def _refuse_one_more() -> None:
    if living_stages().count() >= MOST:
        raise ValidationError({"name": _("最多 %(most)d 个阶段") % {"most": MOST}})


def _checked(name: str, stage: Stage | None = None) -> str:
    name = name.strip()
    if not name:
        raise ValidationError({"name": _("请填写阶段名称")})
    if len(name) > 20:
        raise ValidationError({"name": _("阶段名称最多 20 个字")})
    if living_stages().filter(name=name).exclude(pk=stage.pk if stage else 0).exists():
        raise ValidationError({"name": _("已有同名的阶段")})
    return name
