"""The conditions of a 人群包: what each finds, for whom, and how it is said."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from contacts import bulk
from contacts.models import Customer, CustomField, Follow, FollowTag, GroupChat, GroupMember, Stage, Tag, TagGroup
from members.models import Department, Staff, StaffDepartment
from tagging.conditions import clean, compile, in_words
from tagging.segments import count, customers_of, ids_of
from tests.contacts.truth import assert_facts_are_true

NOW = timezone.now()


class Company:
    """Four customers of two staff in two departments, one of them lost."""

    def __init__(self) -> None:
        self.head = Department.objects.create(wecom_id=1, name="总部", path=[1])
        self.east = Department.objects.create(wecom_id=2, name="华东", parent_wecom_id=1, path=[1, 2])
        self.zhang, self.chen = self.staff("ZhangWei", "张伟", self.east), self.staff("ChenJing", "陈静", self.head)
        group = TagGroup.objects.create(wecom_id="etg1", name="等级")
        self.vip = Tag.objects.create(wecom_id="et1", group=group, name="重要客户")
        self.old = Tag.objects.create(wecom_id="et2", group=group, name="老客户")
        self.stage = Stage.objects.create(name="意向")
        self.field = CustomField.objects.create(key="city", name="城市")
        self.han = self.customer("韩梅梅", {self.zhang: [self.vip, self.old]}, days=1, add_way=1, state="c1")
        self.li = self.customer("李雷", {self.zhang: [self.vip], self.chen: [self.old]}, days=10, add_way=2)
        self.lucy = self.customer("Lucy", {self.chen: []}, days=40, add_way=1)
        self.jim = self.customer("Jim", {self.chen: [self.vip]}, days=400, add_way=16, state="c2", ended=True)
        Customer.objects.filter(pk=self.han.pk).update(stage=self.stage, fields={"city": "上海", "age": 30})
        Customer.objects.filter(pk=self.li.pk).update(fields={"city": "上海浦东", "age": 41, "birthday": "1990-05-01"})
        self.chat = GroupChat.objects.create(chat_id="wr1", name="新品群")
        GroupMember.objects.create(chat=self.chat, member_id="wm1", kind=2, customer=self.lucy, joined_at=NOW)
        GroupMember.objects.create(
            chat=self.chat, member_id="wm2", kind=2, customer=self.han, joined_at=NOW, left_at=NOW
        )
        bulk.refresh_customers([self.han.pk, self.li.pk, self.lucy.pk, self.jim.pk])
        bulk.touch(
            last_message_at={self.han.pk: NOW - timedelta(days=2), self.li.pk: NOW - timedelta(days=20)},
            last_opened_at={self.li.pk: NOW - timedelta(days=1)},
        )

    def staff(self, userid, name, department):
        staff = Staff.objects.create(userid=userid, userid_key=userid.lower(), name=name, can_follow=True)
        StaffDepartment.objects.create(staff=staff, department=department)
        return staff

    def customer(self, name, friends, *, days, add_way, state="", ended=False):
        customer = Customer.objects.create(external_userid=f"wm{name}", name=name)
        for staff, tags in friends.items():
            follow = Follow.objects.create(
                customer=customer,
                staff=staff,
                added_at=NOW - timedelta(days=days),
                add_way=add_way,
                state=state,
                ended_at=NOW if ended else None,
            )
            FollowTag.objects.bulk_create(FollowTag(follow=follow, tag=tag) for tag in tags)
        return customer

    def found(self, *conditions, match="all", **scope):
        tree = clean({"match": match, "of": list(conditions)})
        names = set(customers_of(tree, **scope).values_list("name", flat=True))
        assert count(tree, **scope).number == len(names) == len(ids_of(tree, **scope))
        return names


@pytest.fixture
def company(in_acme) -> Company:
    return Company()


def one(key, op, value=None):
    return {"is": key, "op": op} | ({} if value is None else {"value": value})


def test_the_facts_of_this_company_are_true(company):
    assert_facts_are_true()


def test_each_condition_finds_whom_it_says(company):
    c = company
    vip, old = c.vip.pk, c.old.pk
    day = (NOW - timedelta(days=10)).astimezone().date().isoformat()
    expected = [
        (one("tags", "any", [vip]), {"韩梅梅", "李雷"}),  # a lost customer carries no tags
        (one("tags", "all", [vip, old]), {"韩梅梅", "李雷"}),
        (one("tags", "none", [vip, old]), {"Lucy", "Jim"}),
        (one("stage", "any", [c.stage.pk]), {"韩梅梅"}),
        (one("stage", "none", [c.stage.pk]), {"李雷", "Lucy", "Jim"}),
        (one("stage", "any", [0]), {"李雷", "Lucy", "Jim"}),
        (one("stage", "none", [0]), {"韩梅梅"}),
        (one("staff", "any", [c.chen.pk]), {"李雷", "Lucy"}),
        (one("staff", "none", [c.chen.pk]), {"韩梅梅", "Jim"}),
        (one("department", "any", [c.head.pk]), {"韩梅梅", "李雷", "Lucy"}),
        (one("department", "any", [c.east.pk]), {"韩梅梅", "李雷"}),
        (one("chat", "any", [c.chat.pk]), {"Lucy"}),
        (one("chat", "none", [c.chat.pk]), {"韩梅梅", "李雷", "Jim"}),
        (one("added", "last", 15), {"韩梅梅", "李雷"}),
        (one("added", "before", 15), {"Lucy", "Jim"}),
        (one("added", "between", {"from": day, "to": day}), {"李雷"}),
        (one("added", "between", {"to": day}), {"李雷", "Lucy", "Jim"}),
        (one("add_way", "any", [1, 16]), {"韩梅梅", "Lucy", "Jim"}),
        (one("add_way", "none", [1]), {"李雷", "Jim"}),
        (one("lost", "yes"), {"Jim"}),
        (one("lost", "no"), {"韩梅梅", "李雷", "Lucy"}),
        (one("message", "within", 7), {"韩梅梅"}),
        (one("message", "absent", 7), {"李雷", "Lucy", "Jim"}),
        (one("opened", "within", 7), {"李雷"}),
        (one("field:city", "equals", "上海"), {"韩梅梅"}),
        (one("field:city", "contains", "上海"), {"韩梅梅", "李雷"}),
        (one("field:city", "empty"), {"Lucy", "Jim"}),
        (one("field:city", "filled"), {"韩梅梅", "李雷"}),
    ]
    assert [(condition, c.found(condition)) for condition, _names in expected] == expected


def test_a_channel_code_is_found_by_its_state(company):
    from tagging.criteria import CODE_NAMES

    names = {"c1": "门店活码", "c2": "展会活码"}
    before, CODE_NAMES[:] = list(CODE_NAMES), [lambda states: names]
    try:
        assert company.found(one("code", "any", ["c1", "c2"])) == {"韩梅梅", "Jim"}
        assert company.found(one("code", "none", ["c1"])) == {"李雷", "Lucy", "Jim"}
        assert in_words(clean({"match": "all", "of": [one("code", "any", ["c1"])]})) == "来自渠道活码“门店活码”"
    finally:
        CODE_NAMES[:] = before


def test_fields_of_numbers_and_dates_are_compared_as_such(company):
    CustomField.objects.create(key="age", name="年龄", kind="number")
    CustomField.objects.create(key="birthday", name="生日", kind="date")
    assert company.found(one("field:age", "range", {"from": "31"})) == {"李雷"}
    assert company.found(one("field:age", "range", {"from": "9", "to": "35.5"})) == {"韩梅梅"}
    assert company.found(one("field:birthday", "dates", {"to": "1990-12-31"})) == {"李雷"}


def test_groups_of_conditions_nest(company):
    c = company
    either = {"match": "any", "of": [one("message", "within", 7), one("add_way", "any", [16])]}
    neither = {"match": "none", "of": [one("message", "within", 7), one("add_way", "any", [16])]}
    assert c.found(either) == {"韩梅梅", "Jim"}
    assert c.found(either, one("lost", "no")) == {"韩梅梅"}
    assert c.found(neither) == {"李雷", "Lucy"}
    assert c.found(either, one("opened", "within", 7), match="any") == {"韩梅梅", "李雷", "Jim"}
    assert c.found(one("lost", "yes"), one("opened", "within", 7), match="none") == {"韩梅梅", "Lucy"}


def test_an_empty_tree_is_everyone_we_know(company):
    Customer.objects.create(external_userid="wmBare", name="还没有好友关系")
    bulk.rebuild_facts()
    assert company.found() == {"韩梅梅", "李雷", "Lucy", "Jim"}
    assert in_words({}) == "全部客户"


def test_what_is_no_tree_is_nobody(company):
    for broken in (
        {"any": "thing"},
        {"match": "all", "of": [{"is": "moon", "op": "full"}]},
        {"match": "all", "of": []},
    ):
        assert ids_of(broken) == []


def test_an_operator_of_one_staff_member_sees_through_that_friendship_alone(company, zhang_of):
    c, operator = company, zhang_of
    assert c.found(operator=operator) == {"韩梅梅", "李雷"}
    assert c.found(one("tags", "any", [c.old.pk]), operator=operator) == {"韩梅梅"}  # 李雷 has it from 陈静
    assert c.found(one("tags", "none", [c.old.pk]), operator=operator) == {"李雷"}
    assert c.found(one("tags", "all", [c.vip.pk, c.old.pk]), operator=operator) == {"韩梅梅"}
    assert c.found(one("staff", "any", [c.chen.pk]), operator=operator) == set()
    assert c.found(one("department", "any", [c.head.pk]), operator=operator) == {"韩梅梅", "李雷"}
    assert c.found(one("add_way", "any", [1, 2]), operator=operator) == {"韩梅梅", "李雷"}
    Follow.objects.filter(customer=c.li, staff=c.zhang).update(ended_at=NOW)
    bulk.refresh_customers([c.li.pk])
    assert c.found(one("lost", "yes"), operator=operator) == {"李雷"}
    assert c.found(one("lost", "yes")) == {"Jim"}
    assert c.found(one("tags", "any", [c.vip.pk]), operator=operator) == {"韩梅梅"}


def test_the_range_of_some_staff_cuts_like_an_operator(company):
    c = company
    assert c.found(staff_ids=[c.chen.pk]) == {"李雷", "Lucy", "Jim"}
    assert c.found(one("added", "before", 15), staff_ids=[c.chen.pk]) == {"Lucy", "Jim"}
    assert c.found(staff_ids=[]) == set()


@pytest.fixture
def zhang_of(company):
    from accounts.models import Operator

    operator = Operator.objects.create(username="zhang", name="张伟", scope=Operator.Scope.SELF)
    Staff.objects.filter(pk=company.zhang.pk).update(operator=operator)
    return operator


@pytest.mark.parametrize(
    "wrong",
    [
        "tags",
        {"match": "some", "of": []},
        {"match": "all"},
        {"match": "all", "of": ["tags"]},
        {"match": "all", "of": [{"is": "moon", "op": "any"}]},
        {"match": "all", "of": [{"is": "tags", "op": "some", "value": [1]}]},
        {"match": "all", "of": [{"is": "tags", "op": "any"}]},
        {"match": "all", "of": [{"is": "tags", "op": "any", "value": []}]},
        {"match": "all", "of": [{"is": "tags", "op": "any", "value": ["1; DROP TABLE x"]}]},
        {"match": "all", "of": [{"is": "tags", "op": "any", "value": [987654321]}]},
        {"match": "all", "of": [{"is": "tags", "op": "any", "value": list(range(501))}]},
        {"match": "all", "of": [{"is": "added", "op": "last", "value": 0}]},
        {"match": "all", "of": [{"is": "added", "op": "last", "value": "²"}]},
        {"match": "all", "of": [{"is": "added", "op": "last", "value": "9" * 5000}]},
        {"match": "all", "of": [{"is": "added", "op": "between", "value": {"to": "9999-12-31"}}]},
        {"match": "all", "of": [{"is": "field:city", "op": "contains", "value": "\x00\ud800"}]},
        {"match": "all", "of": [{"is": "added", "op": "between", "value": {"from": "2026-02-30"}}]},
        {"match": "all", "of": [{"is": "added", "op": "between", "value": {"from": "2026-03-02", "to": "2026-03-01"}}]},
        {"match": "all", "of": [{"is": "field:city", "op": "equals", "value": "  "}]},
        {"match": "all", "of": [{"is": "field:nothing", "op": "filled"}]},
        {"match": "all", "of": [{"is": "lost", "op": "no"}] * 31},
        {"match": "all", "of": [{"match": "all", "of": [{"match": "any", "of": [{"match": "any", "of": []}]}]}]},
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(company, wrong):
    with pytest.raises(ValidationError) as refusal:
        clean(wrong)
    assert refusal.value.messages[0]


def test_a_tree_is_said_in_plain_chinese(company):
    c = company
    tree = clean(
        {
            "match": "all",
            "of": [
                one("tags", "any", [c.vip.pk, c.old.pk]),
                one("lost", "no"),
                {"match": "any", "of": [one("added", "last", 7), one("field:city", "equals", "上海")]},
                {"match": "none", "of": [one("message", "within", 3), one("stage", "any", [c.stage.pk, 0])]},
            ],
        }
    )
    assert in_words(tree) == (
        "有标签“重要客户”、“老客户”之一，并且未流失，并且（最近 7 天内添加，或者城市是“上海”），"
        "并且排除（最近 3 天内有消息，或者阶段是“意向”、“未设置阶段”）"
    )
    assert in_words(clean({"match": "none", "of": [one("lost", "yes")]})) == "全部客户，排除（已流失）"
    Tag.objects.filter(pk=c.old.pk).update(deleted_at=NOW)
    assert "已删除的标签" in in_words(tree)


def test_everything_given_goes_as_a_parameter(company):
    tree = clean(
        {"match": "all", "of": [one("field:city", "contains", "'; --%s"), one("tags", "any", [company.vip.pk])]}
    )
    where = compile(tree, staff_ids=[company.zhang.pk])
    assert "--" not in where.sql and str(company.vip.pk) not in where.sql.replace("%s", "")
    assert where.sql.count("%s") == len(where.params)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM contacts_customerfacts f WHERE {where.sql}", where.params)
