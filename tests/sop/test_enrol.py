"""Who enters a plan: by each trigger, once by a cause, on the version of that moment; and who leaves it."""

from datetime import time, timedelta

from django.utils import timezone

from contacts.models import Follow, FollowTag, Stage, TimelineEntry
from contacts.signals import follow_added, follow_ended, tags_changed
from contacts.stages import add_stage, move_to_stage
from sop import enrol, exits, plans
from sop.models import Enrolment, StepRun
from tagging import segments
from tagging.models import Segment
from tenants.models import DueRow
from tests.sop.conftest import at, step_of


def came(company, name, *staff, source="callback", **values):
    company.add(name, *staff, **values)
    follows = [company.follow(name, one).pk for one in staff]
    follow_added.send(Follow, follow_ids=follows, source=source)
    return follows


def test_a_new_friend_enters_and_all_steps_wait_in_the_index(company, make_plan):
    make_plan({"day": 1, "at": time(9)}, {"day": 3, "at": time(20)})
    came(company, "韩梅梅", "wang", days=0)

    one = Enrolment.objects.get()
    assert (one.state, one.follow.staff.userid, one.version.number) == ("active", "wang", 1)
    runs = list(StepRun.objects.order_by("due_at"))
    rows = DueRow.objects.filter(kind="sop.step").order_by("due_at")
    assert [(row.ref, row.due_at) for row in rows] == [(run.pk, run.due_at) for run in runs]
    assert TimelineEntry.objects.get(kind="sop_enrolled").payload["name"] == "新客培育"


def test_the_same_cause_enters_once_and_one_customer_runs_once(company, make_plan):
    make_plan({"day": 1, "at": time(9)})
    (follow,) = came(company, "韩梅梅", "wang", days=0)
    follow_added.send(Follow, follow_ids=[follow], source="callback")
    came(company, "李雷", "li", "zhao", days=0)  # two friends, one customer

    assert Enrolment.objects.count() == 2


def test_a_first_sync_enters_nobody(company, make_plan):
    make_plan()
    came(company, "韩梅梅", "wang", source="sync")
    assert not Enrolment.objects.exists()


def test_it_can_be_for_some_of_the_staff(company, make_plan):
    make_plan(trigger={"on": "added", "staff": [company.staff["li"].pk]})
    came(company, "韩梅梅", "wang")
    assert not Enrolment.objects.exists()
    came(company, "李雷", "li")
    assert Enrolment.objects.count() == 1


def test_a_tag_enters_whoever_gets_it_from_now_on_each_time(company, make_plan):
    vip = company.tags["重要客户"]
    company.add("老客户", "wang", tags=["重要客户"])
    make_plan(trigger={"on": "tag", "tags": [vip.pk]})
    old = company.follow("老客户", "wang").pk
    tags_changed.send(Follow, follow_ids=[old], source="callback")  # another tag of theirs
    assert not Enrolment.objects.exists()

    company.add("韩梅梅", "wang")
    new = company.follow("韩梅梅", "wang")
    for _ in range(2):
        link = FollowTag.objects.create(follow=new, tag=vip)
        for _ in range(2):  # told twice
            tags_changed.send(Follow, follow_ids=[new.pk], source="callback")
        exits.leave({Enrolment.objects.get(state="active").pk: "manual"})
        link.delete()
    assert Enrolment.objects.filter(follow=new).count() == 2


def test_a_tag_that_came_while_the_plan_ran_does_not_begin_it_again_afterwards(company, make_plan):
    vip, other = company.tags["重要客户"], next(tag for name, tag in company.tags.items() if name != "重要客户")
    make_plan(trigger={"on": "tag", "tags": [vip.pk, other.pk]})
    company.add("韩梅梅", "wang", "li")
    for tag, userid in ((vip, "wang"), (other, "wang"), (vip, "li")):
        follow = company.follow("韩梅梅", userid)
        FollowTag.objects.create(follow=follow, tag=tag)
        tags_changed.send(Follow, follow_ids=[follow.pk], source="callback")
    exits.leave({Enrolment.objects.get().pk: "manual"})
    for userid in ("wang", "li"):  # another tag of theirs
        tags_changed.send(Follow, follow_ids=[company.follow("韩梅梅", userid).pk], source="callback")
    assert Enrolment.objects.count() == 1


def test_a_stage_enters_by_the_newest_friend(company, make_plan):
    deal = add_stage("成交")
    company.add("韩梅梅", "wang", "li")
    Follow.objects.filter(staff=company.staff["li"]).update(added_at=timezone.now())
    make_plan(trigger={"on": "stage", "stage": deal.pk})

    move_to_stage([company.customers["韩梅梅"].pk], deal, by="wang", source="console")

    assert Enrolment.objects.get().follow.staff.userid == "li"


