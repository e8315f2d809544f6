"""Bad days of a broadcast: nobody gets it twice, nobody is lost without a word."""

import contextlib
import random
from datetime import time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from broadcasts import audience, reminders, results, seen, sending
from broadcasts.models import Broadcast, BroadcastSender, Receipts, ReceiveRule
from broadcasts.planning import plan
from contacts import bulk
from contacts.models import Customer, Follow
from content import media
from content.models import MediaId
from members import quiet
from members.models import Staff
from tenants import due, outbox
from tenants.jobs import run_slice, run_to_end, start
from tenants.models import DueRow, Job, OutgoingCall, Tenant
from tenants.outcomes import short
from tests.broadcasts.conftest import CORP, Office, outcomes, states
from tests.content.made import material
from tests.sandbox_server import Sandbox
from tests.sizes import in_two_sizes

ADD, LIST, TASK = sending.API, "externalcontact/get_groupmsg_list_v2", "externalcontact/get_groupmsg_task"


# -- F12: answers that are lost ----------------------------------------------------------------------------------------


def test_a_lost_answer_is_looked_up_and_adopted(office: Office, sandbox: Sandbox) -> None:
    sandbox.fault("drop", ADD, executed=True, times=1)
    draft = office.send(office.draft())
    assert states(draft) == {"created": len(office.messages())}
    assert OutgoingCall.objects.filter(result_message="found in WeCom").count() == 1
    office.confirm()
    office.look(draft)
    got = office.received()
    assert (got["total"], got["twice"]) == (draft.preflight["receivers"], [])


def test_what_was_really_lost_is_sent_again_after_two_looks(office: Office, sandbox: Sandbox) -> None:
    sandbox.fault("drop", ADD, executed=False, times=1)
    draft = office.send(office.draft())
    office.deliver(4)
    assert states(draft) == {"created": draft.senders.count()}
    assert len(sandbox.calls(LIST)) == 2  # it may come into the list late
    office.confirm()
    assert office.received()["twice"] == []


def test_an_older_message_of_the_same_words_is_not_taken_for_the_lost_one(office: Office, sandbox: Sandbox) -> None:
    first = office.send(office.draft())
    office.confirm()
    sandbox.fault("drop", ADD, executed=False)
    second = office.send(office.draft())
    sandbox.well_again()
    office.deliver(6)
    msgids = list(BroadcastSender.objects.values_list("msgid", flat=True))
    assert len(set(msgids)) == len(msgids) == first.senders.count() + second.senders.count()
    assert states(second) == {"created": second.senders.count()}


@in_two_sizes("size", short=2, full=10)
def test_timeouts_of_a_third_of_the_calls_make_nobody_twice(office: Office, sandbox: Sandbox, size: int) -> None:
    """F12: 30 % of the creates time out, some before and some after WeCom did them."""
    random.seed(size)
    for round_ in range(size):
        sandbox.fault("drop", ADD, executed=True, rate=0.15)
        sandbox.fault("drop", ADD, executed=False, rate=0.15)
        draft = office.send(office.draft(f"第 {round_} 次店庆"))
        office.deliver(3)
        sandbox.well_again()
        office.deliver(6)
        assert states(draft) == {"created": draft.senders.count()}
    office.confirm()
    got = office.received()
    assert got["twice"] == []
    assert got["total"] == sum(one.preflight["receivers"] for one in Broadcast.objects.all())


def test_a_limit_of_wecom_is_waited_for_without_trying(office: Office, sandbox: Sandbox) -> None:
    """F13: during 45009 the calls of this API rest, and go out after it."""
    sandbox.fault("errcode", ADD, errcode=45009)
    draft = office.draft()
    sending.send(draft, by="lin", scope=None)
    run_to_end(Job.objects.get(kind=sending.JOB))
    for _ in range(5):
        outbox.deliver_due(urgent=False)
    assert len(sandbox.calls(ADD)) == 1
    assert states(draft) == {"asked": draft.senders.count()}
    sandbox.well_again()
    office.deliver()
    assert states(draft) == {"created": draft.senders.count()}


