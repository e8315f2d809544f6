"""Customers, tags and groups read and written with WeCom's limits (wecom-api.md 5)."""

import time

import pytest

from tests.sandbox.lab import Corp

BATCH = "externalcontact/batch/get_by_user"


def read_all(corp, limit=100):
    rows, cursor, pages = [], "", []
    while True:
        answer = corp.post(BATCH, userid_list=corp.sellers, cursor=cursor, limit=limit)
        assert answer["errcode"] == 0, answer
        pages.append(len(answer["external_contact_list"]))
        rows += answer["external_contact_list"]
        cursor = answer["next_cursor"]
        if not cursor:
            return rows, pages


def test_every_pair_comes_once_though_pages_are_short(corp):
    rows, pages = read_all(corp, limit=5)
    pairs = {(row["follow_info"]["userid"], row["external_contact"]["external_userid"]) for row in rows}
    assert len(pairs) == len(rows) == corp.view["counts"]["follows"]
    assert any(size < 5 for size in pages[:-1])
    assert all("tags" not in row["follow_info"] for row in rows)


def test_cursors_are_opaque_and_go_stale(corp):
    cursor = corp.post(BATCH, userid_list=corp.sellers, limit=5)["next_cursor"]
    assert corp.post(BATCH, userid_list=corp.sellers[:1], limit=5, cursor=cursor)["errcode"] == 50100
    assert corp.post(BATCH, userid_list=corp.sellers, limit=5, cursor="made up")["errcode"] == 50100
    corp.sandbox.post(f"/_sandbox/corps/{corp.id}/stale_cursors")
    assert corp.post(BATCH, userid_list=corp.sellers, limit=5, cursor=cursor)["errcode"] == 50100


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"userid_list": []}, 40063),
        ({"userid_list": ["a"] * 101}, 40058),
        ({"userid_list": ["nobody"]}, 60111),
        ({"userid_list": ["x" * 65]}, 40003),
        ({"limit": 101}, 40058),
        ({"limit": 0}, 40058),
    ],
)
def test_a_wrong_question_gets_its_code(corp, body, code):
    assert corp.post(BATCH, **({"userid_list": corp.sellers} | body))["errcode"] == code


def test_members_without_the_right_are_told(corp):
    everyone = {member["userid"] for member in corp.sandbox.get(f"/_sandbox/corps/{corp.id}/staff")["staff"]}
    other = (everyone - set(corp.sellers)).pop()
    assert corp.get("externalcontact/list", userid=other)["errcode"] == 84074
    assert corp.get("externalcontact/list", userid=other.upper())["errcode"] == 84074


def test_more_than_500_followers_come_in_pages(sandbox):
    corp = Corp(sandbox, staff=620, customers=1, groups=0)
    customer = corp.act("customer_adds", userid=corp.sellers[0])["external_userid"]
    for userid in corp.sellers[1:505]:
        corp.act("customer_adds", userid=userid, external_userid=customer)
    first = corp.get("externalcontact/get", external_userid=customer)
    assert len(first["follow_user"]) == 500
    rest = corp.get("externalcontact/get", external_userid=customer, cursor=first["next_cursor"])
    assert len(rest["follow_user"]) == 5
    assert not rest.get("next_cursor")


def test_deletions_in_both_directions_differ(corp):
    userid, external_userid = corp.pair()
    corp.act("customer_deletes_staff", userid=userid, external_userid=external_userid)
    assert (
        corp.post("externalcontact/remark", userid=userid, external_userid=external_userid, remark="仍可用")["errcode"]
        == 0
    )
    added = corp.act("customer_adds", userid=userid)["external_userid"]
    corp.act("staff_deletes_customer", userid=userid, external_userid=added)
    assert corp.post("externalcontact/remark", userid=userid, external_userid=added, remark="x")["errcode"] == 84061
    assert corp.get("externalcontact/get", external_userid=added)["errcode"] == 84061
    assert corp.get("externalcontact/get", external_userid="wmNobody")["errcode"] == 40096


