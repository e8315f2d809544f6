"""通讯录标签: tags of members and departments. An event is a hint; the tag itself is read from WeCom again."""

from pathlib import Path

import pytest

from callbacks.stored import as_reread
from members.events import CONTACT
from members.models import Department, Staff, StaffTag
from members.tagged import with_tags
from tenants import jobs
from tenants.models import Job
from tests.cast import ACME
from tests.contacts.conftest import handle, payload
from wecom.events import parse_event

PAYLOADS = Path(__file__).parent.parent / "payloads" / "wecom"


@pytest.fixture
def tagged(events):
    """sunli, liqiang and wangfang, mirrored; 活动执行组, which is tag 4, is on wangfang and department 7."""
    for userid in ("sunli", "liqiang", "wangfang"):
        events.sandbox.act("staff_joins", userid=userid, name=userid, departments=[1])
    parties = [int(number) for number in events.sandbox.truth()["staff_tags"]["4"]["parties"]]
    users = events.sandbox.truth()["staff_tags"]["4"]["users"]
    events.sandbox.act("staff_tag_members", tag_id=4, remove_users=users, remove_parties=parties)
    events.sandbox.act("staff_tag_members", tag_id=4, add_users=["wangfang"], add_parties=[7])
    sync()
    events.new()
    assert inside(4) == ("活动执行组", {"wangfang"}, {7})
    return events


def sync() -> Job:
    return jobs.run_to_end(jobs.start("sync", params={"only": "staff"}))


def inside(tag_id: int) -> tuple[str, set[str], set[int]]:
    tag = StaffTag.objects.get(wecom_id=tag_id, deleted_at=None)
    users = set(tag.staff.values_list("userid", flat=True))
    return tag.name, users, set(tag.departments.values_list("wecom_id", flat=True))


def change(events) -> None:
    """What the payloads tell of."""
    changes = {"add_users": ["sunli", "liqiang"], "remove_users": ["wangfang"]}
    events.sandbox.act("staff_tag_members", tag_id=4, add_parties=[2], remove_parties=[7], **changes)


@pytest.mark.parametrize(
    "name", ["update_tag", "third_party_update_tag", "update_tag_departments", "update_tag_one_member"]
)
def test_the_tag_is_read_as_it_is_now_whatever_the_event_names(tagged, name):
    change(tagged)
    event = parse_event((PAYLOADS / f"change_contact__{name}.xml").read_bytes())

    handle([event, event])
    handle([event])

    assert inside(4) == ("活动执行组", {"sunli", "liqiang"}, {2})


@pytest.mark.parametrize("errcode", [60011, 48002])
def test_a_tag_the_app_may_not_see_goes_by_what_the_events_say_and_loses_nothing(tagged, errcode):
    tagged.sandbox.fault("errcode", "tag/*", errcode=errcode)
    tagged.sandbox.act("staff_updates", userid="sunli", position="店长")
    tagged.sandbox.act("staff_tag_members", tag_id=4, add_users=["sunli"])
    tagged.sandbox.act("staff_tag_members", tag_id=4, add_users=["liqiang"], add_parties=[2])
    tagged.sandbox.act("staff_tag_members", tag_id=4, remove_users=["liqiang"], remove_parties=[7])

    tagged.handle_new()
    assert inside(4) == ("活动执行组", {"wangfang", "sunli"}, {2})
    assert Staff.objects.get(userid="sunli").position == "店长"
    assert sync().counts["staff_tags_changed"] == 0
    assert inside(4) == ("活动执行组", {"wangfang", "sunli"}, {2})


def test_of_a_captured_event_only_the_tag_is_believed(tagged):
    tagged.sandbox.fault("errcode", "tag/*", errcode=60011)
    event = parse_event((PAYLOADS / "change_contact__update_tag.xml").read_bytes())

    handle([as_reread(event)])
    assert inside(4) == ("活动执行组", {"wangfang"}, {7})
    tagged.sandbox.well_again()
    change(tagged)
    handle([as_reread(event)])
    assert inside(4) == ("活动执行组", {"sunli", "liqiang"}, {2})