@in_two_sizes("size", short=4, full=20)
def test_killed_anywhere_it_goes_on_and_nobody_gets_it_twice(
    office: Office, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(sending, "POSTED", 1)
    for round_ in range(size):
        draft = office.draft(f"第 {round_} 次")
        sending.send(draft, by="lin", scope=None)
        left = random.Random(round_).randrange(1, 6)

        class Killed(BaseException):
            pass

        real = sending.post_some

        def dies(pk: int, real: Any = real) -> int:
            nonlocal left
            left -= 1
            done = real(pk)
            if not left:
                raise Killed
            return int(done)

        monkeypatch.setattr(sending, "post_some", dies)
        job = Job.objects.get(kind=sending.JOB, subject=str(draft.pk))
        with contextlib.suppress(Killed):
            run_to_end(job)
        monkeypatch.setattr(sending, "post_some", real)
        Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
        job.refresh_from_db()
        if job.state in ("queued", "running"):
            run_to_end(job)
        office.deliver()
        assert states(draft) == {"created": draft.senders.count()}
    office.confirm()
    got = office.received()
    assert (got["twice"], got["total"]) == ([], sum(one.preflight["receivers"] for one in Broadcast.objects.all()))


# -- what changed in between -------------------------------------------------------------------------------------------


def test_who_left_before_the_plan_is_replaced_by_another_friend(office: Office) -> None:
    customer = Customer.objects.filter(active_follows=1).order_by("id")[0]
    old = Follow.objects.get(customer=customer).staff
    new = Staff.objects.filter(can_follow=True).exclude(pk=old.pk).order_by("id")[0]
    Follow.objects.create(customer=customer, staff=new, added_at=timezone.now() - timedelta(days=900))
    bulk.refresh_customers([customer.pk])
    draft = office.draft()
    sending.send(draft, by="lin", scope=None)
    Staff.objects.filter(pk=old.pk).update(left_at=timezone.now(), status=Staff.Status.LEFT)
    plan(Broadcast.objects.get(pk=draft.pk))
    assert draft.senders.get(receivers__contains=[customer.pk]).staff == new
    assert not draft.senders.filter(staff=old).exists()


def test_who_left_between_plan_and_call_is_not_asked_and_says_so(office: Office) -> None:
    draft = office.draft()
    sending.send(draft, by="lin", scope=None)
    plan(Broadcast.objects.get(pk=draft.pk))
    gone = draft.senders.order_by("-total")[0]
    Staff.objects.filter(pk=gone.staff_id).update(left_at=timezone.now())
    office.go_on(draft)
    gone.refresh_from_db()
    assert (gone.state, gone.reason) == ("failed", "已离职，没有通知")
    assert gone.staff.userid not in {userid for task in office.messages() for userid in task["tasks"]}


def test_a_member_whom_wecom_does_not_let_send_is_said_in_words(office: Office, sandbox: Sandbox) -> None:
    sandbox.fault("errcode", ADD, errcode=40003, times=1)
    draft = office.send(office.draft())
    failed = draft.senders.get(state="failed")
    assert "40003" in failed.reason
    assert sending.retry(draft, by="lin") == 1
    office.deliver()
    assert states(draft) == {"created": draft.senders.count()}


def test_who_deleted_us_after_the_plan_is_not_in_the_call(office: Office) -> None:
    draft = office.draft()
    sending.send(draft, by="lin", scope=None)
    plan(Broadcast.objects.get(pk=draft.pk))
    sender = draft.senders.order_by("-total")[0]
    lost = sender.receivers[0]
    Follow.objects.filter(customer_id=lost).update(ended_at=timezone.now(), ended_by="customer")
    office.go_on(draft)
    sender.refresh_from_db()
    assert sender.not_friend == 1
    assert next(t["tasks"][sender.staff.userid] for t in office.messages() if sender.staff.userid in t["tasks"]) == (
        sender.total - 1
    )


def test_who_deleted_us_before_it_was_confirmed_is_told_apart(office: Office, sandbox: Sandbox) -> None:
    draft = office.send(office.draft())
    sender = draft.senders.select_related("staff").order_by("-total")[0]
    lost = Customer.objects.get(pk=sender.receivers[0])
    sandbox.act("customer_deletes_staff", userid=sender.staff.userid, external_userid=lost.external_userid)
    office.confirm()
    office.look(draft)
    assert outcomes(draft)["not_friend"] == 1
    assert lost.external_userid not in office.received()["received"]


def test_who_got_too_many_elsewhere_is_told_apart(office: Office, sandbox: Sandbox) -> None:
    draft = office.send(office.draft())
    sandbox.control("PATCH", CORP, limits={"mass_rule": "day"})
    sender = draft.senders.select_related("staff").order_by("-total")[0]
    other = Customer.objects.get(pk=sender.receivers[0]).external_userid
    sandbox.act("staff_mass_sends", userid=sender.staff.userid, to=[other], text="自己发的")
    office.confirm()
    office.look(draft)
    assert outcomes(draft) == {"sent": draft.preflight["receivers"] - 1, "at_limit": 1}


def test_what_staff_sent_by_themselves_counts_against_the_limit(office: Office, sandbox: Sandbox) -> None:
    sender = audience.preflight(office.draft()).senders[0].staff
    customer = Follow.objects.filter(staff=sender, ended_at=None, customer__active_follows=1)[0].customer
    sandbox.act("staff_mass_sends", userid=sender.userid, to=[customer.external_userid], text="自己发的")
    for _ in range(2):  # the second look counts nothing again
        run_to_end(start(seen.JOB, "test"))
    assert list(Receipts.objects.values_list("receiver", "count")) == [(customer.pk, 1)]
    ReceiveRule.objects.create(span="day")
    assert audience.preflight(office.draft()).left_out["at_limit"] == 1


def test_whom_wecom_does_not_take_in_is_refused_and_known(office: Office, sandbox: Sandbox) -> None:
    draft = office.draft()
    sending.send(draft, by="lin", scope=None)
    plan(Broadcast.objects.get(pk=draft.pk))
    sender = draft.senders.select_related("staff").order_by("-total")[0]
    lost = Customer.objects.get(pk=sender.receivers[0]).external_userid
    sandbox.act("staff_deletes_customer", userid=sender.staff.userid, external_userid=lost)
    office.go_on(draft)
    sender.refresh_from_db()
    assert (sender.state, sender.refused) == ("created", 1)


def test_a_media_id_that_died_is_made_anew(office: Office, sandbox: Sandbox) -> None:
    picture = material("image")
    draft = office.draft(content={"text": "新品", "materials": [picture.pk]})
    sending.send(draft, by="lin", scope=None)
    media.ready(picture.file, "image")
    sandbox.act("time_passes", seconds=4 * 86_400)
    old = set(MediaId.objects.values_list("media_id", flat=True))
    office.go_on(draft)
    assert states(draft) == {"created": draft.senders.count()}
    assert set(MediaId.objects.values_list("media_id", flat=True)) != old
    office.confirm()
    assert office.received()["total"] == draft.preflight["receivers"]


def test_a_file_that_cannot_be_uploaded_ends_it_in_words(office: Office, sandbox: Sandbox) -> None:
    picture = material("image")
    draft = office.draft(content={"text": "新品", "materials": [picture.pk]})
    sandbox.fault("errcode", "media/upload", errcode=40009)
    sending.send(draft, by="lin", scope=None)
    job = Job.objects.get(kind=sending.JOB)
    for _ in range(sending.MEDIA_TRIES + 1):  # the file is asked for, and refused
        Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
        job.refresh_from_db()
        run_slice(job)
    draft.refresh_from_db()
    assert draft.state == "failed" and draft.reason.startswith("附件没有上传到企业微信")
    assert office.messages() == []


# -- looking, reminding, stopping --------------------------------------------------------------------------------------


def test_a_message_still_being_dispatched_is_asked_again_soon(office: Office, sandbox: Sandbox) -> None:
    draft = office.send(office.draft())
    sandbox.fault("errcode", TASK, errcode=41063)
    office.look(draft)
    pauses = [one.poll_at - timezone.now() for one in draft.senders.all() if one.poll_at]
    assert pauses and max(pauses) <= timedelta(seconds=31)
    sandbox.well_again()
    office.confirm()
    assert office.look(draft).state == "ended"


def test_a_message_that_wecom_knows_no_more_says_so(office: Office, sandbox: Sandbox) -> None:
    draft = office.send(office.draft())
    sandbox.fault("errcode", TASK, errcode=41046)
    office.look(draft)
    assert draft.ended_at is not None
    reason = draft.senders.all()[0].reason
    assert reason.startswith("查不到发送结果：") and "41046" in reason


def test_results_are_asked_less_and_less_and_freeze_after_thirty_days(office: Office) -> None:
    now = timezone.now()
    pauses = [results.next_look(now - age, now) for age in (timedelta(0), timedelta(hours=1), timedelta(days=2))]
    assert [at - now for at in pauses if at] == [timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=3)]
    draft = office.send(office.draft())
    draft.senders.update(created_at=now - timedelta(days=31))
    office.look(draft)
    assert (draft.state, draft.ended_at is not None) == ("ended", True)
    assert audience.Reason.DELETED  # nobody got it, and nobody is said to have got it
    assert outcomes(draft) == {}


