"""Callbacks: sealed as WeCom seals them, and sent again when they fail (wecom-api.md 1, 2)."""

import pytest

from sandbox.crypto import BadSeal, Seal
from tests.sandbox.lab import AES_KEY, TOKEN


def settle(corp, timeout=10):
    return corp.sandbox.post("/_sandbox/wait", corp_id=corp.id, timeout=timeout)["counts"]


def test_the_checked_vector():
    seal = Seal(TOKEN, AES_KEY, "wx5823bf96d3bd56c7")
    echo = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
    assert seal.sign("1409659589", "263014780", echo) == "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
    assert seal.decrypt(echo) == b"1616140317555161061"
    assert seal.decrypt(seal.encrypt("你好".encode())) == "你好".encode()
    with pytest.raises(BadSeal):
        Seal(TOKEN, AES_KEY, "ww0").decrypt(echo)


def test_saving_an_address_checks_it_first(corp, receiver):
    answer = corp.listen(receiver)
    assert answer["saved"]
    assert answer["verification"]["ok"]
    dead = corp.sandbox.post(
        f"/_sandbox/corps/{corp.id}/callback", url="http://127.0.0.1:9/", token=TOKEN, aes_key=AES_KEY
    )
    assert not dead["saved"]
    assert dead["verification"]["problem"]
    short = corp.sandbox.post(f"/_sandbox/corps/{corp.id}/callback", url=receiver.url, token=TOKEN, aes_key="short")
    assert "43" in short["error"]
    by_name = receiver.url.replace("127.0.0.1", "shop.localhost")  # as the product shows it, on any machine
    named = corp.sandbox.post(f"/_sandbox/corps/{corp.id}/callback", url=by_name, token=TOKEN, aes_key=AES_KEY)
    assert named["saved"]


def test_a_customer_comes_with_state_and_code(corp, receiver):
    corp.listen(receiver)
    userid = corp.sellers[0]
    added = corp.act("customer_adds", userid=userid, state="q1_store07", half=True)
    assert corp.get("externalcontact/get", external_userid=added["external_userid"])["errcode"] == 84061
    corp.act("staff_accepts", userid=userid, external_userid=added["external_userid"])
    settle(corp)
    fields = sorted(receiver.fields(), key=lambda event: event["ChangeType"], reverse=True)
    assert [event["ChangeType"] for event in fields] == ["add_half_external_contact", "add_external_contact"]
    for event in fields:
        assert event["ToUserName"] == corp.id
        assert (event["UserID"], event["ExternalUserID"], event["State"]) == (
            userid,
            added["external_userid"],
            "q1_store07",
        )
    assert fields[0]["WelcomeCode"] == added["welcome_code"]
    assert receiver.receive_ids == {corp.id}


def test_an_apps_own_writes_do_not_come_back_to_it(corp, receiver):
    corp.listen(receiver)
    userid, external_userid = corp.pair()
    assert (
        corp.post("externalcontact/remark", userid=userid, external_userid=external_userid, remark="改")["errcode"] == 0
    )
    settle(corp)
    assert receiver.events == []
    corp.act("staff_edits", userid=userid, external_userid=external_userid, remark="手机上改")
    corp.act("staff_edits", userid=userid, external_userid=external_userid, remark_mobiles=["13900000000"])
    settle(corp)
    assert [event["ChangeType"] for event in receiver.fields()] == ["edit_external_contact"]


def test_a_slow_or_broken_receiver_hears_it_four_times_in_all(corp, receiver):
    corp.listen(receiver)
    corp.change(delivery={"timeout": 0.3, "resend_wait": 0.05})
    receiver.script = [0.6, 500, 503]
    corp.act("customer_adds", userid=corp.sellers[0])
    counts = settle(corp)
    assert (counts["sends"], counts["delivered"], counts["resends"]) == (4, 1, 3)
    log = corp.sandbox.get("/_sandbox/deliveries", corp_id=corp.id)["deliveries"][-1]
    assert [attempt["status"] for attempt in log["attempts"]] == [0, 500, 503, 200]
    receiver.script = [500] * 9
    corp.act("customer_adds", userid=corp.sellers[0])
    assert settle(corp)["failed"] == 1
    assert len(receiver.hits) == 8


