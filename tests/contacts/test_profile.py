"""Custom fields with one validation for every door, and 跟进记录 with what is to be done next."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from contacts.custom_fields import add_field, bring_back, change_field, key_for, put_away
from contacts.models import Customer, CustomerFacts, CustomField, FollowUp
from contacts.profile import (
    change_fields,
    clean_fields,
    finish_follow_up,
    living_fields,
    reopen_follow_up,
    shown_fields,
    write_follow_up,
)
from contacts.templatetags.customers import in_words
from members.models import Staff
from tenants.models import Tenant


@pytest.fixture
def fields(in_acme: Tenant) -> dict[str, CustomField]:
    made = [
        add_field("所在城市", "text"),
        add_field("预算", "number"),
        add_field("生日", "date"),
        add_field("意向度", "choice", choices=["高", "中", "低"]),
    ]
    return {field.name: field for field in made}


@pytest.fixture
def mei(in_acme: Tenant) -> Customer:
    return Customer.objects.create(external_userid="wmMei", name="韩梅梅")


@pytest.fixture
def zhang(in_acme: Tenant) -> Staff:
    return Staff.objects.create(userid="zhang", userid_key="zhang", name="张伟")


def change(customer: Customer, **values: object) -> dict[str, object]:
    return change_fields(customer, values, by="wang", source="console")


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "stored"),
    [
        ("所在城市", " 深圳 ", "深圳"),
        ("所在城市", "第一行\n第二行", "第一行\n第二行"),
        ("预算", "3000", 3000),
        ("预算", " 1,234.50 ", 1234.5),
        ("预算", -0.25, -0.25),
        ("预算", 5.0, 5),
        ("预算", Decimal("0.1"), 0.1),
        ("预算", "１２", 12),
        ("生日", "1990-02-03", "1990-02-03"),
        ("生日", "1990/02/03", "1990-02-03"),
        ("生日", date(1990, 2, 3), "1990-02-03"),
        ("生日", datetime(2026, 1, 5, 20, tzinfo=UTC), "2026-01-06"),  # already the 6th in China
        ("意向度", "高", "高"),
        ("预算", "", None),
        ("意向度", None, None),
        ("所在城市", "   ", None),
    ],
)
def test_a_value_is_stored_in_one_form(fields, name, given, stored):
    assert clean_fields({name: given}) == {fields[name].key: stored}
    assert clean_fields({fields[name].key: given}) == {fields[name].key: stored}


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("所在城市", 5, "须为文本"),
        ("所在城市", ["深圳"], "须为文本"),
        ("所在城市", "字" * 501, "最多 500 个字"),
        ("所在城市", "a\x00b", "控制字符"),
        ("所在城市", "a\ud800b", "控制字符"),
        ("预算", "三千", "须为数字"),
        ("预算", "3 000", "须为数字"),
        ("预算", True, "须为数字"),
        ("预算", float("nan"), "须为数字"),
        ("预算", "inf", "须为数字"),
        ("预算", "1e400", "数字太大"),
        ("预算", 10**12, "数字太大"),
        ("预算", "0.00001", "4 位小数"),
        ("生日", "3月5日", "须为日期"),
        ("生日", "2026-02-30", "须为日期"),
        ("生日", 20260205, "须为日期"),
        ("生日", "0001-01-01", "1900 年到 2100 年"),
        ("意向度", "很高", "只能选择：高、中、低"),
        ("意向度", ["高"], "只能选择"),
        ("爱好", "茶", "没有这个字段"),
    ],
)
def test_a_wrong_value_is_refused_in_words_under_its_name(fields, name, given, words):
    with pytest.raises(ValidationError) as refused:
        clean_fields({name: given, "所在城市" if name != "所在城市" else "预算": None})

    assert list(refused.value.message_dict) == [name]
    assert words in refused.value.message_dict[name][0]


def test_a_change_stands_on_the_timeline_and_in_what_segments_ask(fields, mei):
    budget, city = fields["预算"].key, fields["所在城市"].key

    assert change(mei, 预算="3000", 所在城市="深圳") == {budget: [None, 3000], city: [None, "深圳"]}
    change(mei, 预算=5000, 所在城市="")

    assert Customer.objects.get(pk=mei.pk).fields == {budget: 5000}
    assert CustomerFacts.objects.get(customer=mei).fields == {budget: 5000}
    told = [in_words(entry) for entry in mei.timeline.order_by("id")]
    assert told == ["预算：3000；所在城市：深圳", "预算：3000 → 5000；所在城市：深圳 → 空"]
    assert set(mei.timeline.values_list("actor", "source", "kind")) == {("wang", "console", "fields_changed")}


def test_saving_the_same_again_changes_nothing(fields, mei):
    change(mei, 预算="3000", 生日="1990-02-03")

    assert change(mei, 预算="3,000", 生日="1990-02-03") == {}
    assert mei.timeline.count() == 1


def test_one_wrong_value_keeps_all_of_them_out(fields, mei):
    with pytest.raises(ValidationError):
        change(mei, 预算="3000", 生日="很久以前")

    assert Customer.objects.get(pk=mei.pk).fields == {}


def test_an_option_that_was_taken_away_stays_where_it_was_chosen(fields, mei):
    change(mei, 意向度="低")
    change_field(fields["意向度"], name="意向度", choices=["高", "中"], in_sidebar=True)

    change(mei, 意向度="低", 预算="1")

    assert Customer.objects.get(pk=mei.pk).fields == {fields["意向度"].key: "低", fields["预算"].key: 1}
    with pytest.raises(ValidationError, match="只能选择：高、中"):
        change(Customer.objects.create(external_userid="wmLi"), 意向度="低")


# -- the fields themselves ---------------------------------------------------------------------------------------------


def test_a_key_is_readable_and_never_anothers(fields):
    assert [fields[name].key for name in ("所在城市", "预算", "生日")] == ["suozaichengshi", "yusuan", "shengri"]
    assert key_for("预算") == "yusuan_2"
    assert key_for("2026 VIP") == "field_2026_vip"
    assert key_for("🎂") == "field"
    assert len(key_for("字" * 20)) <= 32


def test_values_of_a_field_that_is_put_away_come_back_with_it(fields, mei):
    change(mei, 预算="3000")
    put_away(fields["预算"])
    assert "预算" not in [field.name for field, _ in shown_fields(mei)]
    with pytest.raises(ValidationError, match="没有这个字段"):
        change(mei, 预算="1")

    bring_back(fields["预算"])

    assert {field.name: value for field, value in shown_fields(mei)}["预算"] == 3000


@pytest.mark.parametrize("choices", [[], ["高"], ["高", "高 "], ["字" * 31, "低"], [str(n) for n in range(51)]])
def test_a_choice_has_two_to_fifty_options(in_acme, choices):
    with pytest.raises(ValidationError) as refused:
        add_field("意向度", "choice", choices=choices)

    assert list(refused.value.message_dict) == ["choices"]
    assert not living_fields().exists()


def test_the_sidebar_shows_what_is_meant_for_it(fields, mei):
    change_field(fields["预算"], name="预算", choices=[], in_sidebar=False)

    assert [field.name for field, _ in shown_fields(mei, sidebar=True)] == ["所在城市", "生日", "意向度"]


# -- 跟进记录 ----------------------------------------------------------------------------------------------------------


def note(customer: Customer, staff: Staff | None, text: str = "聊了聊", **more: object) -> FollowUp:
    return write_follow_up(
        customer, **{"text": text, "next_at": None, "staff": staff, "by": "wang", "source": "console"} | more
    )


def test_what_was_said_stands_on_the_timeline_with_the_next_date(mei, zhang):
    at = timezone.now().replace(microsecond=0) + timedelta(days=2)

    row = note(mei, zhang, " 想看新款 ", next_at=at)

    assert (row.text, row.next_at, row.next_done_at) == ("想看新款", at, None)
    entry = mei.timeline.get()
    assert (entry.kind, entry.staff, entry.actor) == ("followed_up", zhang, "wang")
    assert in_words(entry) == f"跟进：想看新款（下次跟进 {timezone.localtime(at):%Y-%m-%d %H:%M}）"


def test_a_draft_sent_twice_is_one_record(mei, zhang):
    first = note(mei, zhang, "想看新款", draft_key="d-1")
    again = note(mei, zhang, "想看新款", draft_key="d-1")

    assert again.pk == first.pk
    assert (FollowUp.objects.count(), mei.timeline.count()) == (1, 1)
    other = Customer.objects.create(external_userid="wmLi")
    with pytest.raises(ValidationError, match="另一位客户"):
        note(other, zhang, "想看新款", draft_key="d-1")


def test_writing_again_settles_what_was_due_and_keeps_what_is_agreed(mei, zhang):
    due = note(mei, zhang, "约好今天", next_at=timezone.now())
    agreed = note(mei, zhang, "约好下周", next_at=timezone.now() + timedelta(days=7))
    due.refresh_from_db()
    assert due.next_done_at is not None  # a new date takes the place of the old one

    note(mei, zhang, "随便聊聊")

    agreed.refresh_from_db()
    assert agreed.next_done_at is None
    note(mei, None, "总部回访", by="li", next_at=timezone.now() + timedelta(days=1))
    assert FollowUp.objects.open().filter(staff=zhang).get() == agreed


def test_it_is_done_once_and_can_be_put_back(mei, zhang):
    row = note(mei, zhang, next_at=timezone.now() + timedelta(hours=1))

    assert finish_follow_up(row) is True
    assert finish_follow_up(row) is False
    reopen_follow_up(row)
    assert FollowUp.objects.open().get() == row


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"text": "  "}, "text"),
        ({"text": "字" * 2001}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"next_at": timezone.now() - timedelta(days=1)}, "next_at"),
        ({"next_at": timezone.now() + timedelta(days=4000)}, "next_at"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(mei, zhang, more, field):
    with pytest.raises(ValidationError) as refused:
        note(mei, zhang, **more)

    assert list(refused.value.message_dict) == [field]
    assert not FollowUp.objects.exists()