def test_members_out_of_the_apps_range_stay_in_their_tags(tagged):
    tagged.sandbox.app(visible_parties=[], visible_users=["sunli"])
    tagged.sandbox.act("staff_tag_members", tag_id=4, add_users=["sunli"])
    tagged.handle_new()

    assert inside(4) == ("活动执行组", {"wangfang", "sunli"}, {7})
    assert sync().counts["staff_tags_changed"] == 0
    tagged.sandbox.act("staff_tag_members", tag_id=4, remove_users=["wangfang"], remove_parties=[7])
    tagged.handle_new()
    assert inside(4) == ("活动执行组", {"sunli"}, set())


def test_a_new_tag_gets_its_name_and_a_deleted_one_is_gone(tagged):
    made = tagged.sandbox.act("staff_tag_create", name="双十一值班")["tag_id"]
    tagged.sandbox.act("staff_tag_members", tag_id=made, add_users=["sunli"])
    tagged.handle_new()
    assert inside(made) == ("双十一值班", {"sunli"}, set())

    tagged.sandbox.act("staff_tag_members", tag_id=made, add_users=["liqiang"])
    tagged.sandbox.act("staff_tag_delete", tag_id=made)
    tagged.handle_new()
    assert StaffTag.objects.get(wecom_id=made).deleted_at
    assert made not in {tag.wecom_id for tag in with_tags([Staff.objects.get(userid="sunli")])[0].tags}


def test_a_tag_nobody_may_read_has_the_name_of_the_listing(tagged):
    made = tagged.sandbox.act("staff_tag_create", name="值班")["tag_id"]
    tagged.sandbox.fault("errcode", "tag/get", errcode=60011)
    tagged.sandbox.act("staff_tag_members", tag_id=made, add_users=["sunli"])
    tagged.handle_new()

    assert inside(made) == ("值班", {"sunli"}, set())


def test_an_outage_holds_up_that_tag_alone(tagged):
    tagged.sandbox.fault("5xx", "tag/get")
    tagged.sandbox.act("staff_updates", userid="sunli", position="店长")
    tagged.sandbox.act("staff_tag_members", tag_id=4, add_users=["sunli"])

    assert CONTACT.read(tagged.new()).errors.keys() == {"st:4"}
    handle([payload(Event="change_contact", ChangeType="update_tag")])  # names no tag: nothing to do


def test_a_member_with_a_new_id_and_one_who_left(tagged):
    tagged.sandbox.act("staff_updates", userid="wangfang", new_userid="wangfang2")
    tagged.sandbox.act("staff_tag_members", tag_id=4, add_users=["sunli"])
    told = tagged.new()
    for event in reversed(told):  # the tag names the new id before the event that explains it
        handle([event])
    assert inside(4)[1] == {"wangfang2", "sunli"}
    assert Staff.objects.filter(userid_key__startswith="wangfang").count() == 1

    tagged.sandbox.act("staff_leaves", userid="sunli")
    tagged.handle_new()
    assert inside(4)[1] == {"wangfang2"}


def test_a_department_brings_all_who_are_placed_in_it_or_below(tagged):
    south = Department.objects.get(name="华南区")
    tagged.sandbox.act("staff_updates", userid="liqiang", departments=[7])
    tagged.sandbox.act("staff_tag_members", tag_id=4, add_parties=[south.wecom_id], remove_parties=[7])
    tagged.handle_new()
    assert 7 in Department.objects.filter(path__contains=[south.wecom_id]).values_list("wecom_id", flat=True)

    found = {one.userid: {tag.name for tag in one.tags} for one in with_tags(Staff.objects.all())}
    assert "活动执行组" in found["liqiang"] & found["wangfang"]
    assert "活动执行组" not in found["sunli"]


def test_a_sync_cut_amid_the_tags_goes_on_there(tagged):
    for number in range(20):
        tagged.sandbox.act("staff_tag_create", name=f"标签{number}")
    tagged.sandbox.control("PATCH", f"corps/{ACME.wecom.corp_id}", limits={"latency": {"tag/get": 0.1}})
    before = len(tagged.sandbox.calls("user/list")), len(tagged.sandbox.calls("tag/get"))
    job = jobs.start("sync", params={"only": "staff"})
    Job.objects.filter(pk=job.pk).update(checkpoint={"over": [], "staff_tags": {"after": 0}})
    jobs.run_slice(job, seconds=0.3)
    assert (job.state, job.checkpoint["staff_tags"]["after"]) == ("queued", 20)

    jobs.run_to_end(job)

    after = len(tagged.sandbox.calls("user/list")), len(tagged.sandbox.calls("tag/get"))
    assert after == (before[0], before[1] + 24)
    assert StaffTag.objects.count() == 24
