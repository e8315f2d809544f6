"""What is sent from the sidebar goes out as WeCom wants it, counts once, and settles the task it belongs to."""

from datetime import timedelta

import pytest
from django.utils import timezone

from contacts import bulk
from contacts.models import Customer, Follow
from content import sendings
from content.models import Material, Script, Sending
from members.models import Staff
from sop.models import StaffTask
from tests.sidebar.conftest import Seller


@pytest.fixture
def script(seller: Seller) -> Script:
    return Script.objects.create(title="报价说明", text="{客户昵称}您好，我是{员工姓名}。")


def task_of(seller: Seller, **wish: object) -> StaffTask:
    now = timezone.now()
    values = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=5), "title": "问候"}
    values |= {"staff": seller.staff, "customer": seller.customer}
    return StaffTask.objects.create(**{**values, **wish})


def to(seller: Seller) -> dict[str, str]:
    return {"to": seller.customer.external_userid}


def test_a_script_is_filled_for_the_open_chat(seller: Seller, script: Script) -> None:
    answer = seller.client.get(f"/sidebar/content/script/{script.pk}/parts/", to(seller)).json()
    (part,) = answer["parts"]
    assert part["send"] == {
        "msgtype": "text",
        "text": {"content": f"{seller.customer.name}您好，我是{seller.staff.name}。"},
    }


def test_a_sending_is_counted_once_however_often_it_is_reported(seller: Seller, script: Script) -> None:
    fields = {"key": "tap-0001:text", "of": "script", "pk": script.pk, "part": "text", **to(seller)}
    told = [seller.client.post("/sidebar/sent/", fields).json()["new"] for _ in range(3)]
    assert told == [True, False, False]
    seller.client.post("/sidebar/sent/", fields | {"key": "tap-0001:m7", "part": "m7"})
    script.refresh_from_db()
    assert (script.uses, Sending.objects.count()) == (1, 2), "its parts go out one by one and are one use"


def test_the_list_is_sorted_by_use_and_found_by_two_characters(seller: Seller, script: Script) -> None:
    Script.objects.create(title="常用问候", text="早上好", uses=9)
    page = seller.client.get("/sidebar/content/?tab=scripts").content.decode()
    assert page.index("常用问候") < page.index("报价说明")
    found = seller.client.get("/sidebar/content/?q=报价").content.decode()
    assert "报价说明" in found
    assert "常用问候" not in found
    assert "没有找到" in seller.client.get("/sidebar/content/?q=星球大战").content.decode()


def test_a_task_is_done_by_sending_all_of_it_and_not_by_a_tick(seller: Seller) -> None:
    link = Material.objects.create(kind="link", title="新品页", body={"url": "https://shop.example.com/"})
    task = task_of(seller, content={"text": "看看新品", "materials": [link.pk]})
    assert "看看新品" in seller.client.get("/sidebar/tasks/", to(seller)).content.decode()
    ticked = seller.client.post(f"/sidebar/tasks/{task.pk}/done/")
    assert ticked.status_code == 422

    parts = seller.client.get(f"/sidebar/tasks/{task.pk}/parts/", to(seller)).json()["parts"]
    assert [part["part"] for part in parts] == ["text", f"m{link.pk}"]
    done = []
    for number, part in enumerate(parts):
        fields = {"key": f"tap-{number}-abcdef", "of": "task", "pk": task.pk, "part": part["part"], **to(seller)}
        done.append(seller.client.post("/sidebar/sent/", fields).json()["done"])
        left = seller.client.get(f"/sidebar/tasks/{task.pk}/parts/", to(seller)).json()["parts"]
        assert len(left) == 1 - number
    assert done == [False, True]
    task.refresh_from_db()
    assert (task.state, task.proof) == ("done", "sidebar")


