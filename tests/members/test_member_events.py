"""change_contact: staff and departments, those who left included."""

from accounts import seats
from accounts.models import Operator
from contacts.models import Follow
from members.models import Department, Staff, StaffTag
from members.signals import staff_left
from tests.contacts.conftest import handle, payload


def test_who_joins_is_placed_in_his_departments(events):
    made = events.sandbox.act("department_create", name="华南区", parentid=1)
    events.sandbox.act("staff_joins", userid="SunLi", name="孙莉", departments=[made["id"]])
    events.handle_new()

    staff = Staff.objects.get(userid_key="sunli")
    assert (staff.userid, staff.name, staff.pinyin, staff.left_at) == ("SunLi", "孙莉", "sunli", None)
    assert staff.departments.get().name == "华南区"
    assert Department.objects.get(wecom_id=made["id"]).path == [1, made["id"]]


def test_an_update_changes_what_it_says_and_leaves_the_rest(events):
    events.sandbox.act("staff_joins", userid="sunli", name="孙莉", departments=[1])
    events.handle_new()

    events.sandbox.act("staff_updates", userid="sunli", position="店长", direct_leader="ChenMei")
    events.handle_new()

    staff = Staff.objects.get(userid_key="sunli")
    assert (staff.name, staff.position, staff.departments.count()) == ("孙莉", "店长", 1)
    assert staff.direct_leader == "chenmei"
    events.sandbox.act("staff_updates", userid="sunli", direct_leader="")
    events.handle_new()
    assert Staff.objects.get(userid_key="sunli").direct_leader == ""


def test_a_new_userid_keeps_the_person_and_his_customers(events):
    events.sandbox.act("staff_joins", userid="sunli", name="孙莉", departments=[1], customer_contact=True)
    events.sandbox.act("customer_adds", userid="sunli", name="韩梅梅")
    events.handle_new()

    events.sandbox.act("staff_joins", userid="liqiang", name="李强", departments=[1])
    events.sandbox.act("staff_updates", userid="liqiang", direct_leader="sunli")
    events.handle_new()

    events.sandbox.act("staff_updates", userid="sunli", new_userid="sunli2")
    events.handle_new()

    assert Staff.objects.get(userid_key="liqiang").direct_leader == "sunli2"
    assert Follow.objects.get().staff.userid == "sunli2"
    assert not Staff.objects.filter(userid_key="sunli").exists()


def test_who_leaves_stays_a_row_with_his_customers_and_can_no_longer_sign_in(events):
    heard: list[list[int]] = []

    def left(staff_ids, **_):
        heard.append(staff_ids)

    staff_left.connect(left)
    events.sandbox.act("staff_joins", userid="sunli", name="孙莉", departments=[1], customer_contact=True)
    events.sandbox.act("customer_adds", userid="sunli", name="韩梅梅")
    events.handle_new()
    staff = Staff.objects.get(userid_key="sunli")
    staff.operator, staff.sidebar = Operator.objects.create(username="sunli", name="孙莉"), "on"
    staff.save()
    assert seats.used() == 1

    events.sandbox.act("staff_leaves", userid="sunli")
    told = events.handle_new()
    handle([event for event in told if event.name == "change_contact"])

    staff.refresh_from_db()
    assert (staff.status, staff.name, bool(staff.left_at)) == (Staff.Status.LEFT, "孙莉", True)
    assert staff.follows.count() == 1
    assert not Operator.objects.get(username="sunli").is_active
    assert (seats.used(), staff.sidebar) == (0, "")
    assert heard == [[staff.pk]]


def test_a_late_update_does_not_bring_back_who_left(events):
    events.sandbox.act("staff_joins", userid="sunli", name="孙莉", departments=[1])
    events.sandbox.act("staff_leaves", userid="sunli")
    told = events.handle_new()

    handle([payload(Event="change_contact", ChangeType="update_user", UserID="sunli", Status="1", Position="店长")])
    handle([event for event in told if event.name == "change_contact"])

    assert Staff.objects.get(userid_key="sunli").left_at


def test_events_in_any_order_end_alike(events):
    events.sandbox.act("staff_joins", userid="sunli", name="孙莉", departments=[1])
    events.sandbox.act("staff_updates", userid="sunli", name="孙丽")
    told = [event for event in events.new() if event.name == "change_contact"]

    handle(told[::-1])

    assert Staff.objects.get(userid_key="sunli").name == "孙丽"


def test_a_department_that_is_gone_is_marked_and_keeps_its_name(events):
    made = events.sandbox.act("department_create", name="华南区", parentid=1)
    events.handle_new()
    events.sandbox.act("department_update", id=made["id"], name="华南大区")
    events.handle_new()
    assert Department.objects.get(wecom_id=made["id"]).name == "华南大区"

    events.sandbox.act("department_delete", id=made["id"])
    events.handle_new()

    assert Department.objects.get(wecom_id=made["id"]).deleted_at


def test_an_app_that_may_not_list_departments_goes_by_what_events_say(events):
    def told(change, **fields):
        handle([payload(Event="change_contact", ChangeType=f"{change}_party", **fields)])
        return {one.name: one.path for one in Department.objects.filter(deleted_at=None)}

    events.sandbox.fault("errcode", "department/list", errcode=60011)
    for number, name, parent in (("8", "华北", "1"), ("9", "华南", "1"), ("10", "门店", "9")):
        told("create", Id=number, Name=name, ParentId=parent)
    assert told("update", Id="9", Name="华南大区") == {"华北": [8], "华南大区": [9], "门店": [9, 10]}
    assert told("update", Id="9", ParentId="8") == {"华北": [8], "华南大区": [8, 9], "门店": [8, 9, 10]}
    assert told("delete", Id="10") == {"华北": [8], "华南大区": [8, 9]}


def test_the_other_tenant_sees_nothing(events, globex):
    events.sandbox.act("staff_joins", userid="sunli", name="孙莉", departments=[1])
    events.sandbox.act("staff_tag_members", tag_id=4, add_users=["sunli"])
    events.handle_new()

    with globex:
        assert (Staff.objects.count(), Department.objects.count(), StaffTag.objects.count()) == (0, 0, 0)
