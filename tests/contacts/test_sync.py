"""The full sync: what WeCom has is what we have, whatever interrupts it."""

import pytest

from contacts import bulk
from contacts.jobs import run_now
from contacts.models import Customer, Follow, FollowTag, GroupChat, GroupMember, ListedPage, Tag
from members.models import Department, Staff, StaffTag
from tenants.models import Job, Tenant
from tests.contacts.truth import assert_facts_are_true
from tests.sandbox_server import Sandbox

STILL = ("follows_new", "follows_changed", "customers_changed", "staff_changed", "staff_tags_changed")


@pytest.fixture
def acme_in_wecom(db_commits: None, sandbox: Sandbox) -> Sandbox:
    sandbox.make_corp(staff=8, customers=120, groups=6, limits={"group_delay": 0})
    return sandbox


def ours() -> dict[str, dict[str, object]]:
    """Friendships by pair, in the shape of `truth`."""
    tags: dict[int, list[str]] = {}
    for follow_id, tag_id in FollowTag.objects.values_list("follow_id", "tag__wecom_id"):
        tags.setdefault(follow_id, []).append(tag_id)
    return {
        f"{follow.staff.userid}/{follow.customer.external_userid}": {
            "name": follow.customer.name,
            "remark": follow.remark,
            "description": follow.description,
            "state": follow.state,
            "createtime": int(follow.added_at.timestamp()),
            "tags": sorted(tags.get(follow.pk, [])),
        }
        for follow in Follow.objects.filter(ended_at=None).select_related("staff", "customer")
    }


def theirs(sandbox: Sandbox) -> dict[str, dict[str, object]]:
    truth = sandbox.truth()
    sellers = {staff["userid"].lower() for staff in truth["staff"] if staff["customer_contact"]}
    return {
        f"{follow['userid']}/{key}": {
            "name": customer["name"],
            "remark": follow["remark"],
            "description": follow["description"],
            "state": follow["state"],
            "createtime": follow["createtime"],
            "tags": sorted(follow["tags"]),
        }
        for key, customer in truth["customers"].items()
        for follow in customer["follows"]
        if follow["userid"].lower() in sellers and not follow["one_way"]
    }


def test_a_sync_brings_all_that_wecom_shows(acme_in_wecom, acme):
    done = run_now("acme", "sync", {})

    truth = acme_in_wecom.truth()
    with acme:
        assert ours() == theirs(acme_in_wecom)
        assert Staff.objects.filter(visible=True).count() == len(truth["staff"])
        assert Department.objects.filter(deleted_at=None).count() > 1
        assert Tag.objects.exclude(name="").count() == Tag.objects.count() > 0
        assert staff_tags() == {
            tag["name"]: (set(tag["users"]), set(tag["parties"])) for tag in truth["staff_tags"].values()
        }
        assert GroupChat.objects.count() == 6
        assert GroupMember.objects.filter(left_at=None).count() == sum(
            len(group["member_list"]) for group in truth["groups"].values()
        )
        assert not GroupMember.objects.filter(kind=2, customer=None, member_id__in=list(truth["customers"])).exists()
        assert ListedPage.objects.count() == 0
        assert done["counts"]["follows_new"] == Follow.objects.count()
        assert Customer.objects.filter(active_follows=0).count() == 0


def staff_tags() -> dict[str, tuple[set[str], set[int]]]:
    return {
        tag.name: (
            set(tag.staff.values_list("userid", flat=True)),
            set(tag.departments.values_list("wecom_id", flat=True)),
        )
        for tag in StaffTag.objects.filter(deleted_at=None)
    }


def test_customers_written_in_one_go_say_what_summing_up_says(acme_in_wecom, acme):
    run_now("acme", "sync", {})

    with acme:
        assert_facts_are_true()
        written = sums()
        bulk.refresh_customers([one["id"] for one in written])
        assert sums() == written
        assert any("\n" in one["search_text"] for one in written)


def sums():
    names = ("id", "name", "search_text", "active_follows", "first_added_at", "last_added_at", "lost_at", "raw_hash")
    return list(Customer.objects.order_by("id").values(*names))


def test_a_second_sync_writes_nothing(acme_in_wecom, acme):
    run_now("acme", "sync", {})
    with acme:
        before = list(Customer.objects.order_by("id").values()), list(Follow.objects.order_by("id").values())

    counts = run_now("acme", "sync", {})["counts"]

    with acme:
        after = list(Customer.objects.order_by("id").values()), list(Follow.objects.order_by("id").values())
    assert after == before
    assert {name: counts[name] for name in STILL} == dict.fromkeys(STILL, 0)
    assert counts["groups_unchanged"] == 6


def test_what_changed_unheard_is_found_by_the_next_sync(acme_in_wecom, acme):
    run_now("acme", "sync", {})
    (first, second), tag = acme_in_wecom.friendships()[:2], acme_in_wecom.tags()[0]
    acme_in_wecom.act("staff_edits", userid=first[0], external_userid=first[1], remark="新备注", add_tags=[tag])
    acme_in_wecom.act("staff_deletes_customer", userid=second[0], external_userid=second[1])

    counts = run_now("acme", "sync", {"only": "customers"})["counts"]

    with acme:
        assert ours() == theirs(acme_in_wecom)
        gone = Follow.objects.get(staff__userid=second[0], customer__external_userid=second[1])
        assert gone.ended_by == "vanished"
        assert gone.customer.timeline.filter(kind="follow_vanished", source="sync").count() == 1
    assert counts["follows_vanished"] == 1


