"""Each filter of the list of customers, by hand-made friendships."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contacts import bulk
from contacts.models import Customer, Follow, FollowTag, Stage, Tag, TagGroup
from members.models import Staff
from tenants.models import Tenant
from tests.integrations.caller import Caller

CHINA = ZoneInfo("Asia/Shanghai")


def on(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=CHINA)


@pytest.fixture(autouse=True)
def _three_customers(acme: Tenant) -> None:
    """han: zhang's since the 1st, tagged, and li's since the 10th. wu: li's since the 5th. mei: lost on the 20th."""
    with acme:
        zhang, li = (Staff.objects.create(userid=name, userid_key=name.lower()) for name in ("ZhangSan", "LiSi"))
        tag = Tag.objects.create(
            wecom_id="etVip", name="VIP", group=TagGroup.objects.create(wecom_id="etG", name="等级")
        )
        won = Stage.objects.create(name="won")
        han, wu, mei = (
            Customer.objects.create(external_userid=f"wm{name}", name=title, stage=won if stage else None)
            for name, title, stage in (("Han", "韩梅梅", "won"), ("Wu", "吴用", ""), ("Mei", "小美", "won"))
        )
        link = Follow.objects.create(customer=han, staff=zhang, added_at=on(1), remark="老客户A")
        FollowTag.objects.create(follow=link, tag=tag)
        Follow.objects.create(customer=han, staff=li, added_at=on(10))
        Follow.objects.create(customer=wu, staff=li, added_at=on(5))
        Follow.objects.create(customer=mei, staff=zhang, added_at=on(2), ended_at=on(20), ended_by="customer")
        bulk.refresh_customers([han.pk, wu.pk, mei.pk])
        for customer, day in ((han, 3), (mei, 4), (wu, 5)):
            Customer.objects.filter(pk=customer.pk).update(updated_at=on(day))


def names(api: Caller, **filters: Any) -> list[str]:
    return [one["external_userid"].removeprefix("wm") for one in api.get("customers", **filters)["data"]]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["Han", "Wu", "Mei"]),
        ({"staff": ""}, ["Han", "Wu", "Mei"]),
        ({"staff": "ZhangSan"}, ["Han", "Mei"]),
        ({"staff": "zhangsan"}, ["Han", "Mei"]),
        ({"staff": "nobody"}, []),
        ({"tag": "etVip"}, ["Han"]),
        ({"tag": "etOther"}, []),
        ({"stage": "won"}, ["Han", "Mei"]),
        ({"added_from": "2026-03-05T12:00:00+08:00"}, ["Han", "Wu"]),
        ({"added_from": "2026-03-05T12:00:01+08:00"}, ["Han"]),
        ({"added_from": "2026-03-10"}, ["Han"]),
        ({"added_to": "2026-03-02T12:00:00+08:00"}, ["Han"]),
        ({"added_to": "2026-03-02"}, ["Han", "Mei"]),
        ({"added_from": "2026-03-02", "added_to": "2026-03-05"}, ["Wu", "Mei"]),
        ({"added_from": "2026-03-05T04:00:00Z", "added_to": "2026-03-05T04:00:01Z"}, ["Wu"]),
        ({"added_from": "2026-03-10T12:00:00 08:00"}, ["Han"]),
        ({"staff": "ZhangSan", "added_from": "2026-03-05"}, []),
        ({"staff": "LiSi", "tag": "etVip"}, ["Han"]),
        ({"updated_after": "2026-03-03T12:00:00+08:00"}, ["Mei", "Wu"]),
        ({"updated_after": "2026-03-01"}, ["Han", "Mei", "Wu"]),
        ({"q": "梅"}, ["Han"]),
        ({"q": "韩梅"}, ["Han"]),
        ({"q": "客户a"}, ["Han"]),
        ({"q": "wmWu"}, ["Wu"]),
        ({"q": "没有这个人"}, []),
        ({"q": "美", "stage": "won", "staff": "ZhangSan"}, ["Mei"]),
    ],
)
def test_filters(api: Caller, filters: dict[str, str], found: list[str]) -> None:
    assert names(api, **filters) == found


@pytest.mark.parametrize("name", ["added_from", "added_to", "updated_after"])
@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-02-30T00:00", "0001-01-01", "9999-12-31", "1", "\x00"]
)
def test_a_time_that_is_none_is_named(api: Caller, name: str, text: str) -> None:
    response = api.ask("GET", "customers", query={name: text})
    assert response.status_code in {200, 400}
    if response.status_code == 400:
        assert list(response.json()["field_errors"]) == [name]


@pytest.mark.parametrize("name", ["staff", "tag", "stage", "q"])
@pytest.mark.parametrize("text", ["a\x00b", "x" * 1000])
def test_a_text_that_cannot_be_looked_for_is_named(api: Caller, name: str, text: str) -> None:
    response = api.ask("GET", "customers", query={name: text})
    assert response.status_code == 400
    assert list(response.json()["field_errors"]) == [name]


def test_changes_are_followed_page_by_page(api: Caller) -> None:
    pages = api.pages("customers", updated_after="2026-03-01", limit=1)
    assert [one["external_userid"] for page in pages for one in page] == ["wmHan", "wmMei", "wmWu"]


def test_ended_friendships_say_when_and_by_whom(api: Caller) -> None:
    follow = api.get("customers/wmMei")["follows"][0]
    assert (follow["ended_at"], follow["ended_by"]) == ("2026-03-20T12:00:00+08:00", "customer")
