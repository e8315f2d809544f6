"""Corp tags are made, renamed, put in order and deleted in WeCom; our rows follow, and limits are told before."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from contacts.models import CustomerFacts, Tag, TagGroup
from tagging import corp_tags
from tagging.marking import change_tags
from tagging.models import TagOrigin, TagRule
from tenants import outbox
from tenants.current import wecom_client
from tenants.models import OutgoingCall, Tenant
from tests.people import client_as
from tests.sandbox_server import Sandbox

BY = {"by": "lin", "source": "console"}


def deliver() -> None:
    OutgoingCall.objects.filter(state="unknown").update(due_at=timezone.now())
    outbox.deliver_due(urgent=False)


def make(*names: str, group: str = "意向") -> TagGroup:
    corp_tags.add_tags(names, group_name=group, **BY)
    deliver()
    return TagGroup.objects.get(name=group)


def names_of(group: TagGroup) -> list[str]:
    return list(corp_tags.tags_in(group).values_list("name", flat=True))


def in_wecom(sandbox: Sandbox, group: TagGroup) -> list[str]:
    """By WeCom's order."""
    (found,) = wecom_client().corp_tags(group_ids=[group.wecom_id])
    return [tag.name for tag in found.tags if not tag.deleted]


def test_a_group_with_its_tags_is_made_in_wecom_and_stands_here_when_wecom_has_it(
    mirrored: Tenant, sandbox: Sandbox
) -> None:
    corp_tags.add_tags(["高", " 低 "], group_name="意向", **BY)
    assert not TagGroup.objects.filter(name="意向").exists()
    deliver()
    group = TagGroup.objects.get(name="意向")
    assert set(names_of(group)) == {"高", "低"} == set(in_wecom(sandbox, group))
    assert TagOrigin.objects.filter(ours=True).count() == 3


def test_a_lost_answer_makes_no_second_tag(mirrored: Tenant, sandbox: Sandbox) -> None:
    sandbox.fault("drop", corp_tags.ADD, times=1)
    corp_tags.add_tags(["高"], group_name="意向", **BY)
    deliver()
    assert OutgoingCall.objects.get(purpose="tags_add").state == "unknown"
    assert corp_tags.waiting().count() == 1
    deliver()
    assert names_of(TagGroup.objects.get(name="意向")) == ["高"]
    assert len(sandbox.effects("add_corp_tag")) == 1


