"""POST customers/{id}/tags: 202, and a write that can be read until WeCom has answered."""

import pytest
from django.utils import timezone

from contacts import bulk
from contacts.models import Follow, Tag, TagGroup
from tenants import outbox
from tenants.models import OutgoingCall, Tenant
from tests.integrations.caller import BASE, Caller
from tests.sandbox_server import Sandbox

MARK_TAG = "externalcontact/mark_tag"


def post(api: Caller, follow: Follow, **body: object) -> str:
    """The address at which the write is read, below the API."""
    response = api.post(f"customers/{follow.customer.external_userid}/tags", body)
    assert response.status_code == 202, response.content.decode()
    assert response.json()["state"] == "pending"
    return str(response.json()["url"]).removeprefix(f"{BASE}/")


def test_a_write_is_pending_then_done_and_reaches_wecom_once(
    api: Caller, follow: Follow, new_tag: Tag, sandbox: Sandbox
) -> None:
    write = post(api, follow, add=[new_tag.wecom_id], userid=follow.staff.userid)
    assert api.get(write)["state"] == "pending"

    outbox.deliver_due(urgent=False)

    done = api.get(write)
    assert (done["state"], done["code"], done["finished_at"] is not None) == ("done", 0, True)
    assert len(sandbox.calls(MARK_TAG)) == len(sandbox.effects("mark_tag")) == 1
    tags = api.get(f"customers/{follow.customer.external_userid}")["follows"][0]["tags"]
    assert new_tag.wecom_id in {tag["id"] for tag in tags}
    entry = api.get(f"customers/{follow.customer.external_userid}/timeline")["data"][0]
    assert (entry["kind"], entry["actor"], entry["source"]) == ("tags_changed", "api:ERP", "api")


def test_without_userid_the_only_living_friendship_is_meant(api: Caller, follow: Follow, new_tag: Tag) -> None:
    post(api, follow, add=[new_tag.wecom_id])
    call = OutgoingCall.objects.get()
    assert outbox.body_of(call)["userid"] == follow.staff.userid


def test_without_userid_two_friendships_are_ambiguous(api: Caller, new_tag: Tag, follow: Follow) -> None:
    other = Follow.objects.exclude(customer=follow.customer).exclude(staff=follow.staff).order_by("id")[0]
    Follow.objects.create(customer=follow.customer, staff=other.staff, added_at=timezone.now())
    bulk.refresh_customers([follow.customer_id])
    response = api.post(f"customers/{follow.customer.external_userid}/tags", {"add": [new_tag.wecom_id]})
    assert response.status_code == 400
    assert list(response.json()["field_errors"]) == ["userid"]


def test_a_friendship_that_is_none_any_more_fails_with_84061(
    api: Caller, follow: Follow, new_tag: Tag, sandbox: Sandbox
) -> None:
    pair = {"userid": follow.staff.userid, "external_userid": follow.customer.external_userid}
    sandbox.act("staff_deletes_customer", **pair)
    write = post(api, follow, add=[new_tag.wecom_id])
    outbox.deliver_due(urgent=False)
    failed = api.get(write)
    assert (failed["state"], failed["code"]) == ("failed", 84061)
    assert failed["reason"]


def test_a_tag_that_wecom_has_no_more_fails_with_40068(
    api: Caller, follow: Follow, new_tag: Tag, sandbox: Sandbox
) -> None:
    sandbox.act("tag_delete", tag_id=new_tag.wecom_id)
    write = post(api, follow, add=[new_tag.wecom_id])
    outbox.deliver_due(urgent=False)
    failed = api.get(write)
    assert (failed["state"], failed["code"]) == ("failed", 40068)


def test_without_the_right_the_write_is_parked_until_it_is_given(
    api: Caller, acme: Tenant, follow: Follow, new_tag: Tag, sandbox: Sandbox
) -> None:
    sandbox.fault("errcode", MARK_TAG, errcode=48002, times=1)
    write = post(api, follow, add=[new_tag.wecom_id])
    outbox.deliver_due(urgent=False)
    assert (api.get(write)["state"], api.get(write)["code"]) == ("parked", 48002)

    with acme:
        outbox.retry(OutgoingCall.objects.get(), "wang")
    outbox.deliver_due(urgent=False)
    assert api.get(write)["state"] == "done"


def test_a_tag_of_another_company_is_refused_at_once(api: Caller, follow: Follow, globex: Tenant) -> None:
    with globex:
        Tag.objects.create(wecom_id="etGlobex", name="他们的", group=TagGroup.objects.create(wecom_id="etG", name="组"))
    response = api.post(f"customers/{follow.customer.external_userid}/tags", {"add": ["etGlobex"]})
    assert response.status_code == 400
    assert "etGlobex" in response.json()["field_errors"]["add"][0]


@pytest.mark.parametrize("state", ["expired", "ignored", "unknown", "leased"])
def test_every_state_of_the_outbox_has_its_word(api: Caller, follow: Follow, new_tag: Tag, state: str) -> None:
    write = post(api, follow, add=[new_tag.wecom_id])
    OutgoingCall.objects.update(state=state)
    words = {"expired": "failed", "ignored": "failed", "unknown": "unknown", "leased": "pending"}
    assert api.get(write)["state"] == words[state]


def test_another_company_sees_neither_customer_nor_group_nor_write(
    api: Caller, globex: Tenant, follow: Follow, new_tag: Tag
) -> None:
    write = post(api, follow, add=[new_tag.wecom_id])
    customer = follow.customer.external_userid
    group = api.get("groups")["data"][0]["chat_id"]
    theirs = Caller.of(globex)
    for path in (write, f"customers/{customer}", f"customers/{customer}/timeline", f"groups/{group}"):
        assert api.status(path) == 200
        assert theirs.status(path) == 404
    assert theirs.post(f"customers/{customer}/tags", {"add": [new_tag.wecom_id]}).status_code == 404
    for path in ("staff", "customers", "groups", "tags"):
        assert theirs.get(path) == {"data": [], "next": None}
    assert theirs.get("health")["outbox"]["pending"] == 0


def test_only_writes_of_the_api_are_read_there(api: Caller, follow: Follow) -> None:
    call = outbox.post("externalcontact/remark", {}, purpose="remark", idem_key="x", context={"source": "console"})
    assert api.status(f"writes/{call.pk}") == 404