def test_staff_are_reminded_three_times_a_day_at_most(office: Office, sandbox: Sandbox) -> None:
    office.habit("reminded")
    draft = office.send(office.draft())
    sandbox.fault("errcode", TASK, errcode=41063)  # nobody is known to have confirmed
    for _ in range(5):
        reminders.remind_all(draft, by="lin")
        for job in Job.objects.filter(kind=reminders.JOB, state="queued"):
            run_to_end(job)
        office.deliver()
        draft.senders.update(reminded_at=timezone.now() - timedelta(hours=1))
    sent = sandbox.effects("mass_reminder")
    assert len(sent) == 3 * draft.senders.count()
    sandbox.well_again()
    office.look(draft)
    assert draft.state == "ended"  # those who confirm when reminded did


def test_who_has_not_sent_it_is_reminded_by_itself_once_a_day_and_not_at_night(
    office: Office, sandbox: Sandbox, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "FROM", time.max)  # the hour at which this test runs
    monkeypatch.setattr(quiet, "TO", time.min)
    draft = office.send(office.draft(remind_after=4))
    due_at = DueRow.objects.get(kind=reminders.DUE, ref=draft.pk).due_at
    assert timedelta(hours=4) < due_at - timezone.now() < timedelta(hours=5)
    office.confirm(everybody=False)
    office.look(draft)
    waiting = draft.senders.filter(state="created")

    def some_hours_later(hours: int) -> int:
        since = timezone.now() - timedelta(hours=hours)
        draft.senders.update(created_at=since)
        DueRow.objects.filter(kind=reminders.DUE, ref=draft.pk).update(due_at=timezone.now())
        due.run_due(in_acme)
        for job in Job.objects.filter(kind=reminders.JOB, state="queued"):
            run_to_end(job)
        office.deliver()
        return len(sandbox.effects("mass_reminder"))

    assert some_hours_later(3) == 0
    monkeypatch.setattr(quiet, "FROM", time.min)  # it is night
    assert some_hours_later(5) == 0
    monkeypatch.setattr(quiet, "FROM", time.max)
    assert some_hours_later(5) == waiting.count() == draft.senders.count() - 1
    assert some_hours_later(9) == waiting.count()  # told today
    waiting.update(reminded_at=timezone.now() - timedelta(hours=25))
    assert some_hours_later(30) == 2 * waiting.count()
    Broadcast.objects.filter(pk=draft.pk).update(sent_at=timezone.now() - timedelta(days=8))
    waiting.update(reminded_at=timezone.now() - timedelta(hours=25))
    assert some_hours_later(200) == 2 * waiting.count()
    assert not DueRow.objects.filter(kind=reminders.DUE).exists()