def test_what_the_look_does_not_find_is_asked_again(mirrored: Tenant, sandbox: Sandbox) -> None:
    call = corp_tags.add_tags(["高"], group_name="意向", **BY)
    OutgoingCall.objects.filter(pk=call.pk).update(state="unknown")
    for _ in range(2):
        deliver()
    assert len(sandbox.effects("add_corp_tag")) == 1
    assert names_of(TagGroup.objects.get(name="意向")) == ["高"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"names": ["长" * 31], "group_name": "意向"}, "最多 30 个字"),
        ({"names": [], "group_name": "意向"}, "至少填写一个"),
        ({"names": ["高", "高"], "group_name": "意向"}, "写了两次"),
        ({"names": ["高"], "group_name": ""}, "请填写名称"),
    ],
)
def test_limits_are_told_before_wecom_is_asked(
    mirrored: Tenant, sandbox: Sandbox, wish: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        corp_tags.add_tags(**wish, **BY)
    assert not sandbox.calls(corp_tags.ADD)


def test_the_three_thousandth_tag_is_the_last(mirrored: Tenant) -> None:
    group = make("高")
    room = corp_tags.room_left()
    Tag.objects.bulk_create(
        [Tag(wecom_id=f"et{number}", group=group, name=f"第{number}个") for number in range(room - 2)]
    )
    corp_tags.add_tags(["甲"], group=group, **BY)
    assert corp_tags.room_left() == 1
    with pytest.raises(ValidationError, match="还可以新建 1 个"):
        corp_tags.add_tags(["乙", "丙"], group=group, **BY)


def test_a_tag_is_renamed_and_a_name_that_is_there_is_refused(mirrored: Tenant, sandbox: Sandbox) -> None:
    group = make("高", "低")
    tag = Tag.objects.get(group=group, name="高")
    corp_tags.rename(tag, "很高", **BY)
    deliver()
    assert set(names_of(group)) == {"很高", "低"} == set(in_wecom(sandbox, group))
    tag.refresh_from_db()
    with pytest.raises(ValidationError, match="同名标签"):
        corp_tags.rename(tag, "低", **BY)


def test_two_steps_in_a_row_are_two_steps(mirrored: Tenant, sandbox: Sandbox) -> None:
    group = make("甲", "乙", "丙")
    first, last = names_of(group)[0], names_of(group)[2]
    tag = Tag.objects.get(group=group, name=last)
    corp_tags.shift(tag, -1, **BY)
    corp_tags.shift(tag, -1, **BY)
    deliver()
    assert names_of(group)[0] == last
    assert names_of(group)[1] == first
    assert names_of(group) == in_wecom(sandbox, group)
    assert corp_tags.shift(Tag.objects.get(pk=tag.pk), -1, **BY) == 0


def test_a_deleted_tag_comes_off_its_customers_and_the_last_takes_the_group(
    mirrored: Tenant, sandbox: Sandbox, follow: Any
) -> None:
    group = make("高")
    tag = Tag.objects.get(group=group)
    change_tags(follow, add=[tag], **BY)
    deliver()
    assert tag.pk in CustomerFacts.objects.get(pk=follow.customer_id).tag_ids
    corp_tags.delete([tag], **BY)
    deliver()
    assert tag.pk not in CustomerFacts.objects.get(pk=follow.customer_id).tag_ids
    assert not follow.tag_links.filter(tag=tag).exists()
    group.refresh_from_db()
    assert group.deleted_at is not None
    assert tag.wecom_id not in sandbox.tags()


def test_what_somebody_deleted_before_us_is_gone_here_too(mirrored: Tenant, sandbox: Sandbox) -> None:
    group = make("高", "低")
    tag = Tag.objects.get(group=group, name="高")
    sandbox.act("tag_delete", tag_id=tag.wecom_id)
    corp_tags.delete([tag], **BY)
    deliver()
    assert names_of(group) == ["低"]


def test_a_tag_of_others_is_left_alone_once_wecom_said_so(mirrored: Tenant, sandbox: Sandbox) -> None:
    foreign = (
        Tag.objects.filter(group__name="客户等级").select_related("group").order_by("id")[0]
    )  # of the admin's making
    corp_tags.rename(foreign, "改名", **BY)
    deliver()
    call = OutgoingCall.objects.get(purpose="tag_edit")
    assert (call.state, call.result_code) == ("dead", 81011)
    with pytest.raises(ValidationError, match="不是本应用创建"):
        corp_tags.rename(foreign, "再改", **BY)
    page = client_as(mirrored).get("/console/tags/").content.decode()
    assert "修改标签没有成功" in page
    assert "企业微信不允许本应用修改" in page


def test_the_console_makes_renames_and_deletes(mirrored: Tenant, sandbox: Sandbox) -> None:
    client = client_as(mirrored)
    assert client.post("/console/tags/groups/new/", {"group_name": "意向", "names": "高\n\n低"}).status_code == 302
    assert "1 项标签修改正在等待企业微信确认" in client.get("/console/tags/").content.decode()
    with mirrored:
        deliver()
        group = TagGroup.objects.get(name="意向")
        tag = Tag.objects.get(group=group, name="高")
        TagRule.objects.create(name="加好友", trigger="added", add=[tag.pk])
        TagRule.objects.create(name="别的", trigger="added", remove=[0])
    base = f"/console/tags/groups/{group.pk}/"
    page = client.get(base).content.decode()
    assert "低" in page
    assert f'<a href="/console/tag-rules/?tag={tag.pk}">1 条自动标签规则在用</a>' in page
    assert [rule.name for rule in client.get(f"/console/tag-rules/?tag={tag.pk}").context["list"].rows] == ["加好友"]
    wrong = client.post(f"{base}add/", {"names": "高"})
    assert wrong.status_code == 422
    assert "已有标签“高”" in wrong.content.decode()
    assert client.post(f"/console/tags/{tag.pk}/rename/", {"name": "很高"}).status_code == 302
    assert client.post(f"/console/tags/{tag.pk}/down/").status_code == 302
    assert client.post(f"/console/tags/{tag.pk}/delete/").status_code == 302
    with mirrored:
        deliver()
        assert names_of(group) == ["低"]
