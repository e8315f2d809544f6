"""客户列表, 好友关系 and 客户详情 through HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.models import AuditEntry
from contacts import bulk
from contacts.models import Customer, Follow, FollowTag, Tag, TagGroup, TimelineEntry
from tenants import outbox
from tenants.models import OutgoingCall
from tests.pages import assert_strict
from tests.pages_of_apps.company import Company

URL = "/console/customers/"


@pytest.fixture
def three(company: Company) -> Company:
    """韩梅梅 of chen with 重要客户, 李雷 of wang and lost today, 周工 (a company's) of chen and wang."""
    company.add("韩梅梅", "chen", days=10, tags=["重要客户"], remark="门店七的韩姐")
    company.add("李雷", "wang", days=5, add_way=4)
    lost(company.follow("李雷", "wang"))
    company.add("周工", "chen", "wang", days=0)
    Customer.objects.filter(name="周工").update(kind=2, corp_name="远山科技")
    bulk.refresh_customers([company.customers["周工"].pk])
    return company


def lost(follow: Follow, by: str = "customer") -> None:
    now = timezone.now()
    values = {"ended_at": now, "ended_by": by, f"deleted_by_{by}_at": now}
    Follow.objects.filter(pk=follow.pk).update(**values)
    bulk.refresh_customers([follow.customer_id])


def names(client: Client, query: dict[str, Any] | None = None, url: str = URL) -> list[str]:
    shown = client.get(url, query or {}).context["list"]
    assert shown.count == len(shown.rows)
    return [str(row) for row in shown.rows]


def test_the_list_shows_who_they_are_whose_they_are_and_how_they_stand(three: Company) -> None:
    page = three.client().get(URL)

    assert_strict(page)
    text = page.content.decode()
    assert "共 <strong>3</strong> 位客户（去重）" in text
    for words in ("韩梅梅", "员工chen", "重要客户", "@远山科技", "@微信", "已流失", "好友"):
        assert words in text
    assert names(three.client("admin")) == ["周工", "李雷", "韩梅梅"]


def day(ago: int) -> str:
    return (timezone.localdate() - timedelta(days=ago)).isoformat()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "韩姐"}, ["韩梅梅"]),
        ({"q": "远山"}, ["周工"]),
        ({"staff": "wang"}, ["周工", "李雷"]),
        ({"staff": "wang", "state": "friends"}, ["周工"]),
        ({"state": "friends"}, ["周工", "韩梅梅"]),
        ({"state": "lost"}, ["李雷"]),
        ({"state": "deleted_by_customer"}, ["李雷"]),
        ({"state": "deleted_by_staff"}, []),
        ({"tags": "重要客户"}, ["韩梅梅"]),
        ({"added_from": day(6)}, ["周工", "李雷"]),
        ({"added_to": day(4)}, ["李雷", "韩梅梅"]),
        ({"lost_from": day(0)}, ["李雷"]),
        ({"lost_to": day(1)}, []),
        ({"add_way": "4"}, ["李雷"]),
        ({"kind": "2"}, ["周工"]),
        ({"staff": "chen", "kind": "2", "added_from": day(1)}, ["周工"]),
    ],
)
def test_each_filter(three: Company, query: dict[str, str], found: list[str]) -> None:
    keys = {"staff": three.staff, "tags": three.tags}
    query = {name: str(keys[name][value].pk) if name in keys else value for name, value in query.items()}

    assert names(three.client(), query) == found


def test_a_value_that_makes_no_sense_is_named_and_filters_nothing(three: Company) -> None:
    page = three.client().get(URL, {"added_from": "yesterday", "staff": "999999", "kind": "x"})

    assert page.status_code == 200
    assert page.context["list"].count == 3
    assert page.content.decode().count("field-error") == 3


