"""渠道活码 over the Open API: made once by key, told with its fate and with whom it brought."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from acquisition.models import ChannelCode, CodeStaff
from contacts import bulk
from contacts.models import Customer, Follow, Stage, Tag, TagGroup
from members.models import Staff
from tenants.models import OutgoingCall, Tenant
from tests.integrations.caller import Caller

PATH = "channel-codes"


@pytest.fixture
def api(in_acme: Tenant, clean_cache: None) -> Caller:
    return Caller.of(in_acme)


@pytest.fixture
def staff(in_acme: Tenant) -> dict[str, Staff]:
    return {
        userid: Staff.objects.create(userid=userid, userid_key=userid.lower(), can_follow=True)
        for userid in ("Zhang", "li")
    }


@pytest.fixture
def vip(in_acme: Tenant) -> Tag:
    return Tag.objects.create(wecom_id="etVip", name="VIP", group=TagGroup.objects.create(wecom_id="etG", name="等级"))


def again(tenant: Tenant) -> None:
    """The answers leave the connection in the public schema."""
    connection.set_tenant(tenant)


def brought(code: ChannelCode, staff: Staff, *, adds: int, losses: int) -> None:
    now = timezone.now()
    for number in range(adds):
        customer = Customer.objects.create(external_userid=f"wm{number}", name=f"客户{number}")
        ended = now if number < losses else None
        Follow.objects.create(
            customer=customer, staff=staff, state=code.state, added_at=now - timedelta(days=1), ended_at=ended,
            ended_by="customer" if ended else "",
        )  # fmt: skip
    bulk.refresh_customers(list(Customer.objects.values_list("pk", flat=True)))


def test_a_code_is_made_once_and_told_with_its_fate(
    api: Caller, staff: dict[str, Staff], vip: Tag, in_acme: Tenant
) -> None:
    again(in_acme)
    Stage.objects.create(name="线索")
    wish = {"name": " 展会 ", "staff": ["zhang"], "backups": ["li"], "tags": ["etVip"], "stage": "线索"}
    first = api.post(PATH, wish, **{"Idempotency-Key": "k1"})
    repeat = api.post(PATH, wish, **{"Idempotency-Key": "k1"})

    assert (first.status_code, repeat.json()) == (202, first.json())
    code = first.json()
    assert (code["name"], code["staff"], code["backups"], code["stage"]) == ("展会", ["Zhang"], ["li"], "线索")
    assert code["tags"] == [{"id": "etVip", "name": "VIP", "group": "等级"}]
    assert (code["status"], code["reason"], code["qr_code"], code["net"]) == ("waiting", "", "", 0)
    assert code["shifts"] == []
    assert api.get(f"{PATH}/{code['id']}") == code
    again(in_acme)
    assert ChannelCode.objects.get().created_by.endswith("ERP")
    assert OutgoingCall.objects.filter(purpose="code_create").count() == 1


def test_what_it_brought_is_counted_and_its_state_finds_it(
    api: Caller, staff: dict[str, Staff], in_acme: Tenant
) -> None:
    live = ChannelCode.objects.create(name="海报", status="active", qr_code="https://qr.example/1")
    ChannelCode.objects.create(name="名片", status="failed", error="企业微信拒绝了")
    ChannelCode.objects.create(name="旧的", status="stopped", archived_at=timezone.now())
    CodeStaff.objects.create(code=live, staff=staff["li"])
    live.shifts.create(weekdays=[1, 7], begins=time(9), ends=time(18), staff_ids=[staff["li"].pk])
    brought(live, staff["li"], adds=3, losses=1)

    listed = [row for page in api.pages(PATH, limit=2) for row in page]

    assert [(row["status"], row["reason"], row["adds"], row["losses"], row["net"]) for row in listed] == [
        ("live", "", 3, 1, 2),
        ("failed", "企业微信拒绝了", 0, 0, 0),
        ("stopped", "", 0, 0, 0),
    ]
    assert listed[0]["shifts"] == [{"weekdays": [1, 7], "begins": "09:00:00", "ends": "18:00:00", "staff": ["li"]}]
    assert listed[0]["qr_code"] == "https://qr.example/1"
    assert api.get(PATH, state=live.state)["data"] == listed[:1]
    assert api.get(PATH, status="failed")["data"] == listed[1:2]
    assert api.status(PATH, status="nonsense") == api.status(PATH, state="a\0b") == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"staff": ["nobody"]}, "staff"),
        ({"staff": []}, "staff"),
        ({"backups": ["nobody"]}, "backups"),
        ({"tags": ["etNone"]}, "tags"),
        ({"tags": ["etRule"]}, "tags"),
        ({"stage": "没有的"}, "stage"),
        ({"name": "海报"}, "name"),
        ({"name": "长" * 31}, "name"),
    ],
)
def test_what_cannot_be_is_refused_by_field(
    api: Caller, staff: dict[str, Staff], in_acme: Tenant, change: dict[str, Any], field: str
) -> None:
    ChannelCode.objects.create(name="海报", status="active")
    Tag.objects.create(wecom_id="etRule", name="规则组", group=TagGroup.objects.create(wecom_id="", name=""))
    answer = api.post(PATH, {"name": "新的", "staff": ["li"], **change})
    assert (answer.status_code, list(answer.json()["field_errors"])) == (400, [field])
    again(in_acme)
    assert (ChannelCode.objects.count(), OutgoingCall.objects.count()) == (1, 0)


def test_staff_who_may_have_no_customers_are_refused(api: Caller, staff: dict[str, Staff], in_acme: Tenant) -> None:
    Staff.objects.update(can_follow=False)
    answer = api.post(PATH, {"name": "新的", "staff": ["li"]})
    assert (answer.status_code, list(answer.json()["field_errors"])) == (400, ["staff"])
    again(in_acme)
    assert not ChannelCode.objects.exists()


def test_a_code_of_another_company_is_not_found(api: Caller, globex: Tenant) -> None:
    with globex:
        theirs = ChannelCode.objects.create(name="他们的", status="active")
    assert api.status(f"{PATH}/{theirs.pk}") == 404
    assert api.get(PATH)["data"] == []
