"""change_external_contact: what each event leaves behind, whatever comes twice, late or shuffled."""

from contacts import signals
from contacts.models import Customer, Follow, TimelineEntry
from tests.contacts.conftest import Events, handle, payload


def kinds(customer: Customer) -> list[str]:
    return list(customer.timeline.order_by("at", "id").values_list("kind", flat=True))


def state(follow: Follow) -> tuple[object, ...]:
    follow.refresh_from_db()
    return (
        follow.half,
        follow.deleted_by_staff_at,
        follow.deleted_by_customer_at,
        follow.ended_at,
        follow.ended_by,
        follow.added_at,
    )


def staff_of(events: Events) -> str:
    """Someone who may have customers and whom the admin's own welcome does not concern."""
    return next(userid for userid, _ in events.sandbox.friendships())


def test_a_new_friendship_brings_the_customer_with_all_that_wecom_knows(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅", state="q1_store07")

    events.handle_new()

    customer = Customer.objects.get(external_userid=made["external_userid"])
    follow = customer.follows.get()
    assert (customer.name, customer.kind, customer.active_follows, customer.lost_at) == ("韩梅梅", 1, 1, None)
    assert customer.last_added_at == follow.added_at
    assert (follow.staff.userid, follow.state, follow.half, follow.ended_at) == (userid, "q1_store07", False, None)
    assert "韩梅梅" in customer.search_text
    entry = customer.timeline.get()
    assert (entry.kind, entry.source, entry.staff) == ("follow_added", "callback", follow.staff)
    assert entry.payload["state"] == "q1_store07"


def test_the_same_events_twice_change_nothing(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    events.sandbox.act("customer_deletes_staff", userid=userid, external_userid=made["external_userid"])
    told = events.handle_new()
    customer = Customer.objects.get(external_userid=made["external_userid"])
    before = list(Customer.objects.values()), list(Follow.objects.values()), kinds(customer)

    handle(told)

    assert (list(Customer.objects.values()), list(Follow.objects.values()), kinds(customer)) == before


def test_the_other_tenant_sees_nothing(events, globex):
    events.sandbox.act("customer_adds", userid=staff_of(events), name="韩梅梅")
    events.handle_new()

    assert Customer.objects.count() == 1
    with globex:
        assert (Customer.objects.count(), Follow.objects.count(), TimelineEntry.objects.count()) == (0, 0, 0)


def test_a_one_way_friendship_becomes_a_real_one_when_the_member_accepts(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅", half=True)
    events.handle_new()
    follow = Follow.objects.get()
    assert (follow.half, follow.ended_at) == (True, None)

    events.sandbox.act("staff_accepts", userid=userid, external_userid=made["external_userid"])
    events.handle_new()

    follow.refresh_from_db()
    assert (follow.half, follow.ended_at) == (False, None)
    assert kinds(follow.customer) == ["follow_half_added", "follow_added"]
    assert Customer.objects.get().name == "韩梅梅"


def test_a_customer_who_deletes_the_member_is_told_apart_from_a_member_who_deletes_the_customer(events):
    userid = staff_of(events)
    leaver, dropped = (events.sandbox.act("customer_adds", userid=userid, name=name) for name in ("离开", "删除"))
    events.handle_new()

    events.sandbox.act("customer_deletes_staff", userid=userid, external_userid=leaver["external_userid"])
    events.sandbox.act("staff_deletes_customer", userid=userid, external_userid=dropped["external_userid"])
    events.handle_new()

    left = Follow.objects.get(customer__external_userid=leaver["external_userid"])
    gone = Follow.objects.get(customer__external_userid=dropped["external_userid"])
    assert left.deleted_by_customer_at and not left.deleted_by_staff_at
    assert (left.ended_by, left.ended_at) == ("customer", left.deleted_by_customer_at)
    assert gone.deleted_by_staff_at and not gone.deleted_by_customer_at
    assert (gone.ended_by, gone.ended_at) == ("staff", gone.deleted_by_staff_at)
    assert {left.customer.active_follows, gone.customer.active_follows} == {0}
    assert left.customer.lost_at == left.ended_at
    assert kinds(gone.customer) == ["follow_added", "deleted_by_staff"]


def test_both_sides_may_delete_each_other_and_the_first_one_ended_it(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    pair = {"UserID": userid, "ExternalUserID": made["external_userid"], "Event": "change_external_contact"}
    (added,) = events.handle_new()
    second = int(added.at.timestamp())
    events.sandbox.act("customer_deletes_staff", userid=userid, external_userid=made["external_userid"])
    events.sandbox.act("staff_deletes_customer", userid=userid, external_userid=made["external_userid"])

    handle([payload(**pair, ChangeType="del_external_contact", at=second + 20)])
    handle([payload(**pair, ChangeType="del_follow_user", at=second + 10)])

    follow = Follow.objects.get()
    assert follow.deleted_by_staff_at and follow.deleted_by_customer_at
    assert (follow.ended_by, follow.ended_at) == ("customer", follow.deleted_by_customer_at)
    assert kinds(follow.customer) == ["follow_added", "deleted_by_customer", "deleted_by_staff"]


def test_who_adds_again_is_a_friend_again_and_the_past_stays_on_the_timeline(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    events.sandbox.act("customer_deletes_staff", userid=userid, external_userid=made["external_userid"])
    events.handle_new()
    follow = Follow.objects.get()
    assert follow.ended_by == "customer"

    events.sandbox.act("customer_adds", userid=userid, external_userid=made["external_userid"])
    events.handle_new()

    follow.refresh_from_db()
    assert (follow.ended_at, follow.ended_by, follow.deleted_by_customer_at) == (None, "", None)
    assert Customer.objects.get().lost_at is None
    assert "deleted_by_customer" in kinds(follow.customer)


def test_a_handed_over_friendship_is_no_deletion(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    events.handle_new()

    events.sandbox.act("staff_deletes_customer", userid=userid, external_userid=made["external_userid"], transfer=True)
    events.handle_new()

    follow = Follow.objects.get()
    assert (follow.ended_by, follow.deleted_by_staff_at) == ("transfer", None)
    assert kinds(follow.customer) == ["follow_added", "transferred"]


def test_an_edit_brings_remark_tags_and_sealed_phones(events):
    userid, tag = staff_of(events), events.sandbox.tags()[0]
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    events.handle_new()

    events.sandbox.act(
        "staff_edits",
        userid=userid,
        external_userid=made["external_userid"],
        remark="门店七的韩",
        description="问过会员卡",
        remark_mobiles=["13900000000"],
        add_tags=[tag],
    )
    events.handle_new()

    follow = Follow.objects.get()
    assert (follow.remark, follow.description) == ("门店七的韩", "问过会员卡")
    assert [link.tag.wecom_id for link in follow.tag_links.all()] == [tag]
    assert follow.tag_links.get().tag.name
    assert follow.mobiles_sealed and b"139" not in bytes(follow.mobiles_sealed)
    assert "门店七的韩" in Customer.objects.get().search_text
    assert set(kinds(follow.customer)) == {"follow_added", "remark_changed", "tags_changed"}


def test_the_refused_handover_and_the_consent_to_the_archive_are_on_the_timeline(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    events.sandbox.act("transfer_fails", userid=userid, external_userid=made["external_userid"])
    events.handle_new()
    pair = {"UserID": userid, "ExternalUserID": made["external_userid"], "Event": "change_external_contact"}
    handle([payload(**pair, ChangeType="msg_audit_approved", WelcomeCode="z9y8")])

    customer = Customer.objects.get()
    assert set(kinds(customer)) == {"follow_added", "transfer_failed", "archive_agreed"}
    assert customer.timeline.get(kind="transfer_failed").payload["reason"]
    assert customer.active_follows == 1


def test_an_event_nobody_knows_yet_is_a_hint_to_read_again(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    pair = {"UserID": userid, "ExternalUserID": made["external_userid"], "Event": "change_external_contact"}

    handle([payload(**pair, ChangeType="linkable_members_changed")])

    assert Customer.objects.get().name == "韩梅梅"


def test_a_hint_about_a_friendship_that_nobody_knows_leaves_no_trace(events):
    pair = {"UserID": staff_of(events), "ExternalUserID": "wmNobody0001", "Event": "change_external_contact"}

    handle([payload(**pair, ChangeType="edit_external_contact")])

    assert (Customer.objects.count(), Follow.objects.count()) == (0, 0)


def test_a_batch_reads_each_customer_once(events):
    userid = staff_of(events)
    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    for number in range(5):
        events.sandbox.act(
            "staff_edits", userid=userid, external_userid=made["external_userid"], remark=f"备注{number}"
        )

    assert len(events.handle_new()) == 6

    assert len(events.sandbox.calls("externalcontact/get")) == 1
    assert Follow.objects.get().remark == "备注4"


def test_others_hear_of_a_batch_once(events):
    heard: list[tuple[str, list[int]]] = []

    def began(follow_ids, **_):
        heard.append(("began", follow_ids))

    def ended(follow_ids, **_):
        heard.append(("ended", follow_ids))

    signals.follow_added.connect(began)
    signals.follow_ended.connect(ended)
    userid = staff_of(events)

    made = events.sandbox.act("customer_adds", userid=userid, name="韩梅梅")
    told = events.handle_new()
    handle(told)
    events.sandbox.act("customer_deletes_staff", userid=userid, external_userid=made["external_userid"])
    events.handle_new()

    follow = Follow.objects.get()
    assert heard == [("began", [follow.pk]), ("ended", [follow.pk])]