def test_a_segment_enters_who_came_in_after_the_plan_began(company, make_plan):
    vip = {"match": "all", "of": [{"is": "tags", "op": "any", "value": [company.tags["重要客户"].pk]}]}
    found = segments.save(Segment(), name="重要", tree=vip, by="wang")
    company.add("老客户", "wang", tags=["重要客户"])
    make_plan(trigger={"on": "segment", "segment": found.pk})
    company.add("韩梅梅", "li", tags=["重要客户"])

    segments.evaluate(Segment.objects.get())

    assert [one.follow.customer.name for one in Enrolment.objects.all()] == ["韩梅梅"]


def test_a_new_version_is_for_those_who_come_after_it(company, make_plan):
    plan = make_plan({"day": 1, "at": time(9), "title": "旧"})
    came(company, "韩梅梅", "wang", days=0)

    step = enrol.newest(plan).steps.get()
    step.title = "新"
    plans.save_step(plan, step, by="wang")
    plans.save_step(plan, step_of(day=2, at=time(9)), by="wang")
    plans.publish(plan, by="wang")
    came(company, "李雷", "wang", days=0)

    told = {
        one.follow.customer.name: (one.version.number, sorted(run.step.title for run in one.runs.all()))
        for one in Enrolment.objects.all()
    }
    assert told == {"韩梅梅": (1, ["旧"]), "李雷": (2, ["新", "问候"])}


def test_a_plan_that_is_off_or_a_draft_enters_nobody(company, make_plan):
    plan = make_plan()
    plans.switch(plan, on=False)
    came(company, "韩梅梅", "wang")
    assert not Enrolment.objects.exists()


def test_who_deletes_us_leaves_at_once_and_nothing_waits_for_them(company, make_plan):
    make_plan({"day": 1, "at": time(9)})
    (follow,) = came(company, "韩梅梅", "wang", days=0)
    Follow.objects.filter(pk=follow).update(ended_at=timezone.now(), ended_by="customer")
    follow_ended.send(Follow, follow_ids=[follow], source="callback")

    one = Enrolment.objects.get()
    assert (one.state, one.exit_reason) == ("exited", "customer")
    assert StepRun.objects.get().state == "cancelled"
    assert not DueRow.objects.filter(kind="sop.step").exists()
    assert TimelineEntry.objects.filter(kind="sop_exited").count() == 1


def test_a_plan_that_is_put_away_lets_everybody_go(company, make_plan):
    plan = make_plan({"day": 1, "at": time(9)})
    came(company, "韩梅梅", "wang", days=0)
    assert plans.archive(plan, by="wang") == 1
    assert Enrolment.objects.get().exit_reason == "archived"


def test_steps_whose_hour_was_over_are_not_made_up_for(company, make_plan, clock):
    clock(at(1, 15, 20))
    plan = make_plan({"day": 0, "at": time(9)})
    company.add("韩梅梅", "wang")
    enrol.enrol(plan, [company.follow("韩梅梅", "wang").pk], "api:1", at(1, 15, 20))
    assert (StepRun.objects.get().state, StepRun.objects.get().reason) == ("expired", "before")
    assert Enrolment.objects.get().state == "done"


def test_simulation_lists_the_dates(company, make_plan):
    plan = make_plan({"day": 0, "at": time(9)}, {"after_minutes": 420}, {"day": 7, "at": time(20, 30)})
    told = [(fall.at, fall.reason, fall.missed) for _step, fall in plans.simulate(enrol.newest(plan), at(1, 15, 20))]
    assert told == [(at(2, 8), "moved", False), (at(1, 9), "before", True), (at(8, 20, 30), "", False)]


def test_a_dry_run_counts_what_history_would_have_made_and_writes_nothing(company, make_plan):
    plan = make_plan({"day": 1, "at": time(9)}, {"day": 3, "at": time(9)})
    for number in range(3):
        company.add(f"客户{number}", "wang", days=10)
    company.add("刚来的", "li", days=0)
    company.add("走了的", "li", days=10, ended_at=timezone.now() - timedelta(days=8, hours=12), ended_by="customer")
    found = plans.dry_run(enrol.newest(plan))
    assert (found.customers, found.actions, found.staff) == (5, 7, 2)
    assert found.exited == 1
    assert found.most[:2] == (3, "员工wang")
    assert not Enrolment.objects.exists()
    seen = plans.dry_run(enrol.newest(plan), company.operator("staff", "self", "li"))
    assert (seen.customers, seen.actions) == (2, 1)


def test_stages_that_nobody_named_enter_nobody(company, make_plan):
    deal, other = add_stage("成交"), add_stage("意向")
    assert Stage.objects.count() >= 2
    company.add("韩梅梅", "wang")
    make_plan(trigger={"on": "stage", "stage": deal.pk})
    move_to_stage([company.customers["韩梅梅"].pk], other, by="wang", source="console")
    assert not Enrolment.objects.exists()
