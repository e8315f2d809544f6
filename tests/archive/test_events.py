"""What WeCom tells, who is asked for consent, and when somebody hears that nothing comes in."""

from datetime import timedelta

from django.utils import timezone

from archive import consents, lag, tasks
from archive.events import apply_approved, apply_notify
from archive.models import Consent, PullCursor
from contacts.models import Follow
from members.models import Staff
from tenants import due, jobs
from tenants.events import EVENT_OWNERS, Reading
from tenants.models import DueRow, OutgoingCall


def test_news_make_the_archive_due_at_once(archive):
    assert EVENT_OWNERS["msgaudit_notify"].apply is apply_notify
    apply_notify([], Reading())
    assert DueRow.objects.get(kind=tasks.DUE).due_at <= timezone.now()


def test_the_timer_goes_on_by_itself(archive):
    tasks.soon()
    due.run_due(archive.tenant)
    row = DueRow.objects.get(kind=tasks.DUE)
    assert timedelta(seconds=30) < row.due_at - timezone.now() <= timedelta(seconds=60)


def test_the_hourly_round_finds_a_company_whose_timer_is_gone(archive):
    tasks.keep_going()
    assert DueRow.objects.filter(kind=tasks.DUE).exists()


def test_consents_are_asked_for_every_friendship(archive):
    archive.sandbox.act("archive_answers", userid=archive.pair[0], external_userid=archive.pair[1], agree=False)

    job = jobs.run_to_end(consents.check_later())

    assert job.counts["consents"] == Follow.objects.filter(ended_at=None).count() == Consent.objects.count()
    mine = Consent.objects.get(external_userid=archive.pair[1], userid=archive.pair[0])
    assert mine.status == "disagree"


def test_one_friendship_that_wecom_does_not_know_hides_no_other(archive):
    follow = Follow.objects.order_by("id")[0]
    type(follow.customer).objects.filter(pk=follow.customer_id).update(external_userid="wmNobodyKnowsThisOne")

    jobs.run_to_end(consents.check_later())

    known = Follow.objects.filter(ended_at=None).exclude(customer=follow.customer).count()
    assert Consent.objects.count() == known


def test_an_approval_is_kept(archive):
    archive.sandbox.act("archive_answers", userid=archive.pair[0], external_userid=archive.pair[1], agree=True)

    class Event:
        external_user_id, user_id, at = archive.pair[1], archive.pair[0], timezone.now()

    apply_approved([Event()], Reading())
    assert Consent.objects.get().status == "agree"


def test_silence_is_told_long_before_five_days_and_each_alarm_once(archive, owner):
    from accounts.models import Operator

    Staff.objects.filter(pk=Staff.objects.order_by("id")[0].pk).update(operator=Operator.objects.get(role="owner"))
    archive.pull()
    assert lag.tell_if_late() == 0

    PullCursor.objects.update(pulled_at=timezone.now() - timedelta(hours=7))
    for _ in range(3):
        lag.tell_if_late()
    assert OutgoingCall.objects.filter(purpose="tell").count() == 1
    assert "没有取到会话" in owner.get("/console/archive/").content.decode()

    PullCursor.objects.update(pulled_at=timezone.now() - timedelta(hours=50))
    lag.tell_if_late()
    assert OutgoingCall.objects.filter(purpose="tell").count() == 2