def test_what_is_not_wanted_any_more_is_not_sent(seller: Seller) -> None:
    """A phone and a computer show the same task; elsewhere it was stopped, or done by a mass message."""
    for settle in ("cancelled", "done"):
        task = task_of(seller, content={"text": "您好"})
        StaffTask.objects.filter(pk=task.pk).update(state=settle)
        answer = seller.client.get(f"/sidebar/tasks/{task.pk}/parts/", to(seller))
        assert answer.status_code == 409
        assert "不用再发送" in answer.json()["message"]


def test_what_was_deleted_after_the_rest_went_out_keeps_no_task_open(seller: Seller) -> None:
    link = Material.objects.create(kind="link", title="新品页", body={"url": "https://shop.example.com/"})
    task = task_of(seller, content={"text": "您好", "materials": [link.pk]})
    fields = {"key": "tap-the-text", "of": "task", "pk": task.pk, "part": "text", **to(seller)}
    assert not seller.client.post("/sidebar/sent/", fields).json()["done"]
    Material.objects.update(archived_at=timezone.now())
    assert "完成</button>" in seller.client.get("/sidebar/tasks/", to(seller)).content.decode()
    assert seller.client.post(f"/sidebar/tasks/{task.pk}/done/").status_code == 200
    task.refresh_from_db()
    assert (task.state, task.proof) == ("done", "sidebar")


def test_a_report_that_broke_off_in_the_middle_settles_the_task_when_it_is_told_again(seller: Seller) -> None:
    task = task_of(seller, content={"text": "您好"})
    fields = {"key": "tap-broken-off", "of": "task", "pk": task.pk, "part": "text", **to(seller)}
    sendings.record(f"{seller.staff.pk}:tap-broken-off", seller.staff, customer=seller.customer, task_id=task.pk)
    answer = seller.client.post("/sidebar/sent/", fields).json()
    task.refresh_from_db()
    assert (answer["new"], answer["done"], task.state, Sending.objects.count()) == (False, True, "done", 1)


def test_what_went_to_another_customer_proves_no_task(seller: Seller) -> None:
    task = task_of(seller, content={"text": "您好"})
    other = Customer.objects.create(external_userid="wmAnother", name="另一位")
    Follow.objects.create(customer=other, staff=seller.staff, added_at=timezone.now())
    bulk.refresh_customers([other.pk])
    fields = {"key": "tap-elsewhere", "of": "task", "pk": task.pk, "part": "text", "to": other.external_userid}
    assert not seller.client.post("/sidebar/sent/", fields).json()["done"]
    task.refresh_from_db()
    assert (task.state, task.sent, Sending.objects.get().customer) == ("open", [], other)


def test_what_is_sent_proves_no_task_that_asks_to_send_nothing(seller: Seller) -> None:
    call = task_of(seller, title="电话回访", content={})
    link = Material.objects.create(kind="link", title="新品页", body={"url": "https://shop.example.com/"})
    for of, pk in (("material", link.pk), ("task", call.pk)):
        seller.client.post("/sidebar/sent/", {"key": f"tap-by-{of}", "of": of, "pk": pk, "part": "x", **to(seller)})
    call.refresh_from_db()
    assert (call.state, call.proof) == ("open", "")


def test_a_task_is_skipped_with_a_reason(seller: Seller) -> None:
    task = task_of(seller, content={"text": "您好"})
    assert seller.client.post(f"/sidebar/tasks/{task.pk}/skip/", {"reason": ""}).status_code == 422
    assert seller.client.post(f"/sidebar/tasks/{task.pk}/skip/", {"reason": "客户不方便打扰"}).status_code == 200
    task.refresh_from_db()
    assert (task.state, task.skip_reason) == ("skipped", "客户不方便打扰")


def test_another_members_task_is_not_there(seller: Seller) -> None:
    task = task_of(seller, content={"text": "您好"}, staff=Staff.objects.exclude(pk=seller.staff.pk).first())
    assert seller.client.get(f"/sidebar/tasks/{task.pk}/parts/").status_code == 404
    assert seller.client.post(f"/sidebar/tasks/{task.pk}/skip/", {"reason": "x"}).status_code == 404
