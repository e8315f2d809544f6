"""渠道活码 in the console: made by managers, seen by the staff behind it, its numbers open their lists."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from acquisition.models import ChannelCode, CodeStaff, Welcome
from console.models import AuditEntry
from contacts import bulk
from contacts.models import Customer, Follow
from members.models import Staff
from tenants.models import OutgoingCall, Tenant
from tests.pages import assert_strict
from tests.people import add_operator, signed_in

LIST = "/console/codes/"


@pytest.fixture
def zhang(in_acme: Tenant) -> Staff:
    return Staff.objects.create(userid="zhang", userid_key="zhang", name="张伟", can_follow=True)


@pytest.fixture
def code(zhang: Staff) -> ChannelCode:
    made = ChannelCode.objects.create(
        name="展会海报", group="线下", status="active", config_id="cfg", pushed={"user": ["zhang"], "skip_verify": True}
    )
    CodeStaff.objects.create(code=made, staff=zhang)
    return made


@pytest.fixture
def manager(in_acme: Tenant) -> Client:
    client = signed_in(in_acme, add_operator(in_acme, "the-admin", "admin"), staying=True)
    connection.set_tenant(in_acme)
    return client


def wish(zhang: Staff, **more: Any) -> dict[str, Any]:
    return {"name": "展会海报", "staff": [zhang.pk], "skip_verify": "on", "welcome_content_text": "", **more}


def test_an_empty_list_says_what_to_do(manager: Client) -> None:
    page = manager.get(LIST)
    assert "还没有渠道活码" in page.content.decode()
    assert_strict(page)


def test_a_manager_makes_one(manager: Client, zhang: Staff) -> None:
    assert_strict(manager.get(LIST + "new/"))
    answer = manager.post(LIST + "new/", wish(zhang, own_welcome="on", welcome_content_text="欢迎！"))
    code = ChannelCode.objects.get()
    assert answer.url == f"{LIST}{code.pk}/"
    assert (code.status, code.welcome.text, code.created_by) == ("creating", "欢迎！", "the-admin")
    assert OutgoingCall.objects.get(purpose="code_create").subject == f"code:{code.pk}"
    assert AuditEntry.objects.filter(action="code.create").count() == 1
    assert_strict(manager.get(answer.url))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"staff": []}, "必填"),
        ({"own_welcome": "on"}, "请填写欢迎语内容"),
        ({"name": " "}, "必填"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_stored(
    manager: Client, zhang: Staff, change: dict[str, Any], words: str
) -> None:
    answer = manager.post(LIST + "new/", wish(zhang, **change))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not ChannelCode.objects.exists()
    assert not OutgoingCall.objects.exists()


def test_staff_who_cannot_take_customers_are_refused_beside_the_field(manager: Client, zhang: Staff) -> None:
    Staff.objects.update(status=Staff.Status.DISABLED)
    answer = manager.post(LIST + "new/", wish(zhang))
    assert "不能接待" in answer.content.decode()
    assert not ChannelCode.objects.exists()
    assert not Welcome.objects.exists()


def test_an_admin_of_a_range_puts_nobody_else_behind_a_code_and_takes_nobody_off(
    code: ChannelCode, zhang: Staff, in_acme: Tenant
) -> None:
    li = Staff.objects.create(userid="li", userid_key="li", name="李娜", can_follow=True)
    own = add_operator(in_acme, "li", "admin", scope="self")
    connection.set_tenant(in_acme)
    Staff.objects.filter(pk=li.pk).update(operator=own)
    client = signed_in(in_acme, own, staying=True)
    answer = client.post(LIST + "new/", wish(zhang))
    assert (answer.status_code, ChannelCode.objects.count()) == (422, 1)
    CodeStaff.objects.create(code=code, staff=li)
    form = client.get(f"{LIST}{code.pk}/edit/").context["form"]
    assert set(form.fields["staff"].queryset) == {zhang, li}


def test_numbers_open_the_friendships_they_count(manager: Client, code: ChannelCode, zhang: Staff) -> None:
    now = timezone.now()
    for number, (state, ended) in enumerate([(code.state, None), (code.state, None), (code.state, now), ("", None)]):
        customer = Customer.objects.create(external_userid=f"wm{number}", name=f"客户{number}")
        Follow.objects.create(
            customer=customer, staff=zhang, state=state, added_at=now - timedelta(days=number),
            ended_at=ended, ended_by="customer" if ended else "",
        )  # fmt: skip
        bulk.refresh_customers([customer.pk])
    page = manager.get(f"{LIST}{code.pk}/")
    assert_strict(page)
    totals = page.context["totals"]
    assert (totals.added, totals.lost, totals.net, totals.loss_rate) == (3, 1, 2, 33)
    tiles = re.findall(r'class="stat" href="([^"]+)"', page.content.decode())
    behind = [manager.get(unescape(url)).context["list"].count for url in tiles]
    assert behind == [totals.added, totals.today, totals.lost, totals.net]
    of_the_day = page.context["chart"].series[0].url_of(timezone.localdate())
    chosen = manager.get(of_the_day).context["list"]
    assert (chosen.count, "展会海报" in [pick.value for pick in chosen.picks]) == (1, True)
    of_losses = page.context["chart"].series[1].url_of(timezone.localdate())
    chosen = manager.get(of_losses).context["list"]
    assert (chosen.count, "展会海报" in [pick.value for pick in chosen.picks]) == (1, True)
    page = manager.get(LIST)
    row = next(iter(page.context["list"].rows))
    assert row.totals == totals
    links = re.findall(rf'href="([^"]+channel={code.state}[^"]*)"', page.content.decode())
    behind = [manager.get(unescape(url)).context["list"].count for url in links]
    assert behind == [totals.today, totals.added, totals.lost]


def test_a_seller_sees_the_codes_that_bring_him_customers(code: ChannelCode, zhang: Staff, in_acme: Tenant) -> None:
    own = add_operator(in_acme, "zhang", "staff", scope="self")
    connection.set_tenant(in_acme)
    Staff.objects.filter(pk=zhang.pk).update(operator=own)
    other = add_operator(in_acme, "other", "staff", scope="self")
    mine, theirs = (signed_in(in_acme, one, staying=True) for one in (own, other))
    assert mine.get(f"{LIST}{code.pk}/").status_code == 200
    assert theirs.get(f"{LIST}{code.pk}/").status_code == 404
    assert mine.post(f"{LIST}{code.pk}/archive/").status_code == 403


def test_a_paused_seller_is_taken_off_in_wecom(manager: Client, code: ChannelCode, zhang: Staff) -> None:
    li = Staff.objects.create(userid="li", userid_key="li", name="李娜", can_follow=True)
    CodeStaff.objects.create(code=code, staff=li)
    manager.post(f"{LIST}{code.pk}/staff/{zhang.pk}/pause/")
    call = OutgoingCall.objects.get(purpose="code_update")
    assert call.context["pushed"]["user"] == ["li"]
    assert "已暂停接待" in manager.get(f"{LIST}{code.pk}/").content.decode()
