"""客户群, 标签, 员工 and 欢迎语 through HTTP."""

from typing import Any

import pytest
from django.utils import timezone

from acquisition.models import Welcome
from console.models import AuditEntry
from contacts.models import GroupChat, GroupMember, Tag, TagGroup
from members.models import Department, Staff, StaffTag
from tenants.models import OutgoingCall
from tests.pages import assert_strict
from tests.pages_of_apps.company import Browser, Company


def rows(client: Browser, url: str, query: dict[str, Any] | None = None) -> list[str]:
    shown = client.get(url, query or {}).context["list"]
    assert shown.count == len(shown.rows)
    return [getattr(row, "name", "") for row in shown.rows]


@pytest.mark.parametrize("url", ["/console/groups/", "/console/tags/", "/console/staff/", "/console/welcome/"])
def test_the_pages_keep_the_policy(company: Company, url: str) -> None:
    company.add("韩梅梅", "chen", tags=["门店"])
    company.group("福利群", "chen", "韩梅梅")

    assert_strict(company.client().get(url))


def test_groups_by_name_owner_and_state(company: Company) -> None:
    company.group("福利群", "chen")
    GroupChat.objects.filter(pk=company.group("旧群", "wang").pk).update(dismissed_at=timezone.now())
    client, url = company.client(), "/console/groups/"

    assert rows(client, url, {"q": "福利"}) == ["福利群"]
    assert rows(client, url, {"owner": company.staff["wang"].pk}) == ["旧群"]
    assert rows(client, url, {"state": "open"}) == ["福利群"]
    assert rows(client, url, {"state": "dismissed"}) == ["旧群"]


def test_a_group_lists_who_is_in_it_and_who_has_left(company: Company) -> None:
    company.add("韩梅梅", "chen")
    chat = company.group("福利群", "chen", "韩梅梅", "路人甲", "路人乙")
    GroupMember.objects.filter(name="路人乙").update(left_at=timezone.now(), left_by="self")

    page = company.client().get(f"/console/groups/{chat.pk}/")

    assert_strict(page)
    assert [stay.name for stay in page.context["present"]] == ["韩梅梅", "路人甲"]
    assert [stay.name for stay in page.context["gone"]] == ["路人乙"]
    assert f"/console/customers/{company.customers['韩梅梅'].pk}/" in page.content.decode()


def test_tags_stand_in_their_groups_with_their_customers(company: Company) -> None:
    company.add("韩梅梅", "chen", tags=["重要客户", "门店"])
    company.add("李雷", "wang", tags=["门店"])
    client = company.client()

    shown = client.get("/console/tags/").context["list"].rows
    assert {group.name: {tag.name: tag.customers for tag in group.shown} for group in shown} == {
        "客户等级": {"重要客户": 1, "一般客户": 0},
        "来源": {"门店": 2},
    }
    found = client.get("/console/tags/", {"q": "重要"}).context["list"].rows
    assert [(group.name, [tag.name for tag in group.shown]) for group in found] == [("客户等级", ["重要客户"])]
    found = client.get("/console/tags/", {"q": "来源"}).context["list"].rows
    assert [[tag.name for tag in group.shown] for group in found] == [["门店"]]


def test_tags_and_groups_that_wecom_deleted_are_gone(company: Company) -> None:
    Tag.objects.filter(name="一般客户").update(deleted_at=timezone.now())
    TagGroup.objects.filter(name="来源").update(deleted_at=timezone.now())

    shown = company.client().get("/console/tags/").context["list"].rows

    assert [(group.name, [tag.name for tag in group.shown]) for group in shown] == [("客户等级", ["重要客户"])]


