"""The demo company's 人群包, one rule of 自动标签 with its log, and one 批量打标签 with what became of each."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from contacts.models import Follow, Stage, Tag
from tagging import rules, runs, segments
from tagging.models import RuleHit, Segment, TagRule, TagRun
from tagging.rule_conditions import titles
from tagging.triggers import TRIGGERS

BY = "演示"
OPENED, OF_STAGE = "意向产品", "跟进阶段"
LOGGED, TAGGED = 36, 48
DAYS = 30


def seed_segments() -> None:
    """Repeatable: a company that has one is left as it is."""
    if Segment.objects.exists():
        return
    friends = {"is": "lost", "op": "no"}
    trees: dict[str, list[dict[str, Any]]] = {
        "近 30 天新客": [friends, {"is": "added", "op": "last", "value": 30}],
        "添加超过半年的老客": [friends, {"is": "added", "op": "before", "value": 180}],
    }
    if stages := list(Stage.objects.filter(name__in=["意向", "报价"]).values_list("pk", flat=True)):
        trees["意向与报价中的客户"] = [friends, {"is": "stage", "op": "any", "value": stages}]
    for name, of in trees.items():
        segments.recount(segments.save(Segment(), name=name, tree={"match": "all", "of": of}, by=BY))


def seed_tagging() -> None:
    """Repeatable. What is tagged is really asked of the imitation WeCom: workers do it while one looks around."""
    if TagRule.objects.exists() or TagRun.objects.exists():
        return
    if tag := _tag(OPENED):
        _rule(tag)
    if tag := _tag(OF_STAGE):
        fresh = Follow.objects.living().filter(half=False).exclude(tag_links__tag__group=tag.group)
        newest = fresh.order_by("-added_at").values_list("pk", flat=True)
        follows = Follow.objects.filter(pk__in=list(newest[:TAGGED]))
        runs.begin(follows, add=[tag], by=BY, filters={"words": ["最近添加的客户"]})


def _tag(group: str) -> Tag | None:
    living = Tag.objects.filter(deleted_at=None, group__deleted_at=None, group__name=group, group__strategy_id=None)
    return living.exclude(group__wecom_id="").select_related("group").order_by("id").first()


def _rule(tag: Tag) -> None:
    """Its log is of those who opened a link in the last month; the first rule of a company begins with its history."""
    trigger, since = TRIGGERS["opened"], timezone.now() - timedelta(days=DAYS)
    links = sorted(titles(None))[:2]
    rule = TagRule(trigger=trigger.key, enabled=True)
    rules.save(rule, name="打开新品与会员链接", conditions={"material": links}, add=[tag], remove=[], by=BY)
    TagRule.objects.filter(pk=rule.pk).update(created_at=since)
    made: dict[tuple[int, str], RuleHit] = {}
    for fact in trigger.lately(since):
        reason = trigger.meets(rule.conditions, fact)
        if reason is not None and len(made) < LOGGED:
            hit = RuleHit(rule=rule, follow_id=fact.follow, cause=fact.cause, reason=reason, at=fact.at)
            made[fact.follow, fact.cause] = hit
    for hit in RuleHit.objects.bulk_create(sorted(made.values(), key=lambda hit: hit.at)):
        rules.act(rule, hit)