def test_remarks_keep_wecoms_lengths(corp):
    userid, external_userid = corp.pair()

    def remark(**fields):
        return corp.post("externalcontact/remark", userid=userid, external_userid=external_userid, **fields)["errcode"]

    assert remark() == 40063
    assert remark(remark="备" * 21) == 40058
    assert remark(description="描" * 151) == 40058
    assert remark(remark="备" * 20, description="描" * 150, remark_mobiles=["13900000000"]) == 0
    assert remark(remark_mobiles=[""]) == 0
    follow = corp.get("externalcontact/get", external_userid=external_userid)["follow_user"]
    assert next(row for row in follow if row["userid"] == userid)["remark_mobiles"] == []


def test_tags_are_merged_owned_and_counted(corp):
    made = corp.post(
        "externalcontact/add_corp_tag", group_name="门店", tag=[{"name": "甲"}, {"name": "甲"}, {"name": "乙"}]
    )
    group = made["tag_group"]
    assert [tag["name"] for tag in group["tag"]] == ["甲", "乙"]
    again = corp.post("externalcontact/add_corp_tag", group_name="门店", tag=[{"name": "甲"}, {"name": "丙"}])[
        "tag_group"
    ]
    assert again["group_id"] == group["group_id"]
    first, second = (tag["id"] for tag in group["tag"])
    assert corp.post("externalcontact/edit_corp_tag", id=first, name="乙")["errcode"] == 40071
    assert corp.post("externalcontact/edit_corp_tag", id="etNone", name="丁")["errcode"] == 40068
    assert corp.post("externalcontact/add_corp_tag", group_name="新", tag=[])["errcode"] == 40063
    assert corp.post("externalcontact/add_corp_tag", group_name="新", tag=[{"name": "长" * 31}])["errcode"] == 40058
    foreign = next(
        g for g in corp.post("externalcontact/get_corp_tag_list")["tag_group"] if g["group_name"] == "客户等级"
    )
    assert corp.post("externalcontact/edit_corp_tag", id=foreign["tag"][0]["id"], name="改")["errcode"] == 81011
    contact = corp.gettoken(corp.view["contact_secret"])["access_token"]
    assert (
        corp.post("externalcontact/edit_corp_tag", token=contact, id=foreign["tag"][0]["id"], name="改")["errcode"] == 0
    )
    corp.change(limits={"max_tags": 31})
    assert corp.post("externalcontact/add_corp_tag", group_name="门店", tag=[{"name": "满"}])["errcode"] == 40126
    assert (
        corp.post("externalcontact/del_corp_tag", tag_id=[tag["id"] for tag in group["tag"] + again["tag"]])["errcode"]
        == 0
    )
    names = [g["group_name"] for g in corp.post("externalcontact/get_corp_tag_list")["tag_group"]]
    assert "门店" not in names
    gone = corp.post("externalcontact/get_corp_tag_list", tag_id=[first])["tag_group"]
    assert gone[0]["deleted"] is True
    assert second


def test_marking_a_tag_shows_in_both_reads(corp):
    userid, external_userid = corp.pair()
    tag = corp.post("externalcontact/get_corp_tag_list")["tag_group"][1]["tag"][0]

    def mark(**fields):
        return corp.post("externalcontact/mark_tag", userid=userid, external_userid=external_userid, **fields)[
            "errcode"
        ]

    assert mark() == 40063
    assert mark(add_tag=["etNone"]) == 40068
    assert mark(add_tag=[tag["id"]]) == 0
    follow = corp.get("externalcontact/get", external_userid=external_userid)["follow_user"]
    shown = next(row for row in follow if row["userid"] == userid)["tags"]
    assert {"group_name": "来源渠道", "tag_name": tag["name"], "tag_id": tag["id"], "type": 1} in shown
    assert mark(remove_tag=[tag["id"]]) == 0
    rows, _ = read_all(corp)
    row = next(
        r
        for r in rows
        if (r["follow_info"]["userid"], r["external_contact"]["external_userid"]) == (userid, external_userid)
    )
    assert tag["id"] not in row["follow_info"]["tag_id"]


