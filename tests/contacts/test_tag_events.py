"""change_external_tag: tags as WeCom has them."""

from contacts.models import FollowTag, Tag, TagGroup
from tests.contacts.conftest import handle


def test_fifty_tags_in_one_second_are_fifty_tags(events):
    """F20: one listing answers all of their events."""
    made = events.sandbox.act("tag_group_create", name="活动", tags=["第0场"])
    for number in range(1, 50):
        events.sandbox.act("tag_create", group_id=made["group_id"], name=f"第{number}场")

    told = events.new()
    handle(told)

    group = TagGroup.objects.get(wecom_id=made["group_id"])
    assert group.tags.count() == 50
    assert 1 + group.tags.count() == 51
    assert len(events.sandbox.calls("externalcontact/get_corp_tag_list")) == 1


def test_the_same_tag_events_twice_change_nothing(events):
    events.sandbox.act("tag_group_create", name="活动", tags=["一", "二"])
    told = events.handle_new()
    before = list(Tag.objects.order_by("id").values()), list(TagGroup.objects.order_by("id").values())

    handle(told)

    assert (list(Tag.objects.order_by("id").values()), list(TagGroup.objects.order_by("id").values())) == before


def test_a_renamed_tag_keeps_its_customers_and_a_deleted_one_comes_off_them(events):
    tag = events.sandbox.tags()[0]
    userid = next(userid for userid, _ in events.sandbox.friendships())
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    events.sandbox.act("staff_edits", userid=userid, external_userid=made["external_userid"], add_tags=[tag])
    events.handle_new()

    events.sandbox.act("tag_rename", tag_id=tag, name="改了名")
    events.handle_new()
    assert FollowTag.objects.get().tag.name == "改了名"
    events.sandbox.act("tag_delete", tag_id=tag)
    events.handle_new()

    assert FollowTag.objects.count() == 0
    assert Tag.objects.get(wecom_id=tag).deleted_at


def test_a_list_that_came_empty_deletes_only_what_the_event_names(events):
    made = events.sandbox.act("tag_group_create", name="活动", tags=["一", "二"])
    events.handle_new()
    living = Tag.objects.filter(deleted_at=None)
    before = living.count()

    events.sandbox.fault("errcode", "externalcontact/get_corp_tag_list", errcode=0)
    events.sandbox.act("tag_rename", tag_id=made["tags"][0], name="改了名")
    events.handle_new()
    assert living.count() == before
    events.sandbox.act("tag_delete", tag_id=made["tags"][0])
    events.handle_new()

    assert living.count() == before - 1
    assert Tag.objects.get(wecom_id=made["tags"][0]).deleted_at


def test_the_last_group_that_is_deleted_is_gone(events):
    events.sandbox.act("tag_group_create", name="活动", tags=["一"])
    events.handle_new()

    for group in TagGroup.objects.all():
        events.sandbox.act("tag_group_delete", group_id=group.wecom_id)
        events.handle_new()

    assert not Tag.objects.filter(deleted_at=None).exists()
    assert not TagGroup.objects.filter(deleted_at=None).exists()


def test_the_other_tenant_keeps_its_own_tags(events, globex):
    events.sandbox.act("tag_group_create", name="活动", tags=["一"])
    events.handle_new()

    with globex:
        assert Tag.objects.count() == 0
