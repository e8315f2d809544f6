"""What WeCom tells, who is asked for consent, and when somebody hears that nothing comes in."""

from datetime import timedelta

import pytest
from django.db.models import Count, Q
from django.utils import timezone

from archive import consents, demo, lag, tasks
from archive.events import apply_approved, apply_notify
from archive.models import Consent, Conversation, PullCursor
from contacts.models import Customer, Follow, GroupChat, GroupMember
from members.models import Staff
from tenants import due, jobs
from tenants.events import EVENT_OWNERS, Reading
from tenants.models import Credential, DueRow, OutgoingCall


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

    asked = Consent.objects.filter(chat_id="").count()
    assert asked == Follow.objects.filter(ended_at=None).count()
    assert job.counts["consents"] == Consent.objects.count()
    mine = Consent.objects.get(external_userid=archive.pair[1], userid=archive.pair[0])
    assert mine.status == "disagree"


def test_one_friendship_that_wecom_does_not_know_hides_no_other(archive):
    follow = Follow.objects.order_by("id")[0]
    type(follow.customer).objects.filter(pk=follow.customer_id).update(external_userid="wmNobodyKnowsThisOne")

    jobs.run_to_end(consents.check_later())

    known = Follow.objects.filter(ended_at=None).exclude(customer=follow.customer).count()
    assert Consent.objects.filter(chat_id="").count() == known


def test_an_approval_is_kept(archive):
    archive.sandbox.act("archive_answers", userid=archive.pair[0], external_userid=archive.pair[1], agree=True)

    class Event:
        external_user_id, user_id, at = archive.pair[1], archive.pair[0], timezone.now()

    apply_approved([Event()], Reading())
    assert Consent.objects.get().status == "agree"

    Consent.objects.update(status="disagree", changed_at=Event.at + timedelta(hours=1))
    apply_approved([Event()], Reading())
    assert Consent.objects.get().status == "disagree", "what was told late is older than what is known"


def test_silence_is_told_long_before_five_days_and_each_alarm_once(archive, owner):
    from accounts.models import Operator

    Staff.objects.filter(pk=Staff.objects.order_by("id")[0].pk).update(operator=Operator.objects.get(role="owner"))
    assert lag.tell_if_late() == 0
    Credential.objects.filter(kind="archive_secret").update(created_at=timezone.now() - timedelta(hours=25))
    lag.tell_if_late()  # connected yesterday, and nothing ever came
    assert OutgoingCall.objects.filter(purpose="tell").count() == 1
    OutgoingCall.objects.all().delete()
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


@pytest.fixture
def group(archive):
    """A customer group, and two of its customers."""
    chat = GroupChat.objects.annotate(n=Count("stays", Q(stays__customer__gt=0))).order_by("-n", "pk")[0]
    one, other = chat.stays.exclude(customer=None).order_by("pk").values_list("member_id", flat=True)[:2]
    return chat.chat_id, one, other


def test_consents_of_a_group_are_asked_for_each_of_its_customers(archive, group, owner):
    chat_id, one, other = group
    archive.sandbox.act("archive_answers", external_userid=one, chat_id=chat_id, agree=False)

    jobs.run_to_end(consents.check_later())

    told = dict(Consent.objects.filter(chat_id=chat_id).values_list("external_userid", "status"))
    assert (told[one], told[other]) == ("disagree", "default")
    assert set(told) == set(
        GroupMember.objects.filter(chat__chat_id=chat_id, kind=2, left_at=None).values_list("member_id", flat=True)
    )
    page = owner.get("/console/archive/consents/?status=disagree").content.decode()
    assert GroupChat.objects.get(chat_id=chat_id).name in page


def test_the_viewer_says_who_of_the_demos_group_refused(archive, owner):
    archive.push(*demo.group_talk())
    wishes = list(demo.answers())
    for wish in wishes:
        archive.sandbox.act("archive_answers", **wish)
    jobs.run_to_end(consents.check_later())
    archive.pull()

    talk = Conversation.objects.get(chat_id=wishes[0]["chat_id"])
    page = owner.get(f"/console/archive/?c={talk.pk}").content.decode()

    assert page.count("1 人不同意") == 2  # in the list of conversations, and above the open one
    agreed, _also, refused = (Customer.objects.get(external_userid=one["external_userid"]).name for one in wishes)
    fold = page.index("talks-consents")
    assert page.index(refused, fold) < page.index(agreed, fold) < page.index("默认同意", fold)


def test_a_group_that_wecom_does_not_know_hides_no_other(archive, group):
    GroupChat.objects.exclude(chat_id=group[0]).update(chat_id="wrNobodyKnowsThisOne")
    jobs.run_to_end(consents.check_later())
    assert set(Consent.objects.exclude(chat_id="").values_list("chat_id", flat=True)) == {group[0]}
