"""自动标签 at work: facts come in, rules that they meet change tags, and every hit is written down with its reason."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from contacts.models import Follow, FollowTag, Tag, TimelineEntry
from tagging.marking import change_tags, rule_at_work
from tagging.models import RuleHit, TagRule
from tagging.triggers import TRIGGERS, Fact
from tenants.models import OutgoingCall

logger = logging.getLogger(__name__)

State = RuleHit.State
MOST_RULES = 100
CALM = timedelta(hours=1)
MOST_PER_HOUR = 5
"""So often may one rule act on one friendship within an hour; beyond that something goes round in circles."""
FORGOTTEN = 5000  # hits in one statement
PATIENCE = 8000  # milliseconds that a dry run may take
SAMPLE = 20
TRIAL_DAYS = 30


def living_rules() -> Any:
    return TagRule.objects.filter(archived_at=None)


_ANY = "SELECT EXISTS (SELECT FROM tagging_tagrule WHERE enabled AND archived_at IS NULL AND trigger = %s)"


def fire(trigger: str, facts: Iterable[Fact]) -> int:
    """Let the enabled rules of a trigger look at these facts, which are only worked out if there is a rule; how many
    hits are new.

    Part of the caller's transaction. A rule at fault is noted and harms neither the others nor the news itself.
    """
    with connection.cursor() as cursor:  # by hand: the ORM took longer to ask than Postgres to answer
        cursor.execute(_ANY, [trigger])
        if not cursor.fetchone()[0]:
            return 0
    count, known = 0, list(facts)
    for rule in living_rules().filter(enabled=True, trigger=trigger).order_by("id") if known else ():
        try:
            with transaction.atomic(), override("zh-hans"):  # what is kept for others to read
                count += _apply(rule, known)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("tag rule %s failed", rule.pk)
    return count


def _apply(rule: TagRule, facts: Sequence[Fact]) -> int:
    trigger = TRIGGERS[rule.trigger]
    met = [(fact, trigger.meets(rule.conditions, fact)) for fact in facts]
    wanted = {(fact.follow, fact.cause): reason for fact, reason in met if reason is not None}
    if not wanted:
        return 0
    old = set(
        RuleHit.objects.filter(rule=rule, follow__in={follow for follow, _cause in wanted}).values_list(
            "follow", "cause"
        )
    )
    rows = [
        RuleHit(rule=rule, follow_id=follow, cause=cause, reason=reason)
        for (follow, cause), reason in wanted.items()
        if (follow, cause) not in old
    ]
    known = set(Follow.objects.filter(pk__in={row.follow_id for row in rows}).values_list("pk", flat=True))
    rows = [row for row in rows if row.follow_id in known]
    hits = RuleHit.objects.bulk_create(rows)
    busy = _busy(rule, known)
    outer = rule_at_work()
    for hit in hits:
        if outer is not None:
            stop(hit, _("由自动标签规则自己的改动引起，不再继续触发"))
        elif busy.get(hit.follow_id, 0) > MOST_PER_HOUR:
            stop(hit, _("一小时内对同一好友触发超过 %(n)d 次") % {"n": MOST_PER_HOUR})
        else:
            act(rule, hit)
    return len(hits)


def _busy(rule: TagRule, follows: Iterable[int]) -> dict[int, int]:
    """How often the rule was hit within the hour, these hits included."""
    lately = RuleHit.objects.filter(rule=rule, follow__in=follows, at__gt=timezone.now() - CALM).exclude(
        state=State.STOPPED
    )
    return dict(lately.order_by().values_list("follow").annotate(n=Count("id")))


def act(rule: TagRule, hit: RuleHit) -> None:
    """Ask WeCom for the rule's effect on one friendship."""
    follow = Follow.objects.select_related("staff", "customer").get(pk=hit.follow_id)
    tags = Tag.objects.filter(deleted_at=None, group__deleted_at=None).in_bulk([*rule.add, *rule.remove])
    carried = set(FollowTag.objects.filter(follow=follow).values_list("tag", flat=True))
    add = [tags[pk] for pk in rule.add if pk in tags and pk not in carried]
    remove = [tags[pk] for pk in rule.remove if pk in tags and pk in carried]
    if not tags:
        hit.state, hit.detail = State.FAILED, _("规则中的标签在企业微信中已不存在")
    elif not add and not remove:
        hit.state = State.UNCHANGED
    else:
        try:
            change_tags(
                follow,
                add=add,
                remove=remove,
                by=_("自动标签：%(name)s") % {"name": rule.name},
                source=TimelineEntry.Source.SYSTEM,
                key=f"rule:{hit.pk}",
                hit=hit.pk,
                gone=[pk for pk in rule.add if pk not in tags],
                priority=OutgoingCall.Priority.NOTICE,
            )
            return
        except ValidationError as error:
            hit.state, hit.detail = State.FAILED, " ".join(error.messages)[:200]
    hit.save(update_fields=["state", "detail"])