def test_pages_by_key_show_every_customer_once(company: Company) -> None:
    company.crowd(75)
    client, seen, url = company.client(), [], URL
    while url:
        shown = client.get(url).context["list"]
        assert shown.count == 75
        seen += [row.pk for row in shown.rows]
        url = URL + shown.next_url if shown.next_url else ""

    assert len(seen) == len(set(seen)) == 75


def test_nothing_yet_says_what_to_do_first(company: Company) -> None:
    text = company.client().get(URL).content.decode()

    assert "还没有客户" in text
    assert "/console/settings/connection/" in text


def test_a_friendship_stands_for_itself_in_its_own_list(three: Company) -> None:
    client = three.client()

    assert client.get("/console/follows/").context["list"].count == 4
    shown = client.get("/console/follows/", {"state": "friends"}).context["list"]
    assert sorted((str(row.customer), row.staff.userid) for row in shown.rows) == [
        ("周工", "chen"),
        ("周工", "wang"),
        ("韩梅梅", "chen"),
    ]
    assert client.get("/console/follows/", {"q": "韩"}).context["list"].count == 1


# -- one customer ------------------------------------------------------------


def test_the_page_of_a_customer(three: Company) -> None:
    three.group("门店七福利群", "chen", "韩梅梅")
    page = three.client().get(f"{URL}{three.customers['韩梅梅'].pk}/")

    assert_strict(page)
    text = page.content.decode()
    for words in (
        "韩梅梅",
        "门店七的韩姐",
        "重要客户",
        "扫描二维码",
        "wm韩梅梅",
        "门店七福利群",
        "与员工chen 成为好友",
    ):
        assert words in text


def test_a_way_of_adding_that_is_not_known_is_shown_as_its_number(company: Company) -> None:
    company.add("韩梅梅", "chen", add_way=777)

    assert "来源 777" in company.client().get(f"{URL}{company.customers['韩梅梅'].pk}/").content.decode()


def test_the_timeline_is_cut_by_side_and_goes_back_in_pages(company: Company) -> None:
    customer = company.add("韩梅梅", "chen")
    for number in range(50):
        at = timezone.now() - timedelta(minutes=number)
        TimelineEntry.objects.create(
            key=f"k{number}",
            customer=customer,
            staff=company.staff["chen"],
            kind="welcome_sent",
            at=at,
            source="system",
        )
    client, url = company.client(), f"{URL}{customer.pk}/timeline/"

    seen, before = [], ""
    for _page in range(4):
        page = client.get(url, {"before": before}).context["timeline"]
        seen += [entry.pk for entry in page["entries"]]
        if not (before := page["next"]):
            break
    assert len(seen) == len(set(seen)) == 51
    assert [str(entry.kind) for entry in client.get(url, {"side": "customer"}).context["timeline"]["entries"]] == [
        "follow_added"
    ]


def test_one_whom_the_staff_member_deleted_cannot_be_changed_any_more(company: Company) -> None:
    company.add("韩梅梅", "chen", tags=["重要客户"])
    follow = company.follow("韩梅梅", "chen")
    lost(follow, "staff")
    client = company.client()

    text = client.get(f"{URL}{follow.customer_id}/").content.decode()
    assert f"/console/follows/{follow.pk}/tags/" not in text
    answer = client.post(f"/console/follows/{follow.pk}/remark/", {"remark": "老客户"})
    assert answer.status_code == 422
    assert "企业微信不再允许修改" in answer.content.decode()
    assert not OutgoingCall.objects.exists()


def test_a_remark_goes_to_wecom_and_into_the_audit_log(company: Company) -> None:
    company.add("韩梅梅", "chen")
    follow = company.follow("韩梅梅", "chen")

    client = company.client()
    assert_strict(client.get(f"/console/follows/{follow.pk}/remark/"))
    answer = client.post(
        f"/console/follows/{follow.pk}/remark/", {"remark": "老客户", "description": ""}, headers={"HX-Request": "true"}
    )

    assert answer.status_code == 204
    call = OutgoingCall.objects.get()
    assert outbox.body_of(call)["remark"] == "老客户"
    assert AuditEntry.objects.get(action="customer.remark").target == "wm韩梅梅"
    assert "备注修改正在等待企业微信确认" in client.get(f"{URL}{follow.customer_id}/").content.decode()
    assert client.post(f"/console/follows/{follow.pk}/remark/", {"remark": "太" * 21}).status_code == 422


