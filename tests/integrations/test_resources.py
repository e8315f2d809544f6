"""The resources of the contract, over a company filled from WeCom. Each answer is held against the document."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from callbacks.partitions import maintain
from contacts.models import Customer, Follow, Tag
from members.models import Department, Staff, StaffTag
from tenants.models import CorpApp, Job, Receiver, Tenant
from tests.integrations.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.usefixtures("mirrored")


def test_staff_are_those_of_wecom(api: Caller, sandbox: Sandbox) -> None:
    staff = {one["userid"]: one for one in api.get("staff")["data"]}

    assert staff.keys() == {one["userid"] for one in sandbox.truth()["staff"]}
    assert all(one["name"] and one["departments"][0]["name"] and one["active"] for one in staff.values())


def test_staff_have_their_tags_own_and_by_department(api: Caller, acme: Tenant) -> None:
    with acme:
        one, other = Staff.objects.order_by("id")[:2]
        StaffTag.objects.create(wecom_id=7, name="新员工").staff.add(one)
        StaffTag.objects.create(wecom_id=8, name="全员").departments.add(Department.objects.get(wecom_id=1))
        StaffTag.objects.create(wecom_id=9, name="旧", deleted_at=timezone.now()).staff.add(other)

    tags = {staff["userid"]: staff["tags"] for staff in api.get("staff")["data"]}
    everyone = {"id": 8, "name": "全员"}
    assert tags[one.userid] == [everyone, {"id": 7, "name": "新员工"}]
    assert all(everyone in found for found in tags.values())
    assert tags[other.userid] == [everyone]


def test_staff_who_left_are_there_and_not_active(api: Caller, acme: Tenant) -> None:
    with acme:
        gone = Staff.objects.order_by("id")[0]
        gone.left_at = timezone.now()
        gone.save()

    assert [one["userid"] for one in api.get("staff")["data"] if not one["active"]] == [gone.userid]


def test_customers_are_those_of_wecom_with_their_friendships_and_tags(api: Caller, sandbox: Sandbox) -> None:
    truth = sandbox.truth()["customers"]
    found = {one["external_userid"]: one for one in api.get("customers", limit=200)["data"]}

    assert found.keys() == {key for key, customer in truth.items() if customer["follows"]}
    for key, customer in found.items():
        real = {follow["userid"]: follow for follow in truth[key]["follows"]}
        assert customer["name"] == truth[key]["name"]
        assert {(one["userid"], one["remark"], one["description"]) for one in customer["follows"]} == {
            (userid, follow["remark"], follow["description"]) for userid, follow in real.items()
        }
        for follow in customer["follows"]:
            assert {tag["id"] for tag in follow["tags"]} == set(real[follow["userid"]]["tags"])
            assert all(tag["name"] and tag["group"] for tag in follow["tags"])


def test_one_customer_is_as_in_the_list(api: Caller) -> None:
    first = api.get("customers", limit=1)["data"][0]
    assert api.get(f"customers/{first['external_userid']}") == first


def test_times_carry_the_zone_of_the_tenant(api: Caller) -> None:
    customer = api.get("customers", limit=1)["data"][0]
    times = [customer["created_at"], customer["updated_at"], customer["follows"][0]["added_at"]]
    assert all(time.endswith("+08:00") for time in times)


def test_the_timeline_of_a_customer_is_newest_first(api: Caller) -> None:
    customer = api.get("customers", limit=1)["data"][0]
    entries = api.get(f"customers/{customer['external_userid']}/timeline")["data"]

    assert entries[-1]["kind"] == "follow_added"
    assert entries[-1]["userid"] in {follow["userid"] for follow in customer["follows"]}
    assert [entry["at"] for entry in entries] == sorted((entry["at"] for entry in entries), reverse=True)


def test_groups_are_those_of_wecom_with_their_members(api: Caller, sandbox: Sandbox) -> None:
    groups = {one["chat_id"]: one for one in api.get("groups")["data"]}
    truth = sandbox.truth()["groups"]

    assert groups.keys() == truth.keys()
    for chat_id, group in groups.items():
        assert group["owner"] == truth[chat_id]["owner"]
        assert group["dismissed_at"] is None
        assert {member["id"] for member in group["members"]} == {one["userid"] for one in truth[chat_id]["member_list"]}
        assert {member["kind"] for member in group["members"]} <= {"staff", "customer"}
        assert all(member["joined_at"] and member["left_at"] is None for member in group["members"])
        assert api.get(f"groups/{chat_id}") == group


def test_tags_are_those_of_wecom_and_say_how_many_customers_carry_them(
    api: Caller, acme: Tenant, sandbox: Sandbox
) -> None:
    tags = api.get("tags", limit=200)["data"]

    assert {tag["id"] for tag in tags} == set(sandbox.tags())
    assert all(tag["group"]["id"] and tag["group"]["name"] for tag in tags)
    for tag in tags:
        assert tag["customers"] == len(api.get("customers", tag=tag["id"], limit=200)["data"])
    assert any(tag["customers"] for tag in tags)


def test_who_ended_the_friendship_is_not_counted_with_a_tag(api: Caller, acme: Tenant) -> None:
    before = next(tag for tag in api.get("tags", limit=200)["data"] if tag["customers"])
    with acme:
        Follow.objects.filter(tag_links__tag__wecom_id=before["id"]).update(ended_at=timezone.now())
    after = next(tag for tag in api.get("tags", limit=200)["data"] if tag["id"] == before["id"])
    assert after["customers"] == 0


def test_a_deleted_tag_is_gone_everywhere(api: Caller, acme: Tenant) -> None:
    with acme:
        Tag.objects.update(deleted_at=timezone.now())
    assert api.get("tags")["data"] == []
    assert not any(follow["tags"] for one in api.get("customers")["data"] for follow in one["follows"])


def test_health_counts_what_waits_and_says_how_fresh_everything_is(api: Caller, acme: Tenant) -> None:
    now = timezone.now()
    CorpApp.objects.filter(tenant=acme).update(state=CorpApp.State.OK)
    Receiver.objects.filter(tenant=acme).update(last_event_at=now)
    Job.objects.create(tenant=acme, kind="sync", state=Job.State.DONE, finished_at=now)
    maintain()
    for number, status in enumerate(["new", "new", "dead", "done"]):
        receive(acme, number, status)

    health = api.get("health")

    assert (health["inbox"]["pending"], health["inbox"]["dead"]) == (2, 1)
    assert health["inbox"]["oldest_at"] is not None
    assert health["outbox"] == {"pending": 0, "unknown": 0, "parked": 0, "dead": 0, "expired": 0}
    assert health["last_event_at"] == health["last_sync_at"] == timezone.localtime(now).isoformat()
    assert health["token"] == "ok"


def receive(tenant: Tenant, number: int, status: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.callbacks_inbox (event_day, dedupe_key, tenant_id, receiver_id, key_version, name,"
            " lane, status, event_at, body) VALUES (current_date, %s, %s, %s, 1, 'x', 0, %s, now(), '')",
            [bytes([number]), tenant.pk, Receiver.objects.get(tenant=tenant).pk, status],
        )


@pytest.mark.parametrize(
    "path", ["customers/wmNobody", "customers/wmNobody/timeline", "groups/wrNobody", "writes/999999999999999999999"]
)
def test_an_unknown_id_is_404(api: Caller, path: str) -> None:
    assert api.status(path) == 404


def test_a_customer_whose_first_event_is_on_its_way_is_not_there_yet(api: Caller, acme: Tenant) -> None:
    with acme:
        Customer.objects.create(external_userid="wmSoon")
    assert api.status("customers/wmSoon") == 404
    assert "wmSoon" not in {one["external_userid"] for one in api.get("customers", limit=200)["data"]}


@pytest.mark.parametrize(("path", "most"), [("staff", 5), ("customers", 6), ("groups", 5), ("tags", 4), ("health", 8)])
def test_the_number_of_statements_does_not_grow_with_the_page(api: Caller, acme: Tenant, path: str, most: int) -> None:
    counts = []
    for limit in (1, 2, 20):
        with CaptureQueriesContext(connection) as queries:
            api.get(path, **({} if path == "health" else {"limit": limit}))
        counts.append(len([query for query in queries if "SET search_path" not in query["sql"]]))
    assert max(counts[1:]) <= most, counts


def test_the_statements_of_a_deep_page_of_a_timeline_are_few(api: Caller, acme: Tenant) -> None:
    with acme:
        customer = Customer.objects.order_by("id")[0]
        for number in range(30):
            customer.timeline.create(
                key=f"x{number}", kind="remark_changed", at=timezone.now() - timedelta(hours=number), source="api"
            )
    pages = api.pages(f"customers/{customer.external_userid}/timeline", limit=7)
    times = [entry["at"] for page in pages for entry in page]
    assert len(times) >= 31
    assert times == sorted(times, reverse=True)
