"""Broadcasts in the Open API: drafted, checked, sent once by key, followed to each receiver."""

import pytest

from broadcasts.models import Broadcast
from members.models import Staff
from tests.broadcasts.conftest import Office
from tests.integrations.caller import Caller


@pytest.fixture
def api(office: Office) -> Caller:
    from tenants.models import Tenant

    return Caller.of(Tenant.objects.get(schema_name="acme"))


@pytest.fixture(autouse=True)
def _in_acme(in_acme: object) -> None:
    """The test's own look at the rows."""


def wish(**values: object) -> dict[str, object]:
    content = {"text": "周六店庆，全场九折", "materials": []}
    return {"title": "店庆", "conditions": {"match": "all", "of": [{"is": "lost", "op": "no"}]}, "content": content} | (
        values
    )


def inside() -> None:
    from django.db import connection

    from tenants.models import Tenant

    connection.set_tenant(Tenant.objects.get(schema_name="acme"))


def test_from_the_draft_to_the_last_result(api: Caller, office: Office) -> None:
    made = api.post("broadcasts", wish()).json()
    assert (made["state"], made["audience"]) == ("draft", "未流失")
    checked = api.ask("POST", f"broadcasts/{made['id']}/preflight").json()
    assert checked["matched"] == checked["receivers"] + checked["deleted"] + checked["no_sender"] + checked["at_limit"]
    assert sum(one["receivers"] for one in checked["staff"]) == checked["receivers"]
    send = f"broadcasts/{made['id']}/send"
    assert api.ask("POST", send).status_code == 400

    first = api.ask("POST", send, **{"Idempotency-Key": "k1"})
    again = api.ask("POST", send, **{"Idempotency-Key": "k1"})

    assert (first.status_code, again.json()) == (202, first.json())
    assert api.ask("POST", send, **{"Idempotency-Key": "k2"}).status_code == 400
    inside()
    draft = office.go_on(Broadcast.objects.get(pk=made["id"]))
    office.confirm()
    office.look(draft)
    told = api.get(f"broadcasts/{made['id']}")
    assert (told["state"], told["progress"]["sent"]) == ("ended", checked["receivers"])
    rows = [row for page in api.pages(f"broadcasts/{made['id']}/results", limit=10) for row in page]
    assert {row["external_userid"] for row in rows} == set(office.received()["received"])
    assert {row["state"] for row in rows} == {"sent"}


def test_what_is_wrong_is_named(api: Caller) -> None:
    for values, field in (
        ({"content": {"text": "", "materials": []}}, "content"),
        ({"content": {"text": "{客户昵称}", "materials": []}}, "content"),
        ({"staff": ["nobody"]}, "staff"),
        ({"segment": 99, "conditions": {}}, "segment"),
        ({"segment": 99}, "conditions"),  # one of the two would not be looked at
        ({"kind": "groups"}, "conditions"),  # it would go to all groups
        ({"conditions": {"match": "some", "of": []}}, "conditions"),
        ({"send_at": "2020-01-01T00:00:00+08:00"}, "send_at"),
        ({"send_at": "2120-01-01T00:00:00+08:00"}, "send_at"),
    ):
        refused = api.post("broadcasts", wish(**values))
        assert refused.status_code == 400, field
        assert field in str(refused.json()["field_errors"]), (field, refused.json())
    inside()
    assert not Broadcast.objects.exists()


def test_only_through_these_staff(api: Caller) -> None:
    inside()
    staff = Staff.objects.filter(follows__ended_at=None, can_follow=True).distinct().order_by("id")[0]
    made = api.post("broadcasts", wish(staff=[staff.userid])).json()
    checked = api.ask("POST", f"broadcasts/{made['id']}/preflight").json()
    assert [one["userid"] for one in checked["staff"]] == [staff.userid]
