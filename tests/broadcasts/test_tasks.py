"""What headquarters asks is done by a mass message: the member confirms it, and the tasks are done without a tick."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from broadcasts import sending
from broadcasts.models import Broadcast, BroadcastSender
from contacts.models import TimelineEntry
from sop import assignments, mass, tasks
from sop.models import Assignment, StaffTask
from tenants.jobs import run_to_end
from tenants.models import Job, Tenant
from tests.broadcasts.conftest import Office
from tests.people import client_as, signed_in

EVERYBODY = {"match": "all", "of": [{"is": "lost", "op": "no"}]}


@pytest.fixture
def assignment(office: Office) -> Assignment:
    return ask("双十二提前看：老客户专享 85 折")


def ask(text: str, **values: Any) -> Assignment:
    now = timezone.now()
    row = Assignment.objects.create(
        title="双十二预告", tree=EVERYBODY, starts_at=now, ends_at=now + timedelta(days=2), created_by="lin",
        content={"text": text, "materials": []}, **values,
    )  # fmt: skip
    assignments.publish(row, by="lin")
    run_to_end(Job.objects.filter(kind=assignments.JOB).latest("pk"))
    row.refresh_from_db()
    return row


def whose(rows: Any) -> set[tuple[int, int]]:
    return set(rows.values_list("customer_id", "staff_id"))


def asked(broadcast: Broadcast) -> set[tuple[int, int]]:
    return {(who, one.staff_id) for one in broadcast.senders.all() for who in one.receivers}


def test_the_staff_confirm_and_the_tasks_are_done(
    office: Office, assignment: Assignment, boss: Any, in_acme: Tenant
) -> None:
    first, *_rest = StaffTask.objects.order_by("pk")
    tasks.skip(first, "客户近期已沟通", by="wang")
    waiting = whose(StaffTask.objects.filter(state="open"))
    client = signed_in(in_acme, boss, staying=True)
    check = client.post(f"/console/tasks/assignments/{assignment.pk}/mass/")
    again = client.post(f"/console/tasks/assignments/{assignment.pk}/mass/")
    assert check.headers["Location"] == again.headers["Location"]  # one draft
    page = client.get(check.headers["Location"])
    assert "总部任务中还没完成的客户" in page.text
    found = page.context["found"]
    assert found.matched == found.receivers == len(waiting)
    made = Broadcast.objects.get()
    client.post(f"/console/broadcasts/{made.pk}/send/", {"receivers": found.receivers, "senders": len(found.senders)})
    office.go_on(made)
    assert asked(made) == waiting  # nobody whose task is settled, each through the member whose task it is
    office.look(made)
    assert not StaffTask.objects.filter(state="done").exists()

    office.confirm()
    office.look(made)

    done = StaffTask.objects.filter(state="done", proof="mass")
    assert whose(done) == waiting and {task.settled_at is not None for task in done} == {True}
    assert TimelineEntry.objects.filter(kind="task_done").count() == len(waiting)
    shown = client.get(f"/console/tasks/assignments/{assignment.pk}/")
    assert f"/console/broadcasts/{made.pk}/" in shown.text and shown.context["sum"].done == len(waiting)
    with pytest.raises(ValidationError, match="没有待完成的任务"):
        mass.make(assignment, boss)
    office.look(made)  # told again, once
    assert TimelineEntry.objects.filter(kind="task_done").count() == len(waiting)


def test_who_was_asked_by_one_message_is_not_asked_by_another(
    office: Office, assignment: Assignment, boss: Any
) -> None:
    mass.make(assignment, boss)
    office.send(Broadcast.objects.get())
    mass.make(assignment, boss)
    second = Broadcast.objects.latest("pk")
    with pytest.raises(ValidationError, match="另一条群发正在进行"):
        sending.send(second, by="lin", scope=None)
    copied = Broadcast.objects.create(origin=second.origin, title="副本", content=second.content)
    with pytest.raises(ValidationError, match="另一条群发正在进行"):
        sending.send(copied, by="lin", scope=None)


def test_words_that_a_mass_message_cannot_hold_are_refused(office: Office, boss: Any) -> None:
    named = ask("{客户昵称}您好，双十二提前看")
    with pytest.raises(ValidationError, match="不能使用变量“客户昵称”"):
        mass.make(named, boss)
    assignments.stop(named)
    with pytest.raises(ValidationError, match="任务已经结束"):
        mass.make(named, boss)


def test_another_message_of_the_same_words_proves_the_senders_own_tasks(office: Office, assignment: Assignment) -> None:
    other = office.send(office.draft("别的内容"))
    office.confirm()
    office.look(other)
    assert not StaffTask.objects.filter(state="done").exists()
    same = office.send(office.draft(assignment.content["text"]))
    for task in office.messages():
        for userid in task["tasks"]:
            if BroadcastSender.objects.filter(broadcast=same, msgid=task["msgid"]).exists():
                office.sandbox.act("staff_confirms", userid=userid, msgid=task["msgid"])
    office.look(same)
    done = whose(StaffTask.objects.filter(state="done", proof="mass"))
    assert done == asked(same) & whose(StaffTask.objects.all()) != set()


def test_a_clerk_cannot_start_one(assignment: Assignment, in_acme: Tenant) -> None:
    assert client_as(in_acme, "staff").post(f"/console/tasks/assignments/{assignment.pk}/mass/").status_code == 403
