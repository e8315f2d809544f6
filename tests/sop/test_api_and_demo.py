"""SOP plans and tasks in the Open API; and the demo company's month of them."""

import pytest
from django.db.models import Count
from django.utils import timezone

from contacts.models import Customer
from contacts.stages import add_stage, move_to_stage
from sop import enrol
from sop.demo import seed_sop
from sop.models import Assignment, Enrolment, Plan, StaffTask, StepRun
from tenants.models import DueRow
from tests.integrations.caller import Caller
from tests.pages_of_apps.company import Company


@pytest.fixture
def entered(company, make_plan):
    plan = make_plan({"after_minutes": 90}, {"day": 1, "at": "10:00"})
    company.add("韩梅梅", "wang")
    enrol.enrol(plan, [company.follow("韩梅梅", "wang").pk], "test", timezone.now())
    return plan


def test_plans_their_customers_and_tasks_are_told(entered, company, in_acme):
    task = StaffTask.objects.create(
        staff=company.staff["wang"], customer=company.customers["韩梅梅"], title="回访", starts_at=timezone.now(),
        ends_at=timezone.now(),
    )  # fmt: skip
    caller = Caller.of(in_acme)
    (told,) = caller.get("sop-plans")["data"]
    assert (told["name"], told["enabled"], told["version"], told["active"]) == ("新客培育", True, 1, 1)
    assert [step["after_minutes"] for step in told["steps"]] == [90, None]
    assert caller.get(f"sop-plans/{entered.pk}") == told
    (one,) = caller.get(f"sop-plans/{entered.pk}/customers")["data"]
    assert (one["customer"], one["userid"], one["state"]) == ("wm韩梅梅", "wang", "active")
    (listed,) = caller.get("tasks", state="open", userid="WANG")["data"]
    assert (listed["title"], listed["customer"], listed["plan"]) == ("回访", "wm韩梅梅", None)
    assert caller.get(f"tasks/{task.pk}") == listed
    assert caller.get("tasks", state="done")["data"] == []
    assert len(caller.get("tasks", state="", userid="")["data"]) == 1
    for name, text in (("state", "nonsense"), ("state", "a\x00b"), ("userid", "a\x00b"), ("userid", "x" * 1000)):
        answer = caller.ask("GET", "tasks", query={name: text})
        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, [name])
    assert caller.status("sop-plans/0") == 404


def test_another_system_puts_a_customer_into_a_plan_and_takes_it_out(company, make_plan, in_acme):
    plan = make_plan({"after_minutes": 60 * 24})
    company.add("韩梅梅", "wang", "li")
    company.add("没人了", "zhao")
    company.staff["zhao"].left_at = timezone.now()
    company.staff["zhao"].save()
    Customer.objects.filter(name="韩梅梅").update(external_userid="wmHan")
    caller, path = Caller.of(in_acme), f"sop-plans/{plan.pk}/customers"
    for body, field in (
        ({}, "customer"),
        ({"customer": "wm\x00"}, "customer"),
        ({"customer": "nobody"}, "customer"),
        ({"customer": "wm没人了"}, "customer"),
        ({"customer": "wmHan", "userid": "zhao"}, "userid"),
    ):
        answer = caller.post(path, body)
        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, [field]), body
    wish = {"customer": "wmHan", "userid": "WANG"}
    made, again = (caller.post(path, wish, idempotency_key="order-7") for _ in range(2))
    assert (made.status_code, again.status_code) == (201, 201)
    assert made.json() == again.json() == caller.get(path)["data"][0]
    assert (made.json()["userid"], made.json()["state"]) == ("wang", "active")
    there = caller.post(path, {"customer": "wmHan"})
    assert (there.status_code, there.json()["id"]) == (200, made.json()["id"])

    out = caller.ask("DELETE", f"{path}/wmHan")
    assert (out.status_code, out.json()["state"], out.json()["exit_reason"]) == (200, "exited", "api")
    assert not DueRow.objects.filter(kind="sop.step").exists()
    assert caller.ask("DELETE", f"{path}/wmHan").status_code == 404
    with in_acme:
        Plan.objects.update(enabled=False)
    assert caller.post(path, wish).status_code == 400
    with in_acme:
        assert Enrolment.objects.count() == 1


def test_the_demo_has_a_month_of_history_and_is_made_once(company: Company) -> None:
    won, lost = add_stage("成交", "won"), add_stage("放弃", "lost")
    assert lost.pk
    company.crowd(40, "wang")
    for number in range(20):
        company.add(f"老客{number}", "li", days=12 + number)
    move_to_stage([one.pk for one in list(company.customers.values())[:10]], won, by="演示", source="system")
    seed_sop()
    seed_sop()
    assert set(Plan.objects.values_list("name", "enabled")) == {("新客 7 天培育", True), ("成交后回访", True)}
    states = dict(StaffTask.objects.values_list("state").annotate(number=Count("pk")))
    assert states["done"] > 20 and states["skipped"] and states["expired"]
    assert set(Assignment.objects.values_list("state", flat=True)) == {"running", "ended"}
    waiting = StepRun.objects.filter(state="waiting")
    assert waiting.filter(due_at__gt=timezone.now()).exists()
    assert set(DueRow.objects.filter(kind="sop.step").values_list("ref", flat=True)) == set(
        waiting.values_list("pk", flat=True)
    )
    assert Enrolment.objects.filter(state="done").exists()
