"""流失提醒: who deleted whom, whether a colleague is still a friend, and whom the company has told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from contacts import bulk
from contacts.models import Follow, LossAlert
from tests.pages import assert_strict
from tests.pages_of_apps.company import Browser, Company

URL = "/console/losses/"


@pytest.fixture
def lost(company: Company) -> Company:
    """韩梅梅 deleted wang and is a friend of chen's; li deleted 李雷; 周工 was handed over a month ago."""
    company.add("韩梅梅", "wang", "chen", days=10)
    company.add("李雷", "li", days=2)
    company.add("周工", "zhao", days=100)
    end(company.follow("韩梅梅", "wang"), "customer", days=1)
    end(company.follow("李雷", "li"), "staff", days=0)
    end(company.follow("周工", "zhao"), "transfer", days=30)
    return company


def end(follow: Follow, by: str, days: float) -> None:
    Follow.objects.filter(pk=follow.pk).update(ended_by=by, ended_at=timezone.now() - timedelta(days=days))
    bulk.refresh_customers([follow.customer_id])


def names(browser: Browser, **query: Any) -> list[str]:
    return [str(row.customer) for row in browser.get(URL, query).context["list"].rows]


def test_the_newest_loss_stands_first_with_who_deleted_whom(lost: Company) -> None:
    page = lost.client().get(URL)

    assert_strict(page)
    rows = page.context["list"].rows
    assert [str(row.customer) for row in rows] == ["李雷", "韩梅梅", "周工"]
    assert [row.get_ended_by_display() for row in rows] == ["员工删除客户", "客户删除员工", "已转交其他员工"]
    assert [row.colleagues for row in rows] == [[], ["员工chen"], []]
    assert [row.known_days for row in rows] == [1, 9, 70] or [row.known_days for row in rows] == [2, 9, 70]
    assert page.context["week"] == {"by_customer": 1, "by_staff": 1, "alone": 1}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"by": "customer"}, ["韩梅梅"]),
        ({"by": "staff"}, ["李雷"]),
        ({"others": "some"}, ["韩梅梅"]),
        ({"others": "none"}, ["李雷", "周工"]),
        ({"q": "韩"}, ["韩梅梅"]),
        ({"staff": "zhao"}, ["周工"]),
        ({"ended_to": 20}, ["周工"]),
        ({"ended_from": 5}, ["李雷", "韩梅梅"]),
    ],
)
def test_the_list_is_narrowed(lost: Company, query: dict[str, Any], found: list[str]) -> None:
    for name, value in query.items():
        if name == "staff":
            query = {name: lost.staff[value].pk}
        elif name.startswith("ended"):
            query = {name: (timezone.localdate() - timedelta(days=value)).isoformat()}

    assert names(lost.client(), **query) == found


def test_a_tile_opens_exactly_what_it_counts(lost: Company) -> None:
    browser = lost.client()
    page = browser.get(URL)

    since = page.context["since"]
    for key, query in (
        ("by_customer", {"by": "customer"}),
        ("by_staff", {"by": "staff"}),
        ("alone", {"others": "none"}),
    ):
        assert len(names(browser, ended_from=since, **query)) == page.context["week"][key]


@pytest.mark.parametrize(
    ("scope", "staff", "seen"),
    [
        ("self", "wang", ["韩梅梅"]),
        ("subtree", "wang", ["李雷", "韩梅梅"]),
        ("self", "chen", []),
    ],
)
def test_it_is_cut_by_the_data_scope(lost: Company, scope: str, staff: str, seen: list[str]) -> None:
    browser = lost.client("staff", scope, staff=staff)

    assert names(browser) == seen
    if staff == "wang" and scope == "self":  # a colleague's friendship is not wang's to see
        assert browser.get(URL).context["list"].rows[0].colleagues == []


def test_the_customers_list_says_who_deleted_whom(lost: Company) -> None:
    text = lost.client().get("/console/customers/", {"state": "lost"}).content.decode()

    assert "员工li 删除了客户" in text
    assert "客户删除了员工wang" not in text  # 韩梅梅 still has a friend


def test_the_setting_is_made_by_managers_and_told_on_the_page(lost: Company) -> None:
    boss = lost.client("owner")
    assert "客户删除员工时，提醒员工本人和部门负责人；员工删除客户时，提醒部门负责人" in boss.get(URL).content.decode()
    assert_strict(boss.get(f"{URL}settings/"))

    boss.post(f"{URL}settings/", {"on_deleted_by_customer": "on", "to_staff": "on"})

    assert LossAlert.objects.get().to_manager is False
    text = boss.get(URL).content.decode()
    assert "客户删除员工时，提醒员工本人<" in text
    boss.post(f"{URL}settings/", {"on_deleted_by_customer": "on"})
    assert "流失时不发送提醒" in boss.get(URL).content.decode()
    assert lost.client("staff", "self").post(f"{URL}settings/", {}).status_code == 403