# -- tags of a friendship ------------------------------------------------------------


@pytest.fixture
def tagged(company: Company) -> Follow:
    company.add("韩梅梅", "chen", tags=["重要客户"])
    return company.follow("韩梅梅", "chen")


def test_the_tag_drawer_groups_the_tags_and_tells_the_limit(company: Company, tagged: Follow) -> None:
    many = TagGroup.objects.create(wecom_id="g9", name="城市")
    Tag.objects.bulk_create(Tag(wecom_id=f"c{n}", name=f"城市{n}", group=many) for n in range(12))

    page = company.client().get(f"/console/follows/{tagged.pk}/tags/")

    assert_strict(page)
    text = page.content.decode()
    for words in ("客户等级", "来源", "城市11", "最多 3000 个标签", "data-narrow-by"):
        assert words in text
    assert text.count(" checked") == 1


def test_ticking_and_unticking_asks_wecom_for_the_difference_only(company: Company, tagged: Follow) -> None:
    client, url = company.client(), f"/console/follows/{tagged.pk}/tags/"
    before = client.get(url).context["form"].initial["before"]

    client.post(url, {"tags": [company.tags["门店"].pk], "before": before})

    body = outbox.body_of(OutgoingCall.objects.get())
    assert (body["add_tag"], body["remove_tag"]) == (["t-门店"], ["t-重要客户"])
    assert AuditEntry.objects.get(action="customer.tags").detail == {"add": ["门店"], "remove": ["重要客户"]}


def test_a_tag_that_another_put_on_meanwhile_stays(company: Company, tagged: Follow) -> None:
    client, url = company.client(), f"/console/follows/{tagged.pk}/tags/"
    before = client.get(url).context["form"].initial["before"]
    FollowTag.objects.create(follow=tagged, tag=company.tags["一般客户"])

    client.post(url, {"tags": [company.tags["重要客户"].pk, company.tags["门店"].pk], "before": before})

    body = outbox.body_of(OutgoingCall.objects.get())
    assert body["add_tag"] == ["t-门店"]
    assert "remove_tag" not in body


def test_no_change_asks_nothing(company: Company, tagged: Follow) -> None:
    client, url = company.client(), f"/console/follows/{tagged.pk}/tags/"
    keys = [company.tags["重要客户"].pk]

    client.post(url, {"tags": keys, "before": str(keys[0])})

    assert not OutgoingCall.objects.exists()


def test_a_tag_is_taken_off_with_one_click_and_put_back_with_another(company: Company, tagged: Follow) -> None:
    client, tag = company.client(), company.tags["重要客户"]

    answer = client.post(f"/console/follows/{tagged.pk}/tags/{tag.pk}/drop/", headers={"HX-Request": "true"})

    put = f"/console/follows/{tagged.pk}/tags/{tag.pk}/put/"
    assert put in answer.headers["HX-Trigger"]
    client.post(put, headers={"HX-Request": "true"})
    bodies = [outbox.body_of(call) for call in OutgoingCall.objects.order_by("id")]
    assert [(body.get("add_tag"), body.get("remove_tag")) for body in bodies] == [
        (None, ["t-重要客户"]),
        (["t-重要客户"], None),
    ]


def test_a_tag_that_is_made_up_is_refused(company: Company, tagged: Follow) -> None:
    answer = company.client().post(f"/console/follows/{tagged.pk}/tags/", {"tags": ["999999"], "before": "x,²,"})

    assert answer.status_code == 422
    assert not OutgoingCall.objects.exists()