def test_events_can_be_lost_doubled_and_shuffled_on_purpose(corp, receiver):
    corp.listen(receiver)
    corp.change(delivery={"drop": 1.0})
    corp.act("customer_adds", userid=corp.sellers[0])
    assert settle(corp)["dropped"] == 1
    corp.change(delivery={"drop": 0.0, "duplicate": 3})
    corp.act("customer_adds", userid=corp.sellers[0])
    settle(corp)
    assert len(receiver.events) == 3
    assert len({event["ExternalUserID"] for event in receiver.fields()}) == 1
    corp.change(delivery={"duplicate": 1, "shuffle": 40, "concurrency": 1})
    receiver.events.clear()
    added = [corp.act("customer_adds", userid=corp.sellers[0])["external_userid"] for _ in range(40)]
    settle(corp)
    came = [event["ExternalUserID"] for event in receiver.fields()]
    assert sorted(came) == sorted(added)
    assert came != added


def test_groups_tags_members_and_departments_tell_what_changed(corp, receiver):
    corp.listen(receiver)
    corp.change(delivery={"concurrency": 1}, limits={"group_delay": 0})
    chat = corp.act("group_create", owner=corp.sellers[0], name="新群", members=[corp.sellers[1]])["chat_id"]
    corp.act("group_join", chat_id=chat, name="路人")
    corp.act("group_kick", chat_id=chat, members=[corp.sellers[1]])
    group = corp.act("tag_group_create", name="新标签组", tags=["一", "二"])
    corp.act("tag_delete", tag_id=group["tags"][0])
    corp.act("tag_delete", tag_id=group["tags"][1])
    corp.act("staff_joins", userid="sunli", name="孙莉", departments=[2])
    corp.act("staff_updates", userid="sunli", new_userid="sunli2")
    corp.act("staff_tag_members", tag_id=2, add_users=["sunli2"], remove_parties=[7])
    corp.act("staff_leaves", userid="sunli2")
    corp.act("department_create", name="新部门")
    settle(corp)
    fields = receiver.fields()
    assert [(event["Event"], event["ChangeType"]) for event in fields] == [
        ("change_external_chat", "create"),
        ("change_external_chat", "update"),
        ("change_external_chat", "update"),
        *[("change_external_tag", "create")] * 3,
        *[("change_external_tag", "delete")] * 3,
        ("change_contact", "create_user"),
        ("change_contact", "update_user"),
        ("change_contact", "update_tag"),
        ("change_contact", "delete_user"),
        ("change_contact", "create_party"),
    ]
    join, leave = fields[1], fields[2]
    assert (join["UpdateDetail"], join["JoinScene"], join["MemChangeCnt"]) == ("add_member", "3", "1")
    assert (leave["UpdateDetail"], leave["QuitScene"]) == ("del_member", "1")
    assert leave["LastMemVer"] == join["CurMemVer"]
    assert fields[10]["NewUserID"] == "sunli2"
    told = {name: fields[11].get(name) for name in ("TagId", "AddUserItems", "DelUserItems", "DelPartyItems")}
    assert told == {"TagId": "2", "AddUserItems": "sunli2", "DelUserItems": None, "DelPartyItems": "7"}


def test_a_burst_is_counted_and_delivered(corp, receiver):
    corp.listen(receiver)
    mix = {"customer_adds": 2, "staff_edits": 2, "customer_deletes_staff": 1, "group_join": 1, "tag_create": 1}
    answer = corp.sandbox.post("/_sandbox/acts/burst", corp_id=corp.id, count=150, mix=mix, seed=1)
    assert sum(answer["acts"].values()) == 150
    assert settle(corp, 30)["delivered"] == answer["events"] == len(receiver.events)