def test_stopped_nobody_else_gets_it(office: Office, sandbox: Sandbox) -> None:
    draft = office.send(office.draft())
    office.confirm(everybody=False)
    sending.stop(draft, by="lin")
    office.deliver()
    office.look(draft)
    assert draft.state == "stopped" and draft.ended_at is not None
    assert set(states(draft)) == {"confirmed", "stopped"}
    got = office.received()["total"]
    assert got == outcomes(draft)["sent"] == draft.senders.get(state="confirmed").total
    assert len(sandbox.effects("mass_cancelled")) == draft.senders.count() - 1 or draft.senders.count() == len(
        sandbox.effects("mass_cancelled")
    )


@pytest.mark.parametrize("waits_for", ["pending", "parked"])
def test_stopped_while_it_is_posted_what_was_not_sent_is_taken_back(office: Office, waits_for: str) -> None:
    draft = office.draft()
    sending.send(draft, by="lin", scope=None)
    run_to_end(Job.objects.get(kind=sending.JOB))
    OutgoingCall.objects.filter(purpose="broadcast").update(state=waits_for)
    draft.refresh_from_db()
    sending.stop(draft, by="lin")
    office.deliver()
    assert office.messages() == []
    assert states(draft) == {"stopped": draft.senders.count()}
    assert set(OutgoingCall.objects.filter(purpose="broadcast").values_list("state", flat=True)) == {"ignored"}
    office.look(draft)
    assert draft.ended_at is not None