def test_a_welcome_goes_out_once_within_its_window(corp):
    send = "externalcontact/send_welcome_msg"
    userid = corp.sellers[0]
    added = corp.act("customer_adds", userid=userid, name="阿宁", state="q1")
    code = added["welcome_code"]
    assert corp.post(send, welcome_code=code)["errcode"] == 40063
    assert corp.post(send, welcome_code=code, text={"content": "欢" * 1334})["errcode"] == 45002
    assert corp.post(send, welcome_code=code, text={"content": "欢迎"})["errcode"] == 0
    assert corp.post(send, welcome_code=code, text={"content": "欢迎"})["errcode"] == 41050
    contact = corp.gettoken(corp.view["contact_secret"])["access_token"]
    assert corp.post(send, token=contact, welcome_code=code, text={"content": "欢迎"})["errcode"] == 41096
    chat = corp.sandbox.get(f"/_sandbox/corps/{corp.id}/chat", userid=userid, external_userid=added["external_userid"])
    assert [line["text"] for line in chat["lines"] if line["sender"] == "welcome"] == ["欢迎"]
    talking = corp.act("customer_adds", userid=userid)
    corp.act("customer_says", userid=userid, external_userid=talking["external_userid"], text="在吗")
    assert corp.post(send, welcome_code=talking["welcome_code"], text={"content": "迟"})["errcode"] == 41051
    corp.change(limits={"welcome_seconds": 0.05})
    late = corp.act("customer_adds", userid=userid)["welcome_code"]
    time.sleep(0.1)
    assert corp.post(send, welcome_code=late, text={"content": "迟"})["errcode"] == 41050
    effects = corp.sandbox.get("/_sandbox/effects", corp_id=corp.id)
    assert effects["counts"]["welcome"] == 1


def test_groups_settle_after_their_event(corp):
    corp.change(limits={"group_delay": 60})
    listed = corp.post("externalcontact/groupchat/list", limit=1000)["group_chat_list"]
    assert len(listed) == 4
    assert corp.post("externalcontact/groupchat/list")["errcode"] == 40058
    assert corp.post("externalcontact/groupchat/list", limit=1001)["errcode"] == 40058
    chat_id = listed[0]["chat_id"]

    def members():
        group = corp.post("externalcontact/groupchat/get", chat_id=chat_id, need_name=1)["group_chat"]
        return {member["userid"] for member in group["member_list"]}, group["member_version"]

    before = members()
    joined = corp.act("group_join", chat_id=chat_id, name="新群友")["changed"][0]
    assert members() == before
    corp.act("time_passes", seconds=61)
    after = members()
    assert after[0] == before[0] | {joined}
    assert after[1] != before[1]
    second = corp.act("group_join", chat_id=chat_id, name="又一位")["changed"][0]
    corp.act("time_passes", seconds=40)
    third = corp.act("group_join", chat_id=chat_id, name="第三位")["changed"][0]
    corp.act("time_passes", seconds=30)  # each change shows in its turn, however many follow
    assert members()[0] == after[0] | {second}
    corp.act("time_passes", seconds=40)
    assert members()[0] == after[0] | {second, third}
    corp.act("group_dismiss", chat_id=chat_id)
    corp.act("time_passes", seconds=61)
    assert corp.post("externalcontact/groupchat/get", chat_id=chat_id)["errcode"] == 49008


def test_messages_name_invalid_receivers_in_lower_case(corp):
    def send(**fields):
        body = {"msgtype": "text", "agentid": 1000002, "text": {"content": "提醒"}} | fields
        return corp.post("message/send", **body)

    sent = send(touser=f"{corp.sellers[0].upper()}|NoBody")
    assert (sent["errcode"], sent["invaliduser"]) == (0, "nobody")
    assert send(touser="NoBody")["errcode"] == 81013
    assert send()["errcode"] == 82001
    assert send(touser="@all", agentid=5)["errcode"] == 301002
    assert send(touser="@all", text={"content": "长" * 700})["errcode"] == 45002
    for _ in range(31):
        assert send(touser=corp.sellers[1])["errcode"] == 0
    counts = corp.sandbox.get("/_sandbox/effects", corp_id=corp.id)["counts"]
    assert counts["message_dropped"] == 1
