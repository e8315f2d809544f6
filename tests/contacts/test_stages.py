"""客户阶段: customers go along one pipeline; who moved whom when stands on their timelines, and others may react."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from contacts import signals
from contacts.models import Customer, CustomerFacts, Stage, TimelineEntry
from contacts.order import shift
from contacts.stages import (
    MOST,
    add_stage,
    bring_back,
    change_stage,
    living_stages,
    move_to_stage,
    put_away,
    stage_named,
)
from tenants.models import Tenant


@pytest.fixture
def pipeline(in_acme: Tenant) -> dict[str, Stage]:
    return {name: add_stage(name) for name in ("新客户", "意向", "报价")}


@pytest.fixture
def crowd(in_acme: Tenant) -> list[int]:
    rows = [Customer(external_userid=f"wm{number}", name=f"顾客{number}") for number in range(5)]
    return [row.pk for row in Customer.objects.bulk_create(rows)]


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def hear(sender: object, **told: Any) -> None:
        found.append({name: told[name] for name in ("customer_ids", "stage_id", "source")})

    signals.stage_changed.connect(hear)
    yield found
    signals.stage_changed.disconnect(hear)


def moves(customer: int) -> QuerySet[TimelineEntry]:
    return TimelineEntry.objects.filter(customer=customer, kind="stage_changed").order_by("id")


def test_a_move_is_told_on_the_timeline_with_both_stages_and_who_did_it(pipeline, crowd):
    move_to_stage(crowd[:1], pipeline["新客户"], by="wang", source="console")
    move_to_stage(crowd[:1], pipeline["意向"], by="ERP", source="api")
    move_to_stage(crowd[:1], None, by="wang", source="sidebar")

    told = [(one.payload["from"], one.payload["to"], one.actor, one.source) for one in moves(crowd[0])]
    assert told == [
        ("", "新客户", "wang", "console"),
        ("新客户", "意向", "ERP", "api"),
        ("意向", "", "wang", "sidebar"),
    ]
    customer = Customer.objects.get(pk=crowd[0])
    assert customer.stage is None
    assert customer.stage_at == moves(crowd[0]).last().at


def test_only_those_are_moved_who_are_elsewhere_and_the_signal_names_them_once(pipeline, crowd, heard):
    move_to_stage(crowd[:2], pipeline["意向"], by="wang", source="console")

    moved = move_to_stage(crowd, pipeline["意向"], by="wang", source="console")

    assert moved == 3
    stage_id = pipeline["意向"].pk
    assert [set(one["customer_ids"]) for one in heard] == [set(crowd[:2]), set(crowd[2:])]
    assert {one["stage_id"] for one in heard} == {stage_id}
    assert move_to_stage(crowd, pipeline["意向"], by="wang", source="console") == 0
    assert len(heard) == 2
    assert [moves(pk).count() for pk in crowd] == [1] * 5


def test_what_segments_ask_follows_at_once(pipeline, crowd):
    move_to_stage(crowd, pipeline["报价"], by="wang", source="console")

    assert set(CustomerFacts.objects.filter(stage_id=pipeline["报价"].pk).values_list("pk", flat=True)) == set(crowd)


def test_nobody_enters_a_stage_that_was_put_away_and_those_inside_stay(pipeline, crowd):
    move_to_stage(crowd[:1], pipeline["意向"], by="wang", source="console")
    put_away(pipeline["意向"])

    with pytest.raises(ValidationError, match="已停用"):
        move_to_stage(crowd[1:], pipeline["意向"], by="wang", source="console")
    with pytest.raises(ValidationError, match="没有名为"):
        stage_named("意向")
    assert Customer.objects.get(pk=crowd[0]).stage == pipeline["意向"]
    assert [one.name for one in living_stages()] == ["新客户", "报价"]


def test_what_was_put_away_comes_back_to_its_place_with_its_customers(pipeline, crowd):
    move_to_stage(crowd[:1], pipeline["意向"], by="wang", source="console")
    put_away(pipeline["意向"])

    bring_back(pipeline["意向"])

    assert [one.name for one in living_stages()] == ["新客户", "意向", "报价"]
    assert stage_named("意向").customers.count() == 1


def test_a_name_that_is_made_again_is_the_old_stage_at_the_end(pipeline, crowd):
    move_to_stage(crowd[:1], pipeline["意向"], by="wang", source="console")
    put_away(pipeline["意向"])

    again = add_stage("意向", "won")

    assert (again.pk, again.outcome) == (pipeline["意向"].pk, "won")
    assert [one.name for one in living_stages()] == ["新客户", "报价", "意向"]


def test_what_was_put_away_cannot_come_back_beside_its_namesake(pipeline):
    put_away(pipeline["意向"])
    change_stage(pipeline["报价"], name="意向", outcome="open")

    with pytest.raises(ValidationError, match="同名"):
        bring_back(pipeline["意向"])


@pytest.mark.parametrize(
    ("name", "words"), [("", "请填写"), ("  ", "请填写"), ("意向", "同名"), (" 意向 ", "同名"), ("长" * 21, "20 个字")]
)
def test_a_name_is_short_and_there_once(pipeline, name, words):
    with pytest.raises(ValidationError, match=words):
        add_stage(name)
    with pytest.raises(ValidationError, match=words):
        change_stage(pipeline["报价"], name=name, outcome="won")
    change_stage(pipeline["报价"], name="报价", outcome="won")  # its own name is free
    assert stage_named("报价").outcome == "won"


def test_there_are_twenty_stages_at_most(in_acme):
    for number in range(MOST):
        add_stage(f"第{number}步")

    with pytest.raises(ValidationError, match="最多 20 个阶段"):
        add_stage("再一步")


@pytest.mark.parametrize(
    ("name", "step", "order"),
    [
        ("意向", -1, ["意向", "新客户", "报价"]),
        ("意向", 1, ["新客户", "报价", "意向"]),
        ("新客户", -1, ["新客户", "意向", "报价"]),
        ("报价", 1, ["新客户", "意向", "报价"]),
    ],
)
def test_the_order_is_the_companys_own(pipeline, name, step, order):
    shift(living_stages(), pipeline[name], step)

    assert [one.name for one in living_stages()] == order


def test_the_other_company_has_a_pipeline_of_its_own(pipeline, globex):
    with globex:
        assert not living_stages().exists()
        add_stage("意向")
