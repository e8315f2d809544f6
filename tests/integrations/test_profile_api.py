"""A company's own system reads and writes stages, custom fields and 跟进记录, under the same rules as people do."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from contacts.custom_fields import add_field
from contacts.models import Customer, FollowUp, TimelineEntry
from contacts.stages import add_stage, move_to_stage, put_away, stage_named
from members.models import Staff
from tenants.models import Tenant
from tests.integrations.caller import Caller


@pytest.fixture
def profile(acme: Tenant) -> None:
    with acme:
        for name in ("新客户", "意向"):
            add_stage(name)
        add_stage("成交", "won")
        add_field("预算", "number")
        add_field("意向度", "choice", choices=["高", "低"])


def patch(api: Caller, customer: str, body: Any, **headers: str) -> Any:
    return api.ask("PATCH", f"customers/{customer}", body, **headers)


@pytest.mark.usefixtures("profile")
def test_stage_and_fields_are_changed_together_and_read_by_name_and_key(api, acme, customer):
    answer = patch(api, customer, {"stage": "意向", "fields": {"yusuan": 3000, "意向度": "高"}})

    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["stage"], changed["fields"]) == ("意向", {"yusuan": 3000, "yixiangdu": "高"})
    assert api.get(f"customers/{customer}") == changed
    with acme:
        told = TimelineEntry.objects.order_by("id").values_list("kind", "source", "actor")
        assert [kind for kind, _, _ in told] == ["fields_changed", "stage_changed"]
        assert {source for _, source, _ in told} == {"api"}
        assert all("ERP" in actor for _, _, actor in told)


@pytest.mark.usefixtures("profile")
def test_what_is_not_named_stays_and_null_empties(api, customer):
    patch(api, customer, {"stage": "意向", "fields": {"预算": 3000, "意向度": "高"}})

    assert patch(api, customer, {"fields": {"预算": None}}).json()["stage"] == "意向"

    found = patch(api, customer, {"stage": None}).json()
    assert (found["stage"], found["fields"]) == (None, {"yixiangdu": "高"})


@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"stage": "没有的"}, ["stage"]),
        ({"fields": {"预算": "很多"}}, ["fields.预算"]),
        ({"fields": {"爱好": "茶", "意向度": "中"}}, ["fields.爱好", "fields.意向度"]),
        ({"fields": {"预算": 1}, "stage": "没有的"}, ["stage"]),
        ({"fields": ["预算"]}, ["fields"]),
        ({}, ["non_field_errors"]),
        ({"name": "改名"}, ["non_field_errors"]),
    ],
)
def test_a_wrong_body_is_refused_as_a_whole_and_says_where(api, acme, customer, body, wrong):
    answer = patch(api, customer, body)

    assert answer.status_code == 400
    assert sorted(answer.json()["field_errors"]) == sorted(wrong)
    with acme:
        found = Customer.objects.get(external_userid=customer)
        assert (found.stage, found.fields) == (None, {})
        assert not TimelineEntry.objects.exists()


@pytest.mark.usefixtures("profile")
def test_a_repeat_with_its_key_writes_once(api, acme, customer):
    first = patch(api, customer, {"stage": "意向"}, idempotency_key="deal-1")
    with acme:
        move_to_stage([Customer.objects.get().pk], stage_named("成交"), by="wang", source="console")

    again = patch(api, customer, {"stage": "意向"}, idempotency_key="deal-1")

    assert again.json() == first.json()
    assert api.get(f"customers/{customer}")["stage"] == "成交"


@pytest.mark.usefixtures("profile")
def test_customers_are_found_by_the_name_of_their_stage(api, customer):
    patch(api, customer, {"stage": "意向"})

    assert [one["external_userid"] for one in api.get("customers", stage="意向")["data"]] == [customer]
    assert api.get("customers", stage="成交")["data"] == []


@pytest.mark.usefixtures("profile")
def test_the_pipeline_and_the_fields_can_be_read(api, acme, customer):
    patch(api, customer, {"stage": "成交"})
    with acme:
        put_away(stage_named("新客户"))

    stages = [(one["name"], one["outcome"], one["customers"]) for one in api.get("stages")["data"]]
    assert stages == [("意向", "open", 0), ("成交", "won", 1)]
    assert api.get("custom-fields")["data"] == [
        {"key": "yusuan", "name": "预算", "kind": "number", "choices": []},
        {"key": "yixiangdu", "name": "意向度", "kind": "choice", "choices": ["高", "低"]},
    ]
    assert [len(page) for page in api.pages("custom-fields", limit=1)] == [1, 1]


def test_follow_ups_are_written_and_read(api, acme, customer):
    at = timezone.now() + timedelta(days=3)
    body = {"text": "约好看样品", "next_at": at.isoformat(), "userid": "ZHANG"}

    answer = api.post(f"customers/{customer}/follow-ups", body, idempotency_key="f-1")
    api.post(f"customers/{customer}/follow-ups", body, idempotency_key="f-1")

    assert answer.status_code == 201
    assert [one["text"] for one in api.get(f"customers/{customer}/follow-ups")["data"]] == ["约好看样品"]
    with acme:
        row = FollowUp.objects.get()
        assert (row.staff, row.next_at) == (Staff.objects.get(), at)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, "text"),
        ({"text": "  "}, "text"),
        ({"text": "约好了", "next_at": "明天"}, "next_at"),
        ({"text": "约好了", "next_at": "2020-01-01T08:00:00+08:00"}, "next_at"),
        ({"text": "约好了", "userid": "nobody"}, "userid"),
    ],
)
def test_a_follow_up_that_makes_no_sense_is_400(api, acme, customer, body, wrong):
    answer = api.post(f"customers/{customer}/follow-ups", body)

    assert (answer.status_code, list(answer.json()["field_errors"])) == (400, [wrong])
    with acme:
        assert not FollowUp.objects.exists()


@pytest.mark.usefixtures("profile")
def test_another_companys_customer_is_404(other_api, customer):
    assert patch(other_api, customer, {"stage": None}).status_code == 404
    assert other_api.status(f"customers/{customer}/follow-ups") == 404
    assert other_api.post(f"customers/{customer}/follow-ups", {"text": "你好"}).status_code == 404
    assert other_api.get("stages")["data"] == other_api.get("custom-fields")["data"] == []
