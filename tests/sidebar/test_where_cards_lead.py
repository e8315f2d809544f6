"""Cards in WeCom's window lead each member to a page they may enter: sellers to the sidebar, with or without a chat."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.utils import timezone

from archive.models import Alert, ArchivedMessage, Conversation
from contacts.models import Follow
from content import links
from content.models import TrackedLink
from members import reach
from members.models import Staff, StaffDepartment
from sidebar import access
from sop.models import StaffTask
from tenants import outbox
from tenants.models import OutgoingCall, Tenant
from tests.contacts.conftest import Events
from tests.content.made import material
from tests.pages import assert_strict
from tests.people import add_operator
from tests.sidebar.conftest import Seller, browser
from tests.sidebar.test_customer import PANEL, text_of


def cards(kind: str) -> dict[str, str]:
    """Where the cards of this kind lead, by who gets them."""
    rows = OutgoingCall.objects.filter(api="message/send", context__kind=kind)
    bodies = [outbox.body_of(row) for row in rows]
    return {body["touser"]: urlsplit(body["textcard"]["url"]).path for body in bodies}


def test_a_customers_page_without_a_chat(seller: Seller) -> None:
    page = seller.client.get(f"/sidebar/customers/{seller.customer.pk}/")
    assert page.status_code == 200
    assert_strict(page)
    assert seller.customer.external_userid in text_of(page)
    assert "打开聊天" in text_of(page)


def test_a_colleagues_customer_and_nobodys_are_refused(seller: Seller) -> None:
    other = Follow.objects.exclude(customer__follows__staff=seller.staff).select_related("customer").first()
    refused = seller.client.get(f"/sidebar/customers/{other.customer_id}/")
    assert refused.status_code == 403
    assert "不是您的客户" in text_of(refused)
    assert other.customer.name not in text_of(refused)
    assert_strict(refused)
    assert seller.client.get("/sidebar/customers/99999999/").status_code == 404


def led_by(seller: Seller) -> Staff:
    boss = Staff.objects.filter(left_at=None, visible=True, status=1).exclude(pk=seller.staff.pk).order_by("pk")[0]
    place = seller.staff.main_department or seller.staff.departments.get()
    StaffDepartment.objects.update(is_leader=False)
    Staff.objects.update(direct_leader="")
    StaffDepartment.objects.update_or_create(staff=boss, department=place, defaults={"is_leader": True})
    return boss


@pytest.mark.parametrize("has_account", [False, True])
def test_a_loss_leads_the_seller_to_the_sidebar_and_who_leads_them_by_their_account(
    seller: Seller, events: Events, in_acme: Tenant, has_account: bool
) -> None:
    boss = led_by(seller)
    if has_account:
        Staff.objects.filter(pk=boss.pk).update(operator=add_operator(in_acme, "boss", role="admin"))
    people = {"userid": seller.staff.userid, "external_userid": seller.customer.external_userid}
    events.sandbox.act("customer_deletes_staff", **people)
    events.handle_new()

    own = f"/sidebar/customers/{seller.customer.pk}/"
    of_boss = f"/console/customers/{seller.customer.pk}/" if has_account else "/sidebar/team/"
    assert cards("loss") == {seller.staff.userid: own, boss.userid: of_boss}
    assert seller.client.get(own).status_code == 200
    assert "客户已删除您" in text_of(seller.client.get(seller.url()))
    assert "最近流失" in text_of(seller.client.get("/sidebar/today/", headers=PANEL))


def test_who_leads_others_sees_their_day_and_their_losses(seller: Seller, events: Events, in_acme: Tenant) -> None:
    boss, now = led_by(seller), timezone.now()
    people = {"userid": seller.staff.userid, "external_userid": seller.customer.external_userid}
    events.sandbox.act("customer_deletes_staff", **people)
    events.handle_new()
    task = {"starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=1), "customer": seller.customer}
    StaffTask.objects.create(staff=seller.staff, title="回访", **task)
    StaffTask.objects.create(staff=seller.staff, title="问候", state="done", settled_at=now, **task)
    conversation = Conversation.objects.create(
        key="c", kind="customer", title="老陈", waiting_since=now - timedelta(hours=1), staff_ids=[seller.staff.pk]
    )
    message = ArchivedMessage.objects.create(conversation=conversation, msgid="m", seq=1, at=now, kind="text")
    Alert.objects.create(
        kind="overdue", key="o", conversation=conversation, message=message, staff=seller.staff, assigned_to=boss
    )

    client = browser(in_acme)
    client.cookies = access.sign_in(HttpResponse(), boss).cookies
    assert 'data-go="team"' in text_of(client.get("/sidebar/today/", headers=PANEL))
    assert "&quot;first&quot;: &quot;team&quot;" in text_of(client.get("/sidebar/team/"))
    page = text_of(client.get("/sidebar/team/", headers=PANEL))
    assert_strict(client.get("/sidebar/team/"))
    assert "待完成 1 · 已完成 1" in page
    assert f"客户删除了{seller.staff}" in page
    assert "老陈" in page

    assert 'data-go="team"' not in text_of(seller.client.get("/sidebar/today/", headers=PANEL))
    nobody = text_of(seller.client.get("/sidebar/team/", headers=PANEL))
    assert "不是部门负责人" in nobody
    assert seller.customer.name not in nobody
    Staff.objects.filter(pk=boss.pk).update(direct_leader=seller.staff.userid_key)
    assert str(boss) in text_of(seller.client.get("/sidebar/team/", headers=PANEL))


def test_an_opened_link_leads_to_the_customer(seller: Seller) -> None:
    links.link_for(material("link"), seller.staff, seller.customer)
    links.record_opening(TrackedLink.objects.select_related("customer", "staff", "material").get(), "visitor")
    (path,) = cards("link_opened").values()
    assert seller.client.get(path).status_code == 200


def test_an_account_that_is_closed_leads_to_the_sidebar(seller: Seller, in_acme: Tenant) -> None:
    seller.staff.operator = add_operator(in_acme, "former", role="staff")
    assert reach.page_for(seller.staff, "/console/") == "/console/"
    seller.staff.operator.is_active = False
    assert reach.page_for(seller.staff, "/console/") == "/sidebar/team/"
