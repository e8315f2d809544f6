"""席位: each person who uses the product takes one, and there is never one more than the company bought."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts import seats
from accounts.models import Operator
from members.models import Staff
from tenants.models import Tenant
from tests.people import add_operator, client_as, signed_in

URL = "/console/operators/"
FULL = "席位已用完（2/2）：停用不再使用的账号，或联系平台管理员增加席位"


def form(username: str) -> dict[str, str]:
    return {"name": username, "username": username, "role": "staff", "scope": "self"}


def seats_of(tenant: Tenant, bought: int | None = None) -> int:
    if bought is not None:
        Tenant.objects.filter(pk=tenant.pk).update(seats=bought)
    return Tenant.objects.values_list("seats_used", flat=True).get(pk=tenant.pk)


def test_without_a_seat_no_account_is_made_and_nothing_typed_is_lost(acme: Tenant) -> None:
    client = client_as(acme, "owner")
    seats_of(acme, bought=2)
    assert client.post(f"{URL}new/", form("zhaomin")).status_code == 200
    assert seats_of(acme) == 2

    refused = client.post(f"{URL}new/", form("lisi"))

    assert refused.status_code == 422
    assert FULL in refused.text
    assert 'value="lisi"' in refused.text
    with acme:
        assert not Operator.objects.filter(username="lisi").exists()


def test_a_deactivated_account_frees_its_seat_and_needs_one_to_come_back(acme: Tenant) -> None:
    client, zhang = client_as(acme, "owner"), add_operator(acme, "zhang", "staff")
    seats_of(acme, bought=2)
    client.post(f"{URL}{zhang.pk}/deactivate/")
    assert seats_of(acme) == 1
    assert client.post(f"{URL}new/", form("lisi")).status_code == 200

    back = client.post(f"{URL}{zhang.pk}/activate/", headers={"HX-Request": "true"})

    assert r"\u5e2d\u4f4d\u5df2\u7528\u5b8c" in back["HX-Trigger"]
    with acme:
        assert not Operator.objects.get(username="zhang").is_active


def test_fewer_seats_than_accounts_lock_nobody_out(acme: Tenant) -> None:
    client, zhang = client_as(acme, "owner"), add_operator(acme, "zhang", "staff")
    seats_of(acme, bought=1)

    assert signed_in(acme, zhang).get("/console/").status_code == 200
    page = client.get(URL)

    assert "已用 <strong>2</strong> / 1 席位" in page.text
    assert "已有账号不受影响" in page.text


def test_each_number_opens_the_list_of_those_it_counts(acme: Tenant) -> None:
    client = client_as(acme, "owner")
    add_operator(acme, "gone", "staff", is_active=False)
    with acme:
        boss = Operator.objects.get(username="the-owner")
        facts = [("both", "on", boss), ("seller", "on", None), ("never", "", None), ("off", "off", None)]
        for userid, sidebar, operator in [*facts, ("waits", "refused", None)]:
            Staff.objects.create(userid=userid, userid_key=userid, sidebar=sidebar, operator=operator)

    shown = client.get(URL).context["seats"]

    assert [(str(part.words), part.count) for part in shown.parts] == [("操作员", 1), ("侧边栏员工", 1)]
    for part in [*shown.parts, shown.turned_away]:
        assert len(client.get(part.url).context["list"].rows) == part.count, part.url
    assert "1 名员工因席位不足未能进入侧边栏" in client.get(URL).text


def test_one_person_with_both_doors_holds_one_seat(acme: Tenant) -> None:
    client, zhang = client_as(acme, "owner"), add_operator(acme, "zhang", "staff")
    with acme:
        staff = Staff.objects.create(userid="zhang", userid_key="zhang", sidebar="on", operator=zhang)
    seats_of(acme, bought=2)

    kept = client.post(f"{URL}{zhang.pk}/deactivate/", headers={"HX-Request": "true"})
    assert r"\u5e2d\u4f4d\u6ca1\u6709\u91ca\u653e" in kept["HX-Trigger"]  # 席位没有释放
    assert seats_of(acme) == 2
    client.post(f"{URL}{zhang.pk}/activate/")
    assert seats_of(acme) == 2
    assert FULL in client.post(f"/console/staff/{staff.pk}/operator/", {"operator": ""}).text  # that would be two


def test_two_at_once_do_not_share_the_last_seat(acme: Tenant, db_commits: None) -> None:
    client = client_as(acme, "owner")
    seats_of(acme, bought=2)
    client.get(f"{URL}new/")  # whatever a first request takes its time for
    taken, commit = threading.Event(), threading.Event()

    def take_the_last() -> None:
        try:
            with acme, seats.changing():
                Operator.objects.create(username="first", name="first")
                taken.set()
                commit.wait(10)
        finally:
            connection.close()

    def come_second() -> int:
        try:
            return client.post(f"{URL}new/", form("second")).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(take_the_last)
        assert taken.wait(10)
        second = pool.submit(come_second)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)  # it waits for what the first one does
        commit.set()
        first.result(timeout=10)
        assert second.result(timeout=10) == 422

    assert seats_of(acme) == 2


@pytest.mark.parametrize("act", ["off", "on"])
def test_a_members_sidebar_is_turned_off_and_on_by_the_console(acme: Tenant, act: str) -> None:
    with acme:
        staff = Staff.objects.create(userid="li", userid_key="li", sidebar={"off": "on", "on": "off"}[act])
    client = client_as(acme, "owner")
    assert f"/console/staff/{staff.pk}/sidebar/{act}/" in client.get("/console/staff/").text

    assert client.post(f"/console/staff/{staff.pk}/sidebar/{act}/").status_code == 302

    with acme:
        assert Staff.objects.get(pk=staff.pk).sidebar == act
    assert seats_of(acme) == (2 if act == "on" else 1)
    assert ("停用" if act == "off" else "启用") + "员工的侧边栏" in client.get("/console/audit/").text