def stop(hit: RuleHit, why: str) -> None:
    hit.state, hit.detail = State.STOPPED, why[:200]
    hit.save(update_fields=["state", "detail"])


_FORGET = """
DELETE FROM tagging_rulehit WHERE id IN (
    SELECT id FROM (SELECT id, at FROM tagging_rulehit ORDER BY id LIMIT %s) oldest WHERE at < %s
)
"""


def forget_old_hits() -> int:
    """The log of a company is kept for some months. From the oldest on, so that what stays is hardly looked at."""
    before = timezone.now() - timedelta(days=settings.TAG_RULE_HITS_DAYS)
    count, dropped = 0, FORGOTTEN
    while dropped == FORGOTTEN:
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [FORGOTTEN, before])
            dropped = cursor.rowcount
        count += dropped
    return count


# -- made and changed --------------------------------------------------------------------------------------------------


def save(
    rule: TagRule, *, name: str, conditions: dict[str, Any], add: Sequence[Tag], remove: Sequence[Tag], by: str
) -> TagRule:
    """Make or change a rule. Raises ValidationError in the words of its form."""
    name = name.strip()
    if not name:
        raise ValidationError({"name": _("请填写规则名称")})
    if living_rules().filter(name=name).exclude(pk=rule.pk).exists():
        raise ValidationError({"name": _("已有同名的规则")})
    if rule.pk is None and living_rules().count() >= MOST_RULES:
        raise ValidationError({"name": _("最多 %(most)d 条规则") % {"most": MOST_RULES}})
    if not add and not remove:
        raise ValidationError({"add": _("请至少选择一个标签")})
    taken = {tag.pk for tag in remove}
    if both := next((tag for tag in add if tag.pk in taken), None):
        raise ValidationError({"remove": _("标签“%(name)s”不能同时添加和移除") % {"name": both.name}})
    rule.name, rule.conditions = name, conditions
    rule.add, rule.remove = [tag.pk for tag in add], [tag.pk for tag in remove]
    rule.created_by = rule.created_by or by[:80]
    rule.save()
    return rule


# -- dry run -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Trial:
    """What a rule would have done with the facts of some days."""

    facts: int = 0  # that met it
    follows: int = 0  # friendships they are about
    changing: int = 0  # of which would get or lose a tag now
    sample: list[tuple[Follow, Fact, str]] = field(default_factory=list)
    complete: bool = True  # false: there was too much to look through


def trial(rule: TagRule, *, operator: Any = None, days: int = TRIAL_DAYS) -> Trial:
    """Nothing is changed, and nobody is told; with an operator, of the friendships in its range alone."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [PATIENCE])
            found = _trial(rule, operator, timezone.now() - timedelta(days=days))
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")
            return found
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        return Trial(complete=False)


def _trial(rule: TagRule, operator: Any, since: datetime) -> Trial:
    trigger, found = TRIGGERS[rule.trigger], Trial()
    met: dict[int, tuple[Fact, dict[str, Any]]] = {}
    for fact in trigger.lately(since):
        reason = trigger.meets(rule.conditions, fact)
        if reason is not None:
            found.facts += 1
            met.setdefault(fact.follow, (fact, reason))
    seen = Follow.objects.living() if operator is None else Follow.objects.visible_to(operator).living()
    living = list(seen.filter(pk__in=met).order_by("-added_at").values_list("pk", flat=True))
    found.follows = len(living)
    add, remove = set(rule.add), set(rule.remove)
    carried: dict[int, set[int]] = {}
    for follow, tag in FollowTag.objects.filter(follow__in=living, tag__in=add | remove).values_list("follow", "tag"):
        carried.setdefault(follow, set()).add(tag)
    found.changing = sum(bool(add - carried.get(pk, set()) or remove & carried.get(pk, set())) for pk in living)
    rows = Follow.objects.select_related("customer", "staff").in_bulk(living[:SAMPLE])
    for pk in living[:SAMPLE]:
        fact, reason = met[pk]
        found.sample.append((rows[pk], fact, trigger.because(reason)))
    return found