def test_a_customer_who_deleted_the_member_stays_a_row_that_sync_leaves_alone(acme_in_wecom, acme):
    run_now("acme", "sync", {})
    userid, external_userid = acme_in_wecom.friendships()[0]
    acme_in_wecom.act("customer_deletes_staff", userid=userid, external_userid=external_userid)
    with acme:
        follow = Follow.objects.get(staff__userid=userid, customer__external_userid=external_userid)
        follow.deleted_by_customer_at = follow.ended_at = follow.added_at
        follow.ended_by = "customer"
        follow.save()

    run_now("acme", "sync", {"only": "customers"})

    with acme:
        follow.refresh_from_db()
        assert (follow.ended_by, follow.deleted_by_staff_at) == ("customer", None)


def test_an_app_that_may_not_read_the_names_of_departments_has_their_tree_all_the_same(acme_in_wecom, acme):
    def tree():
        with acme:
            return {one.wecom_id: (one.name, one.path) for one in Department.objects.filter(deleted_at=None)}

    run_now("acme", "sync", {"only": "staff"})
    named = tree()
    assert max(len(path) for _name, path in named.values()) > 1
    acme_in_wecom.fault("errcode", "department/list", errcode=60011)

    run_now("acme", "sync", {"only": "staff"})
    assert tree() == named
    with acme:
        Department.objects.all().delete()
    run_now("acme", "sync", {"only": "staff"})
    assert tree() == {number: ("", path) for number, (_name, path) in named.items()}


def test_a_stale_cursor_starts_that_portion_again(acme_in_wecom, acme):
    acme_in_wecom.fault("errcode", "externalcontact/batch/get_by_user", errcode=50100, times=2, skip=1)

    run_now("acme", "sync", {"only": "customers"})

    with acme:
        assert ours() == theirs(acme_in_wecom)


def test_a_member_without_the_right_does_not_stop_the_others(acme_in_wecom, acme):
    acme_in_wecom.fault("errcode", "externalcontact/batch/get_by_user", errcode=84074, times=1)

    run_now("acme", "sync", {"only": "customers"})

    with acme:
        missing = theirs(acme_in_wecom).keys() - ours().keys()
    assert len({pair.split("/")[0] for pair in missing}) <= 1


def test_reconcile_mends_what_lost_events_left_behind(acme_in_wecom, acme):
    run_now("acme", "sync", {})
    pairs = acme_in_wecom.friendships()
    userid = pairs[0][0]
    acme_in_wecom.act("customer_adds", userid=userid, name="漏掉的客户")
    acme_in_wecom.act("staff_deletes_customer", userid=pairs[1][0], external_userid=pairs[1][1])
    group = next(iter(acme_in_wecom.truth()["groups"]))
    acme_in_wecom.act("group_dismiss", chat_id=group)
    acme_in_wecom.act("staff_tag_members", tag_id=2, add_users=[userid], remove_parties=[7])
    acme_in_wecom.act("staff_tag_rename", tag_id=3, name="本月新员工")
    acme_in_wecom.act("staff_tag_delete", tag_id=4)

    found = run_now("acme", "reconcile", {})["counts"]
    again = run_now("acme", "reconcile", {})["counts"]

    with acme:
        assert ours() == theirs(acme_in_wecom)
        assert GroupChat.objects.get(chat_id=group).dismissed_at
        assert Customer.objects.get(name="漏掉的客户").timeline.get().source == "reconcile"
        assert staff_tags().keys() == {"销售一部骨干", "门店导购", "本月新员工"}
        assert staff_tags()["门店导购"] == ({userid}, {8})
        assert StaffTag.objects.get(wecom_id=4).deleted_at
    assert (found["staff_tags_changed"], again["staff_tags_changed"]) == (3, 0)
    assert (found["follows_missing"], found["follows_extra"], found["groups_closed"]) == (1, 1, 1)
    assert (again["follows_missing"], again["follows_extra"], again["groups_closed"]) == (0, 0, 0)


def test_nothing_of_a_sync_reaches_the_other_tenant(acme_in_wecom, globex):
    run_now("acme", "sync", {})

    with globex:
        assert (Customer.objects.count(), Staff.objects.count(), GroupChat.objects.count()) == (0, 0, 0)
    assert Job.objects.exclude(tenant=Tenant.objects.get(schema_name="acme")).count() == 0


def test_an_empty_list_of_tags_is_believed_when_the_customers_say_the_same(acme_in_wecom, acme):
    """It is what WeCom answers to an app that may not read them, too."""
    run_now("acme", "sync", {})
    with acme:
        tags, carried = Tag.objects.filter(deleted_at=None).count(), FollowTag.objects.count()
        groups = set(Tag.objects.values_list("group__wecom_id", flat=True))
    acme_in_wecom.fault("errcode", "externalcontact/get_corp_tag_list", errcode=0)
    assert run_now("acme", "reconcile", {})["counts"]["tags_in_doubt"] == tags
    with acme:
        assert (Tag.objects.filter(deleted_at=None).count(), FollowTag.objects.count()) == (tags, carried)

    acme_in_wecom.well_again()
    for group in groups:
        acme_in_wecom.act("tag_group_delete", group_id=group)  # and the events of it are lost
    assert "tags_in_doubt" not in run_now("acme", "reconcile", {})["counts"]

    with acme:
        assert not Tag.objects.filter(deleted_at=None).exists()
        assert not FollowTag.objects.exists()
