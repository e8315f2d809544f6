"""自动标签: facts come in, rules change tags once for each cause, with a reason, and never in circles."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from archive.models import ArchivedMessage, Conversation
from archive.signals import messages_arrived
from contacts import bulk
from contacts.models import Follow, Stage, Tag
from contacts.signals import follow_added, tags_changed
from contacts.stages import move_to_stage
from content.links import record_opening
from content.models import Material, TrackedLink
from tagging import rules
from tagging.models import RuleHit, TagRule
from tagging.triggers import TRIGGERS, Fact
from tenants import outbox, schedule
from tenants.models import OutgoingCall, Tenant
from tests.people import client_as
from tests.sandbox_server import Sandbox


def rule(trigger: str, add: Tag, *, remove: Tag | None = None, **conditions: Any) -> TagRule:
    made = rules.save(
        TagRule(trigger=trigger, enabled=True),
        name=f"规则{TagRule.objects.count()}",
        conditions=conditions,
        add=[add],
        remove=[remove] if remove else [],
        by="lin",
    )
    assert made.enabled
    return made


def deliver() -> None:
    outbox.deliver_due(urgent=False)


def carries(follow: Follow, tag: Tag) -> bool:
    return follow.tag_links.filter(tag=tag).exists()


def at(text: str) -> datetime:
    hour, minute = map(int, text.split(":"))
    return datetime(2026, 11, 20, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_who_is_added_by_a_staff_member_gets_the_tag_once(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    made = rule("added", new_tag, staff=[follow.staff_id])
    other = rule("added", new_tag, staff=[follow.staff_id + 1000])
    for _ in range(2):
        follow_added.send(Follow, follow_ids=[follow.pk], source="callback")
    deliver()
    assert carries(follow, new_tag)
    hit = RuleHit.objects.get(rule=made)
    assert (hit.state, hit.reason) == ("done", {"staff": follow.staff_id})
    assert not RuleHit.objects.filter(rule=other).exists()
    assert len(sandbox.effects("mark_tag")) == 1
    assert follow.customer.timeline.get(kind="tags_changed").actor == f"自动标签：{made.name}"


def test_hits_of_some_months_ago_are_dropped_in_batches(
    follow: Follow, new_tag: Tag, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(rules, "FORGOTTEN", 4)
    settings.TAG_RULE_HITS_DAYS = 30
    made, now = rule("added", new_tag), timezone.now()
    for days in [60] * 9 + [31, 29, 3, 0]:
        cause = f"added:{RuleHit.objects.count()}"
        RuleHit.objects.create(rule=made, follow=follow, cause=cause, state="done", at=now - timedelta(days=days))
    [nightly] = [one for one in schedule.PERIODIC if one.name == "old-rule-hits"]
    assert nightly.every == timedelta(days=1)
    nightly.run()
    assert sorted((now - hit.at).days for hit in RuleHit.objects.all()) == [0, 3, 29]
    assert rules.forget_old_hits() == 0


def test_what_a_first_sync_finds_is_no_news(follow: Follow, new_tag: Tag) -> None:
    rule("added", new_tag)
    follow_added.send(Follow, follow_ids=[follow.pk], source="sync")
    assert not RuleHit.objects.exists()


def test_a_rule_that_is_off_or_put_away_does_nothing(follow: Follow, new_tag: Tag) -> None:
    one, two = rule("added", new_tag), rule("added", new_tag)
    TagRule.objects.filter(pk=one.pk).update(enabled=False)
    TagRule.objects.filter(pk=two.pk).update(archived_at=timezone.now())
    follow_added.send(Follow, follow_ids=[follow.pk], source="callback")
    assert not RuleHit.objects.exists()


@pytest.mark.parametrize(
    ("said", "inside"), [("21:59", False), ("22:00", True), ("23:30", True), ("05:59", True), ("06:00", False)]
)
def test_a_time_of_day_may_go_over_midnight(said: str, inside: bool) -> None:
    trigger, fact = TRIGGERS["added"], Fact(1, "x", at(said), {"staff": 1, "state": ""})
    assert (trigger.meets({"time": {"from": "22:00", "to": "06:00"}}, fact) is not None) == inside


def test_a_keyword_in_any_case_of_letters_by_the_one_who_was_meant() -> None:
    trigger, wanted = TRIGGERS["message"], {"words": ["退款", "VIP"], "speaker": "customer"}
    said = Fact(1, "m", at("12:00"), {"text": "我要办vip", "from_customer": True, "staff": 1})
    assert trigger.meets(wanted, said) == {"words": "VIP", "speaker": "customer"}
    assert trigger.because({"words": "VIP", "speaker": "customer"}) == "关键词“VIP”，客户说的"
    assert trigger.meets(wanted, Fact(1, "m", at("12:00"), {"text": "退款", "from_customer": False})) is None
    assert trigger.meets(wanted, Fact(1, "m", at("12:00"), {"text": "你好", "from_customer": True})) is None


def test_a_move_to_a_stage_tags_and_untags(follow: Follow, new_tag: Tag) -> None:
    stage, other = Stage.objects.create(name="意向"), Stage.objects.create(name="成交", order=1)
    made = rule("stage", new_tag, stage=[stage.pk])
    move_to_stage([follow.customer_id], other, by="lin", source="console")
    assert not RuleHit.objects.exists()
    move_to_stage([follow.customer_id], stage, by="lin", source="console")
    deliver()
    assert carries(follow, new_tag)
    assert TRIGGERS["stage"].because(RuleHit.objects.get(rule=made).reason) == "阶段“意向”"


def test_an_opened_link_tags_the_friendship_it_was_sent_in(follow: Follow, new_tag: Tag) -> None:
    material = Material.objects.create(kind="link", title="报价单", body={"url": "https://example.com"})
    made = rule("opened", new_tag, material=[material.pk])
    link = TrackedLink.objects.create(material=material, staff=follow.staff, customer=follow.customer)
    record_opening(link, "v1")
    record_opening(link, "v1")
    deliver()
    assert carries(follow, new_tag)
    assert TRIGGERS["opened"].because(RuleHit.objects.get(rule=made).reason) == "链接“报价单”"


def test_a_keyword_in_the_archive_tags_the_friendship_it_was_said_in(follow: Follow, new_tag: Tag) -> None:
    made = rule("message", new_tag, words=["退款"], speaker="customer")
    talk = Conversation.objects.create(
        key="p:a|b", kind="customer", staff_ids=[follow.staff_id], customer_id=follow.customer_id
    )
    said = {"conversation": talk, "kind": "text", "sender": "x", "from_customer": True, "at": timezone.now()}
    message = ArchivedMessage.objects.create(msgid="m1", seq=1, text="我要退款", **said)
    other = ArchivedMessage.objects.create(msgid="m2", seq=2, text="好的", **said)
    for _ in range(2):
        messages_arrived.send(None, message_ids=[message.pk, other.pk])
    deliver()
    assert carries(follow, new_tag)
    assert TRIGGERS["message"].because(RuleHit.objects.get(rule=made).reason) == "关键词“退款”，客户说的"
    assert rules.trial(made).facts == 1


def test_what_a_rules_own_change_causes_goes_no_deeper(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    stage = Stage.objects.create(name="意向")
    first = rule("added", new_tag)
    second = rule("stage", Tag.objects.exclude(pk=new_tag.pk).exclude(links__follow=follow).order_by("id")[0])

    def move_on(sender: object, follow_ids: list[int], **_: Any) -> None:
        move_to_stage([follow.customer_id], stage, by="chain", source="system")

    tags_changed.connect(move_on)
    try:
        follow_added.send(Follow, follow_ids=[follow.pk], source="callback")
        deliver()
    finally:
        tags_changed.disconnect(move_on)
    assert RuleHit.objects.get(rule=first).state == "done"
    stopped = RuleHit.objects.get(rule=second)
    assert (stopped.state, "不再继续触发" in stopped.detail) == ("stopped", True)
    assert len(sandbox.effects("mark_tag")) == 1


def test_a_rule_that_acts_again_and_again_on_one_friendship_is_stopped(follow: Follow, new_tag: Tag) -> None:
    made = rule("stage", new_tag)
    for number in range(8):
        rules.fire("stage", [Fact(follow.pk, f"stage:{number}", timezone.now(), {"stage": 1})])
    assert RuleHit.objects.filter(rule=made, state="stopped").count() == 3
    assert OutgoingCall.objects.filter(purpose="mark_tag").count() == 5


def test_a_tag_that_wecom_deleted_fails_with_words(follow: Follow, new_tag: Tag, sandbox: Sandbox) -> None:
    made = rule("added", new_tag)
    sandbox.act("tag_delete", tag_id=new_tag.wecom_id)
    follow_added.send(Follow, follow_ids=[follow.pk], source="callback")
    deliver()
    hit = RuleHit.objects.get(rule=made)
    assert (hit.state, "标签在企业微信中已不存在" in hit.detail) == ("failed", True)
    Tag.objects.filter(pk=new_tag.pk).update(deleted_at=timezone.now())
    rules.fire("added", [Fact(follow.pk, "again", timezone.now(), {"staff": 1, "state": ""})])
    assert "已不存在" in RuleHit.objects.get(cause="again").detail


def test_a_rule_at_fault_harms_nobody_else(follow: Follow, new_tag: Tag) -> None:
    broken = rule("added", new_tag)
    TagRule.objects.filter(pk=broken.pk).update(conditions={"time": "nonsense"})
    fine = rule("added", new_tag)
    follow_added.send(Follow, follow_ids=[follow.pk], source="callback")
    assert list(RuleHit.objects.values_list("rule", flat=True)) == [fine.pk]


def test_a_dry_run_counts_and_shows_and_changes_nothing(follow: Follow, new_tag: Tag) -> None:
    Follow.objects.update(added_at=timezone.now() - timedelta(days=40))
    Follow.objects.filter(pk=follow.pk).update(added_at=timezone.now() - timedelta(days=2))
    bulk.rebuild_facts()
    made = rule("added", new_tag, staff=[follow.staff_id])
    found = rules.trial(made)
    assert (found.facts, found.follows, found.changing, found.complete) == (1, 1, 1, True)
    ((shown, _fact, why),) = found.sample
    assert (shown.pk, why) == (follow.pk, f"员工“{follow.staff}”")
    assert not RuleHit.objects.exists()
    assert not OutgoingCall.objects.filter(purpose="mark_tag").exists()


def test_what_makes_no_sense_is_refused(follow: Follow, new_tag: Tag) -> None:
    rule("added", new_tag)
    for wish, words in (
        ({"name": "规则0", "add": [new_tag], "remove": []}, "同名"),
        ({"name": "新", "add": [], "remove": []}, "至少选择一个标签"),
        ({"name": "新", "add": [new_tag], "remove": [new_tag]}, "不能同时"),
    ):
        with pytest.raises(ValidationError, match=words):
            rules.save(TagRule(trigger="added"), conditions={}, by="lin", **wish)


def test_a_rule_is_made_tried_switched_on_and_deleted_in_the_console(
    mirrored: Tenant, follow: Follow, new_tag: Tag
) -> None:
    client, url = client_as(mirrored), "/console/tag-rules/new/?trigger=added"
    assert "渠道活码" in client.get(url).content.decode()
    half = {"name": "夜里添加", "time_from": "22:00", "add": new_tag.pk}
    assert "请同时填写开始和结束时间" in client.post(url, half).content.decode()
    made = client.post(url, half | {"time_to": "06:00", "staff": follow.staff_id})
    assert made.status_code == 302
    page = made.headers["Location"]
    assert "时间 22:00–06:00" in client.get(page).content.decode()
    with mirrored:
        stored = TagRule.objects.get()
        assert stored.conditions == {"staff": [follow.staff_id], "time": {"from": "22:00", "to": "06:00"}}
        assert not stored.enabled
    assert client.get(f"{page}trial/").status_code == 200
    assert 'value="22:00"' in client.get(f"{page}edit/").content.decode()
    client.post(f"{page}switch/")
    with mirrored:
        assert TagRule.objects.get().enabled
    assert "夜里添加" in client.get("/console/tag-rules/").content.decode()
    client.post(f"{page}delete/")
    assert client.get(page).status_code == 404
    client.post(f"{page}restore/")
    assert "未启用" in client.get(page).content.decode()
    assert client.post("/console/tag-rules/new/?trigger=moon", {}).status_code == 404


def test_a_rule_whose_conditions_or_tags_are_gone_keeps_them_and_says_so(
    mirrored: Tenant, follow: Follow, new_tag: Tag
) -> None:
    stage = Stage.objects.create(name="意向")
    made = rule("stage", new_tag, stage=[stage.pk])
    move_to_stage([follow.customer_id], stage, by="lin", source="console")
    Stage.objects.filter(pk=stage.pk).update(archived_at=timezone.now())
    client, page = client_as(mirrored), f"/console/tag-rules/{made.pk}/"
    listed = client.get("/console/tag-rules/").context["list"].rows[0]
    assert (listed.lately, client.get(listed.lately_url).context["list"].count, listed.broken) == (1, 1, [])
    assert client.get(f"{page}?since=2100-01-01").context["list"].count == 0
    form = client.get(f"{page}edit/").context["form"]
    assert (stage.pk, "意向") in form.fields["stage"].choices[0][1]
    assert client.post(f"{page}edit/", {"name": "改名", "stage": stage.pk, "add": new_tag.pk}).status_code == 302
    with mirrored:
        assert TagRule.objects.get().conditions == {"stage": [stage.pk]}
        Tag.objects.filter(pk=new_tag.pk).update(deleted_at=timezone.now())
    assert "规则里有标签在企业微信中已被删除" in client.get(page).content.decode()
    with mirrored:
        Tag.objects.filter(pk=new_tag.pk).update(deleted_at=None)  # as the truth has it


def test_a_keyword_rule_asks_for_words(mirrored: Tenant, new_tag: Tag) -> None:
    client, url = client_as(mirrored), "/console/tag-rules/new/?trigger=message"
    assert client.post(url, {"name": "退款", "add": new_tag.pk, "words": " "}).status_code == 422
    assert client.post(url, {"name": "退款", "add": new_tag.pk, "words": "退款\n退货\n退款"}).status_code == 302
    with mirrored:
        assert TagRule.objects.get().conditions == {"words": ["退款", "退货"]}
