"""A broadcast from the audience to the last receipt: the numbers promised come true to the person."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from broadcasts import audience, results, sending
from broadcasts.demo import past_broadcast
from broadcasts.models import Broadcast, BroadcastSender, Delivery, LeftOut, Receipts, ReceiveRule
from broadcasts.signals import delivered
from contacts import bulk
from contacts.models import Customer, Follow, GroupChat, TimelineEntry
from content.models import Material, Sending
from members.models import Staff
from tenants import due
from tenants.jobs import start
from tenants.models import DueRow, Job, Tenant
from tests.broadcasts.conftest import Office, outcomes, states
from tests.content.made import material
from tests.people import add_operator


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []

    def listen(sender: Any, **told: Any) -> None:
        found.append(told)

    delivered.connect(listen)
    yield found
    delivered.disconnect(listen)


def test_the_preflight_comes_true_to_the_person(office: Office, heard: list[dict[str, Any]]) -> None:
    draft = office.draft()
    promised = audience.preflight(draft)
    assert promised.matched == promised.receivers + sum(promised.left_out.values()) == Customer.objects.count()

    office.send(draft)
    assert (draft.state, states(draft)) == ("sending", {"created": len(promised.senders)})
    office.confirm()
    office.look(draft)

    got = office.received()
    assert (got["total"], got["twice"]) == (promised.receivers, [])
    asked = {one["userid"]: total for task in office.messages() for one, total in [_only(task)]}
    assert asked == {one.staff.userid: one.total for one in promised.senders}
    assert (draft.state, outcomes(draft)) == ("ended", {"sent": promised.receivers})
    assert draft.ended_at is not None
    assert sum(draft.senders.values_list("sent", flat=True)) == promised.receivers
    assert Receipts.objects.filter(kind="customers", count=1).count() == promised.receivers
    assert TimelineEntry.objects.filter(kind="broadcast_sent").count() == promised.receivers
    assert sorted(one for told in heard for one in told["customer_ids"]) == sorted(
        Delivery.objects.values_list("receiver", flat=True)
    )


def _only(task: dict[str, Any]) -> tuple[dict[str, str], int]:
    ((userid, size),) = task["tasks"].items()
    return {"userid": userid}, size


def test_results_told_again_change_nothing(office: Office, heard: list[dict[str, Any]]) -> None:
    draft = office.send(office.draft())
    office.confirm()
    office.look(draft)
    before = len(heard), Receipts.objects.count(), TimelineEntry.objects.count()
    BroadcastSender.objects.update(poll_at=timezone.now())
    office.look(draft)
    assert (len(heard), Receipts.objects.count(), TimelineEntry.objects.count()) == before
    assert set(Receipts.objects.values_list("count", flat=True)) == {1}


def test_a_customer_of_several_staff_gets_it_once_from_whom_he_talked_with_last(office: Office) -> None:
    customer = Customer.objects.filter(active_follows=1).order_by("id")[0]
    first = Follow.objects.get(customer=customer)
    newer = Staff.objects.filter(can_follow=True).exclude(pk=first.staff_id).order_by("id")[0]
    Follow.objects.create(customer=customer, staff=newer, added_at=timezone.now())
    bulk.refresh_customers([customer.pk])
    draft = office.draft()
    assert _sender_of(draft, customer) == newer  # the newest friend
    Sending.objects.create(staff=first.staff, customer=customer, via="sidebar", key="1")
    assert _sender_of(draft, customer) == first.staff  # the newest message wins
    draft.staff_ids = [newer.pk]
    assert _sender_of(draft, customer) == newer  # of those who were chosen


def _sender_of(draft: Broadcast, customer: Customer) -> Staff:
    sql = audience.placed(draft)
    ((staff,),) = audience._all(
        f"{sql.text} SELECT staff_id FROM placed WHERE receiver = %s", [*sql.params, customer.pk]
    )
    return Staff.objects.get(pk=staff)


def test_who_is_left_out_is_counted_by_reason_and_kept(office: Office) -> None:
    gone, full, nobodys = Customer.objects.filter(active_follows=1).order_by("id")[:3]
    Follow.objects.filter(customer=gone).update(ended_at=timezone.now(), ended_by="customer")
    bulk.refresh_customers([gone.pk])
    today = timezone.localdate()
    Receipts.objects.create(kind="customers", receiver=full.pk, day=today, count=31)
    friend = Follow.objects.get(customer=nobodys).staff
    others = Follow.objects.filter(staff=friend, ended_at=None).exclude(customer__in=[gone, full])
    Staff.objects.filter(pk=friend.pk).update(can_follow=False)
    alone = [one.customer_id for one in others if one.customer.active_follows == 1]
    draft = office.draft()

    found = audience.preflight(draft)

    assert found.left_out["deleted"] == 1
    assert found.left_out["no_sender"] >= len(alone) >= 1
    assert [(one.staff, one.reason) for one in found.unable] == [(friend, "没有客户联系权限")]
    office.send(draft)
    kept = {one.reason: one for one in LeftOut.objects.filter(broadcast=draft)}
    assert {reason: one.total for reason, one in kept.items()} == found.left_out
    assert gone.pk in kept["deleted"].receivers and nobodys.pk in kept["no_sender"].receivers
    if "at_limit" in kept:
        assert kept["at_limit"].receivers == [full.pk]
    assert not office.received()["twice"]


@pytest.mark.parametrize(("span", "most"), [("day", 1), ("week", 7)])
def test_the_limit_is_the_one_the_company_chose(office: Office, span: str, most: int) -> None:
    ReceiveRule.objects.create(span=span)
    one = Customer.objects.filter(active_follows=1).order_by("id")[0]
    row = Receipts.objects.create(kind="customers", receiver=one.pk, day=timezone.localdate(), count=most - 1)
    assert audience.preflight(office.draft()).left_out.get("at_limit", 0) == 0
    Receipts.objects.filter(pk=row.pk).update(count=most)
    assert audience.preflight(office.draft()).left_out["at_limit"] == 1
    put_off = office.draft(send_at=timezone.now() + timedelta(days=8))
    assert "at_limit" not in audience.preflight(put_off).left_out  # another day, another limit


def test_groups_get_it_from_their_owners(office: Office) -> None:
    draft = office.draft(kind="groups")
    promised = audience.preflight(draft)
    assert promised.receivers == GroupChat.objects.filter(dismissed_at=None).count() > 0
    office.send(draft)
    assert {task["chat_type"] for task in office.messages()} == {"group"}
    office.confirm()
    office.look(draft)
    assert (draft.state, outcomes(draft)) == ("ended", {"sent": promised.receivers})
    assert office.received()["total"] == promised.receivers
    assert TimelineEntry.objects.filter(kind="broadcast_sent").exclude(chat=None).count() == promised.receivers


def test_sent_twice_it_goes_once(office: Office) -> None:
    draft = office.draft()
    again = Broadcast.objects.get(pk=draft.pk)
    office.send(draft)
    with pytest.raises(ValidationError, match="已经提交"):
        sending.send(again, by="lin", scope=None)
    made = len(office.messages())
    sending.start(sending.JOB, "lin", {"broadcast": draft.pk}, subject=str(draft.pk))
    office.go_on(draft)
    assert len(office.messages()) == made


def test_the_plan_is_made_once_and_packs_what_one_call_takes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audience.PART, Broadcast.Kind.CUSTOMERS, 3)
    monkeypatch.setattr("broadcasts.planning.PART", audience.PART)
    draft = office.send(office.draft())
    sizes = list(draft.senders.values_list("total", flat=True))
    assert max(sizes) == 3 and sum(sizes) == draft.preflight["receivers"]
    office.confirm()
    assert office.received()["twice"] == []


def test_at_its_time_it_goes_by_itself(office: Office, acme: Tenant) -> None:
    draft = office.draft(send_at=timezone.now() + timedelta(hours=2))
    office.send(draft)
    assert (draft.state, draft.sent_at, office.messages()) == ("scheduled", None, [])
    row = DueRow.objects.get(kind=sending.DUE, ref=draft.pk)
    DueRow.objects.filter(pk=row.pk).update(due_at=timezone.now())
    Broadcast.objects.filter(pk=draft.pk).update(send_at=timezone.now())
    due.run_due(acme)
    office.go_on(draft)
    assert draft.state == "sending" and draft.sent_at is not None
    assert office.messages()


def test_what_lost_a_picture_before_its_time_is_not_sent_without_it(office: Office, acme: Tenant) -> None:
    poster = material("image")
    content = {"text": "周六店庆", "materials": [poster.pk]}
    draft = office.send(office.draft(content=content, send_at=timezone.now() + timedelta(hours=2)))
    Material.objects.filter(pk=poster.pk).update(archived_at=timezone.now())
    Broadcast.objects.filter(pk=draft.pk).update(send_at=timezone.now())
    sending.fall_due([draft.pk])
    draft.refresh_from_db()
    assert (draft.state, "有 1 个素材已被删除" in draft.reason) == ("failed", True)
    assert not Job.objects.filter(kind=sending.JOB).exists()


def test_a_look_that_falls_due_while_the_one_before_ends_is_not_lost(office: Office, acme: Tenant) -> None:
    broadcast = office.send(office.draft())
    job = start(results.JOB, "schedule", {"broadcast": broadcast.pk}, subject=str(broadcast.pk))
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, heartbeat_at=timezone.now())
    looks = DueRow.objects.filter(kind=results.DUE, ref=broadcast.pk)
    looks.update(due_at=timezone.now())
    due.run_due(acme)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    assert looks.exists() and not looks.filter(due_at__lte=timezone.now()).exists()


def test_put_off_it_can_be_taken_back(office: Office) -> None:
    draft = office.send(office.draft(send_at=timezone.now() + timedelta(hours=2)))
    assert sending.unschedule(draft)
    draft.refresh_from_db()
    assert draft.state == "draft"
    assert not DueRow.objects.filter(kind=sending.DUE).exists()
    assert not sending.unschedule(draft)


def test_nobody_to_send_to_is_said(office: Office) -> None:
    draft = office.draft(tree={"match": "all", "of": [{"is": "lost", "op": "yes"}]})
    office.send(draft)
    assert draft.state == "failed" and "没有可以通知的员工" in draft.reason
    assert office.messages() == []


def test_an_operator_of_a_range_reaches_its_customers_alone(office: Office, in_acme: Tenant) -> None:
    staff = Staff.objects.filter(follows__ended_at=None, can_follow=True).distinct().order_by("id")[0]
    clerk = add_operator(in_acme, "clerk", "admin", scope="self")
    Staff.objects.filter(pk=staff.pk).update(operator=clerk)
    draft = office.draft()
    draft.scope_staff_ids = audience.reach_of(clerk)
    draft.save()
    office.send(draft, operator=clerk)
    assert [list(task["tasks"]) for task in office.messages()] == [[staff.userid]]


def test_a_past_broadcast_for_the_demo_has_results_and_is_made_once(office: Office) -> None:
    at = timezone.now() - timedelta(days=9)
    for _ in range(2):
        made = past_broadcast("上新预告", {"text": "新品上架", "materials": []}, sent_at=at, by="lin", missed=0.3)
    assert (made.state, Broadcast.objects.count()) == ("stopped" if "stopped" in states(made) else "ended", 1)
    assert outcomes(made)["sent"] == TimelineEntry.objects.filter(kind="broadcast_sent").count() > 0
    assert sum(made.senders.values_list("total", flat=True)) == made.preflight["receivers"]
    assert office.messages() == []