def test_staff_by_name_department_and_state(company: Company) -> None:
    Staff.objects.filter(userid="zhao").update(left_at=timezone.now())
    Staff.objects.filter(userid="li").update(visible=False)
    company.add("韩梅梅", "wang")
    client, url = company.client(), "/console/staff/"
    south = company.staff["wang"].departments.get().pk

    assert rows(client, url) == ["员工chen", "员工li", "员工wang"]
    assert rows(client, url, {"q": "wan"}) == ["员工wang"]
    assert rows(client, url, {"department": south}) == ["员工li", "员工wang"]
    assert rows(client, url, {"state": "left"}) == ["员工zhao"]
    assert rows(client, url, {"state": "hidden"}) == ["员工li"]
    assert rows(client, url, {"state": "all"}) == ["员工chen", "员工li", "员工wang", "员工zhao"]
    assert [row.customers for row in client.get(url).context["list"].rows] == [0, 0, 1]


def test_staff_by_the_tags_of_contacts(company: Company) -> None:
    guides, stars = (StaffTag.objects.create(wecom_id=number, name=name) for number, name in ((1, "导购"), (2, "骨干")))
    guides.departments.add(Department.objects.get(name="华南"))  # 门店七 lies below
    guides.staff.add(company.staff["zhao"])
    stars.staff.add(company.staff["wang"])
    StaffTag.objects.create(wecom_id=3, name="已删除", deleted_at=timezone.now()).staff.add(company.staff["chen"])
    url = "/console/staff/"
    client = company.client()

    found = client.get(url).context["list"].rows
    assert {row.userid: [tag.name for tag in row.tags] for row in found} == {
        "chen": [],
        "li": ["导购"],
        "wang": ["导购", "骨干"],
        "zhao": ["导购"],
    }
    assert rows(client, url, {"tag": guides.pk}) == ["员工li", "员工wang", "员工zhao"]
    assert rows(client, url, {"tag": guides.pk, "department": company.staff["li"].departments.get().pk}) == ["员工li"]
    assert rows(company.client("admin", "subtree", "wang"), url, {"tag": guides.pk}) == ["员工li", "员工wang"]
    assert "已删除" not in client.get(url).content.decode()


def test_a_member_of_staff_is_linked_to_an_account_once(company: Company) -> None:
    operator = company.operator("staff", "self")
    client, url = company.client(), f"/console/staff/{company.staff['li'].pk}/operator/"

    assert_strict(client.get(url))
    assert client.post(url, {"operator": str(operator.pk)}, headers={"HX-Request": "true"}).status_code == 204

    assert Staff.objects.get(userid="li").operator_id == operator.pk
    assert AuditEntry.objects.get(action="staff.link_operator").target == "li"
    other = client.post(f"/console/staff/{company.staff['wang'].pk}/operator/", {"operator": str(operator.pk)})
    assert other.status_code == 422


def test_the_welcome_message_is_checked_saved_and_audited(company: Company) -> None:
    client, url = company.client("admin"), "/console/welcome/"

    assert "请填写欢迎语内容" in client.post(url, {"enabled": "on", "content_text": " "}).content.decode()
    assert "最多接受 4000 字节" in client.post(url, {"enabled": "on", "content_text": "字" * 1334}).content.decode()
    assert not Welcome.objects.exists()

    assert client.post(url, {"enabled": "on", "content_text": "您好"}).status_code == 302
    stored = Welcome.objects.get()
    assert (stored.enabled, stored.text) == (True, "您好")
    assert AuditEntry.objects.filter(action="welcome.save").count() == 1


def test_the_numbers_of_the_welcome_page_count_what_their_lists_show(company: Company) -> None:
    app = company.tenant.apps.get()
    for number, state in enumerate(["ok", "ok", "pending", "leased", "dead", "expired", "ignored", "unknown"]):
        OutgoingCall.objects.create(
            tenant=company.tenant, app=app, idem_key=f"w{number}", api="externalcontact/send_welcome_msg",
            purpose="welcome", state=state, body=b"", due_at=timezone.now(),
        )  # fmt: skip

    client = company.client("admin")
    page = client.get("/console/welcome/")

    outcomes = page.context["outcomes"]
    assert (outcomes.sent, outcomes.waiting, outcomes.missed) == (2, 2, 4)
    since = outcomes.since.isoformat()
    for state, count in (("ok", 2), ("waiting", 2), ("missed", 4)):
        query = {"purpose": "welcome", "state": state, "since": since}
        assert client.get("/console/trouble/calls/", query).context["list"].count == count
