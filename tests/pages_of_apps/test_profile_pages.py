"""Stage, custom fields and 跟进记录 on a customer's page, 待跟进, and the page on which a company sets them up."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.models import AuditEntry
from contacts.custom_fields import add_field
from contacts.models import Customer, CustomField, FollowUp, Stage
from contacts.profile import change_fields, write_follow_up
from contacts.stages import add_stage, living_stages, move_to_stage, put_away
from tests.pages import assert_strict
from tests.pages_of_apps.company import Browser, Company

SETTINGS = "/console/settings/profile/"


@pytest.fixture
def mei(company: Company) -> Customer:
    for name in ("新客户", "意向", "成交"):
        add_stage(name)
    add_field("预算", "number")
    add_field("意向度", "choice", choices=["高", "低"])
    return company.add("韩梅梅", "wang", days=3)


def url(customer: Customer, part: str = "") -> str:
    return f"/console/customers/{customer.pk}/{part}"


def text_of(page: Any) -> str:
    return str(page.content.decode())


def stage_of(customer: Customer) -> str | None:
    customer.refresh_from_db()
    return customer.stage.name if customer.stage else None


# -- the customer's page -----------------------------------------------------------------------------------------------


def test_the_page_shows_stage_fields_and_follow_ups(company: Company, mei: Customer) -> None:
    move_to_stage([mei.pk], Stage.objects.get(name="意向"), by="wang", source="console")
    change_fields(mei, {"预算": 12000}, by="wang", source="console")
    write_follow_up(mei, text="想看新款", next_at=timezone.now(), staff=None, by="王芳", source="console")

    page = company.client().get(url(mei))

    assert_strict(page)
    text = text_of(page)
    stage = Stage.objects.get(name="意向")
    assert f'<option value="{stage.pk}" selected>意向</option>' in text
    for words in ("12,000", "意向度", "想看新款", "已到期", "阶段从“未设阶段”改为“意向”", "预算：12000"):
        assert words in text


def test_the_stage_is_changed_with_one_choice_and_taken_back(company: Company, mei: Customer) -> None:
    browser = company.client()
    wanted = Stage.objects.get(name="意向")

    done = browser.post(url(mei, "stage/"), {"to": wanted.pk}, headers={"hx-request": "true"})

    assert done.status_code == 204
    assert stage_of(mei) == "意向"
    assert "timeline:refresh" in done["HX-Trigger"]
    assert AuditEntry.objects.get(action="customer.stage").detail == {"stage": ["未设阶段", "意向"]}
    undo = url(mei, "stage/?to=")
    assert undo in done["HX-Trigger"]
    browser.post(undo)
    assert stage_of(mei) is None


@pytest.mark.parametrize("to", ["999999", "意向", "-1"])
def test_a_stage_that_is_none_moves_nobody(company: Company, mei: Customer, to: str) -> None:
    move_to_stage([mei.pk], Stage.objects.get(name="意向"), by="wang", source="console")

    answer = company.client().post(url(mei, "stage/"), {"to": to})

    assert answer.status_code == 404
    assert stage_of(mei) == "意向"


def test_a_stage_that_was_put_away_is_shown_to_whom_it_holds(company: Company, mei: Customer) -> None:
    old = Stage.objects.get(name="意向")
    move_to_stage([mei.pk], old, by="wang", source="console")
    put_away(old)
    browser = company.client()

    assert f'<option value="{old.pk}" selected disabled>意向（已停用）</option>' in text_of(browser.get(url(mei)))
    assert "意向（已停用）" in text_of(browser.get("/console/customers/"))
    assert browser.post(url(mei, "stage/"), {"to": old.pk}).status_code == 404


def test_the_list_is_narrowed_by_stage(company: Company, mei: Customer) -> None:
    company.add("李雷", "wang")
    stage = Stage.objects.get(name="意向")
    move_to_stage([mei.pk], stage, by="wang", source="console")
    browser = company.client()

    found = {
        wish: [str(row) for row in browser.get("/console/customers/", {"stage": wish}).context["list"].rows]
        for wish in (str(stage.pk), "none", "")
    }

    assert found == {str(stage.pk): ["韩梅梅"], "none": ["李雷"], "": ["李雷", "韩梅梅"]}
    page = browser.get("/console/customers/", {"stage": stage.pk})
    assert "客户阶段：意向" in text_of(page)


def test_fields_are_edited_in_a_drawer_and_wrong_ones_are_named(company: Company, mei: Customer) -> None:
    browser = company.client()
    assert_strict(browser.get(url(mei, "fields/")))

    wrong = browser.post(url(mei, "fields/"), {"yusuan": "很多", "yixiangdu": "高"})
    assert wrong.status_code == 422
    assert "须为数字" in text_of(wrong)
    assert Customer.objects.get(pk=mei.pk).fields == {}

    browser.post(url(mei, "fields/"), {"yusuan": "3,000", "yixiangdu": "高"})
    assert Customer.objects.get(pk=mei.pk).fields == {"yusuan": 3000, "yixiangdu": "高"}
    again = text_of(browser.get(url(mei, "fields/")))
    assert 'value="3000"' in again
    browser.post(url(mei, "fields/"), {"yusuan": "", "yixiangdu": "高"})
    assert Customer.objects.get(pk=mei.pk).fields == {"yixiangdu": "高"}


def test_a_follow_up_is_written_by_the_member_whose_account_it_is(company: Company, mei: Customer) -> None:
    browser = company.client("staff", "self", staff="wang")
    at = timezone.localtime() + timedelta(days=1)

    wrong = browser.post(url(mei, "follow-ups/new/"), {"text": "", "next_at": ""})
    assert wrong.status_code == 422
    browser.post(url(mei, "follow-ups/new/"), {"text": "想看新款", "next_at": f"{at:%Y-%m-%dT%H:%M}"})

    row = FollowUp.objects.get()
    assert (row.staff, row.text) == (company.staff["wang"], "想看新款")
    assert row.next_at == at.replace(second=0, microsecond=0)


# -- 待跟进 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def agreed(company: Company, mei: Customer) -> dict[str, FollowUp]:
    """wang's for yesterday and next week, li's for today, zhao's for today, and one of an operator's."""
    lei = company.add("李雷", "li")
    other = company.add("周工", "zhao")
    now = timezone.now()
    rows = {}
    for name, customer, staff, days in (
        ("昨天", mei, "wang", -1),
        ("下周", lei, "wang", 6),
        ("今天", lei, "li", 0),
        ("华北", other, "zhao", 0),
        ("总部", mei, None, 0),
    ):
        rows[name] = FollowUp.objects.create(
            customer=customer,
            staff=company.staff[staff] if staff else None,
            by="" if staff else "owner-all-",
            text=f"{name}回访",
            next_at=now + timedelta(days=days),
        )
    return rows


def listed(browser: Browser, **query: Any) -> list[str]:
    return [row.text.removesuffix("回访") for row in browser.get("/console/follow-ups/", query).context["list"].rows]


def test_what_is_to_be_done_stands_in_the_order_of_its_time(company: Company, agreed: dict[str, FollowUp]) -> None:
    browser = company.client()

    page = browser.get("/console/follow-ups/")
    assert_strict(page)
    assert listed(browser) == ["昨天", "今天", "华北", "总部", "下周"]
    assert listed(browser, state="due") == ["昨天", "今天", "华北", "总部"]
    assert listed(browser, whose="own") == ["总部"]
    assert listed(browser, staff=company.staff["wang"].pk) == ["昨天", "下周"]
    assert listed(browser, q="李雷") == ["今天", "下周"]


@pytest.mark.parametrize(
    ("scope", "staff", "seen"),
    [
        ("self", "wang", ["昨天", "总部", "下周"]),
        ("self", "li", ["今天"]),
        ("subtree", "wang", ["昨天", "今天", "总部", "下周"]),
        ("self", "zhao", ["华北"]),
        ("self", "", []),
    ],
)
def test_it_is_cut_by_the_data_scope(
    company: Company, agreed: dict[str, FollowUp], scope: str, staff: str, seen: list[str]
) -> None:
    browser = company.client("staff", scope, staff=staff)

    assert listed(browser) == seen
    for name, row in agreed.items():
        status = browser.post(f"/console/follow-ups/{row.pk}/done/").status_code
        assert status == (302 if name in seen else 404), name


def test_what_is_done_leaves_the_list_and_comes_back(company: Company, agreed: dict[str, FollowUp]) -> None:
    browser = company.client("staff", "self", staff="li")
    row = agreed["今天"]

    done = browser.post(f"/console/follow-ups/{row.pk}/done/", headers={"hx-request": "true"})

    assert f"/console/follow-ups/{row.pk}/reopen/" in done["HX-Trigger"]
    assert (listed(browser), listed(browser, state="done")) == ([], ["今天"])
    browser.post(f"/console/follow-ups/{row.pk}/reopen/")
    assert listed(browser) == ["今天"]


def test_the_rail_counts_what_is_ones_own_until_tonight(company: Company, agreed: dict[str, FollowUp]) -> None:
    page = text_of(company.client("staff", "subtree", staff="wang").get("/console/follow-ups/"))

    entry = page[page.index('href="/console/follow-ups/"') :]
    assert ">1</span>" in entry[: entry.index("</a>")]


# -- 自定义字段与阶段 --------------------------------------------------------------------------------------------------


def test_the_pipeline_is_set_up_on_one_page(company: Company) -> None:
    browser = company.client("admin")
    assert_strict(browser.get(SETTINGS))
    for name, outcome in (("新客户", "open"), ("意向", "open"), ("成交", "won")):
        browser.post(f"{SETTINGS}stages/new/", {"name": name, "outcome": outcome})
    middle = Stage.objects.get(name="意向")

    browser.post(f"{SETTINGS}stages/{middle.pk}/up/")
    browser.post(f"{SETTINGS}stages/{middle.pk}/", {"name": "有意向", "outcome": "open"})
    wrong = browser.post(f"{SETTINGS}stages/{middle.pk}/", {"name": "成交", "outcome": "open"})

    assert [one.name for one in living_stages()] == ["有意向", "新客户", "成交"]
    assert wrong.status_code == 422
    assert "已有同名的阶段" in text_of(wrong)
    browser.post(f"{SETTINGS}stages/{middle.pk}/away/")
    assert [one.name for one in living_stages()] == ["新客户", "成交"]
    page = browser.get(SETTINGS)
    assert_strict(page)
    assert "已停用 1 个" in text_of(page)
    browser.post(f"{SETTINGS}stages/{middle.pk}/back/")
    assert [one.name for one in living_stages()] == ["有意向", "新客户", "成交"]
    acts = AuditEntry.objects.filter(action__startswith="stage.").values_list("action", flat=True)
    assert set(acts) == {"stage.create", "stage.change", "stage.put_away", "stage.bring_back"}


def test_each_stage_says_how_many_the_operator_sees_in_it(company: Company, mei: Customer) -> None:
    move_to_stage([mei.pk, company.add("李雷", "zhao").pk], Stage.objects.get(name="意向"), by="", source="api")

    assert "2 位客户" in text_of(company.client("owner").get(SETTINGS))
    assert "1 位客户" in text_of(company.client("admin", "subtree", staff="wang").get(SETTINGS))


def test_fields_are_set_up_on_the_same_page(company: Company) -> None:
    browser = company.client("admin")
    browser.post(f"{SETTINGS}fields/new/", {"name": "预算", "kind": "number", "in_sidebar": "on"})
    few = browser.post(f"{SETTINGS}fields/new/", {"name": "意向度", "kind": "choice", "choices": "高"})
    browser.post(f"{SETTINGS}fields/new/", {"name": "意向度", "kind": "choice", "choices": "高\n中\n\n低\n"})
    level = CustomField.objects.get(name="意向度")

    assert few.status_code == 422
    assert "请至少填写两个选项" in text_of(few)
    assert (level.choices, level.in_sidebar) == (["高", "中", "低"], False)
    browser.post(f"{SETTINGS}fields/{level.pk}/", {"name": "意向", "kind": "text", "choices": "高\n低"})
    level.refresh_from_db()
    assert (level.name, level.kind, level.choices, level.key) == ("意向", "choice", ["高", "低"], "yixiangdu")
    browser.post(f"{SETTINGS}fields/{level.pk}/up/")
    text = text_of(browser.get(SETTINGS))
    assert text.index("<strong>意向</strong>") < text.index("<strong>预算</strong>")
    browser.post(f"{SETTINGS}fields/{level.pk}/away/")
    assert "已停用 1 个" in text_of(browser.get(SETTINGS))


def test_who_is_no_manager_cannot_change_the_setting(company: Company) -> None:
    browser = company.client("staff")

    assert browser.get(SETTINGS).status_code == 403
    assert browser.post(f"{SETTINGS}stages/new/", {"name": "意向", "outcome": "open"}).status_code == 403
    assert not Stage.objects.exists()