def test_stopped_while_an_answer_is_lost_it_is_not_sent_again(office: Office, sandbox: Sandbox) -> None:
    sandbox.fault("drop", ADD, executed=False)
    draft = office.draft()
    sending.send(draft, by="lin", scope=None)
    run_to_end(Job.objects.get(kind=sending.JOB))
    outbox.deliver_due(urgent=False)
    assert OutgoingCall.objects.filter(purpose="broadcast", state="unknown").exists()
    draft.refresh_from_db()
    sending.stop(draft, by="lin")
    sandbox.well_again()
    office.deliver(4)
    assert office.messages() == []
    assert states(draft) == {"stopped": draft.senders.count()}
    assert office.look(draft).ended_at is not None


def test_who_is_to_be_asked_again_while_the_job_ends_is_asked(office: Office, acme: Tenant) -> None:
    draft = office.send(office.draft())
    job = sending.start(sending.JOB, "lin", {"broadcast": draft.pk}, subject=str(draft.pk))
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, heartbeat_at=timezone.now())
    OutgoingCall.objects.filter(purpose="broadcast").delete()
    draft.senders.update(state="failed", msgid="")
    sending.retry(draft, by="lin")
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    made = len(office.messages())
    DueRow.objects.filter(kind=sending.DUE).update(due_at=timezone.now())
    due.run_due(acme)
    office.go_on(draft)
    assert len(office.messages()) == made + draft.senders.count()


def test_put_off_while_its_time_was_being_taken_it_waits_for_the_new_one(office: Office) -> None:
    draft = office.send(office.draft(send_at=timezone.now() + timedelta(hours=2)))
    sending.fall_due([draft.pk])
    draft.refresh_from_db()
    assert draft.state == "scheduled"
    assert due.waiting(sending.DUE, [draft.pk]) == {draft.pk}


def test_an_answer_too_long_to_keep_keeps_its_msgid() -> None:
    answer = {"msgid": "m1", "fail_list": [f"wm{number:030}" for number in range(1000)]}
    assert short(answer) == {"msgid": "m1", "too_large": True}
    assert short({"msgid": "m1", "fail_list": []}) == {"msgid": "m1", "fail_list": []}
