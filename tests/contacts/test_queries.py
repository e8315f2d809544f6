"""The filters of the lists."""

from datetime import UTC, date, datetime

import pytest

from contacts import bulk
from contacts.models import Customer, Follow, FollowTag, Tag, TagGroup
from members.models import Staff


def day(number: int) -> datetime:
    return datetime(2026, 1, number, 4, tzinfo=UTC)


@pytest.fixture
def customers(in_acme):
    """韩梅梅 of chen with 门店 and 直播, 李雷 of wang with 门店 and lost, 周工 of both with no tag."""
    chen, wang = (Staff.objects.create(userid=name, userid_key=name) for name in ("chen", "wang"))
    group = TagGroup.objects.create(wecom_id="g", name="来源")
    shop, live = (Tag.objects.create(wecom_id=name, name=name, group=group) for name in ("门店", "直播"))
    han = Customer.objects.create(external_userid="wmHan", name="韩梅梅")
    lei = Customer.objects.create(external_userid="wmLei", name="李雷", kind=1)
    zhou = Customer.objects.create(external_userid="woZhou", name="周工", corp_name="远山科技", kind=2)
    follows = [
        Follow.objects.create(customer=han, staff=chen, added_at=day(1), add_way=1, remark="门店七的韩姐"),
        Follow.objects.create(
            customer=lei, staff=wang, added_at=day(2), add_way=4, ended_at=day(9), deleted_by_customer_at=day(9)
        ),
        Follow.objects.create(customer=zhou, staff=chen, added_at=day(3), add_way=4),
        Follow.objects.create(customer=zhou, staff=wang, added_at=day(4), add_way=1),
    ]
    for follow, tag in ((follows[0], shop), (follows[0], live), (follows[1], shop)):
        FollowTag.objects.create(follow=follow, tag=tag)
    bulk.refresh_customers([han.pk, lei.pk, zhou.pk])
    return {"chen": chen, "wang": wang, "shop": shop, "live": live}


def names(**wish) -> list[str]:
    return list(Customer.objects.matching(**wish).order_by("-last_added_at", "-id").values_list("name", flat=True))


def test_no_filter_lists_all_newest_first(customers):
    assert names() == ["周工", "李雷", "韩梅梅"]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("韩", ["韩梅梅"]),
        ("梅梅", ["韩梅梅"]),
        ("门店七", ["韩梅梅"]),
        ("韩姐", ["韩梅梅"]),
        ("远山", ["周工"]),
        ("雷李", []),
        ("wmLei", ["李雷"]),
        ("wmL", []),
        ("，", []),
        ("  李雷 ", ["李雷"]),
        ("", ["周工", "李雷", "韩梅梅"]),
    ],
)
def test_the_search_box_finds_names_remarks_companies_and_whole_ids(customers, term, found):
    assert names(q=term) == found


def test_filters_of_a_friendship_speak_of_one_and_the_same(customers):
    assert names(staff=customers["chen"]) == ["周工", "韩梅梅"]
    assert names(staff=customers["chen"], add_way=4) == ["周工"]
    assert names(staff=customers["chen"], add_way=1) == ["韩梅梅"]
    assert names(added_from=date(2026, 1, 3)) == ["周工"]
    assert names(added_to=date(2026, 1, 2)) == ["李雷", "韩梅梅"]
    assert names(staff=customers["wang"], added_to=date(2026, 1, 3)) == ["李雷"]


def test_tags_count_on_living_friendships(customers):
    shop, live = customers["shop"], customers["live"]

    assert names(tags=[shop]) == ["韩梅梅"]
    assert names(tags_all=[shop, live]) == ["韩梅梅"]
    assert names(tags_none=[live]) == ["周工", "李雷"]


def test_states_and_kinds(customers):
    assert names(state="friends") == ["周工", "韩梅梅"]
    assert names(state="lost") == ["李雷"]
    assert names(state="deleted_by_customer") == ["李雷"]
    assert names(state="deleted_by_staff") == []
    assert names(kind=2) == ["周工"]


def test_the_sums_of_a_customer_follow_the_friendships(customers):
    lei, zhou = Customer.objects.get(name="李雷"), Customer.objects.get(name="周工")

    assert (lei.active_follows, lei.lost_at) == (0, day(9))
    assert (zhou.active_follows, zhou.first_added_at, zhou.last_added_at, zhou.lost_at) == (2, day(3), day(4), None)
