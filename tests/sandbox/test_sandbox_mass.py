"""Mass messages: a task for each member, confirmed in his own way, and what each customer got (wecom-api.md 5.7)."""

import time

import pytest

ADD, LIST = "externalcontact/add_msg_template", "externalcontact/get_groupmsg_list_v2"
TASK, RESULT = "externalcontact/get_groupmsg_task", "externalcontact/get_groupmsg_send_result"
REMIND, CANCEL = "externalcontact/remind_groupmsg_send", "externalcontact/cancel_groupmsg_send"
TEXT = {"content": "周六店庆，全场九折"}


@pytest.fixture
def corp(corp):
    """Nothing is dispatched slowly, and members wait for the test to press send."""
    corp.change(limits={"mass_dispatch_seconds": 0})
    corp.act("mass_habit", kind="by_hand")
    return corp


def customers_of(corp, userid):
    return corp.get("externalcontact/list", userid=userid)["external_userid"]


def send(corp, **fields):
    made = corp.post(ADD, **({"chat_type": "single", "text": TEXT} | fields))
    assert made["errcode"] == 0, made
    return made["msgid"]


def results(corp, msgid, userid):
    answer = corp.post(RESULT, msgid=msgid, userid=userid)
    assert answer["errcode"] == 0, answer
    return {row.get("external_userid") or row["chat_id"]: row["status"] for row in answer["send_list"]}


def statuses(corp, msgid):
    return {row["userid"]: row["status"] for row in corp.post(TASK, msgid=msgid)["task_list"]}


def test_a_member_confirms_and_the_customers_have_it(corp):
    userid = corp.sellers[0]
    to = customers_of(corp, userid)[:3]
    msgid = send(corp, sender=userid, external_userid=to)
    assert statuses(corp, msgid) == {userid: 0}
    assert results(corp, msgid, userid) == dict.fromkeys(to, 0)
    assert corp.said(userid, to[0]) == []
    told = corp.act("staff_confirms", userid=userid, msgid=msgid)
    assert (told["sent"], told["asked"]) == (3, 3)
    (task,) = corp.post(TASK, msgid=msgid)["task_list"]
    assert task["status"] == 2
    assert abs(task["send_time"] - time.time()) < 10
    assert results(corp, msgid, userid) == dict.fromkeys(to, 1)
    got = corp.look("received")
    assert (got["received"][to[0]], got["total"], got["twice"]) == ({TEXT["content"]: 1}, 3, [])
    (message,) = corp.said(userid, to[0])
    assert (message["via"], message["payload"]) == ("mass", TEXT)
    refused = corp.sandbox.post("/_sandbox/acts", corp_id=corp.id, act="staff_confirms", userid=userid, msgid=msgid)
    assert "已发送" in refused["error"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 41048),
        ({"external_userid": ["wmNobody"]}, 41048),
        ({"external_userid": ["wm"] * 10_001}, 40058),
        ({"chat_type": "room"}, 40058),
        ({"chat_type": "group"}, 40063),
        ({"sender": "nobody"}, 60111),
        ({"text": None}, 40063),
        ({"text": {"content": "长" * 1334}}, 45002),
        ({"tag_filter": {"group_list": []}}, 40058),
        ({"tag_filter": {"group_list": [{"tag_list": ["etNone"]}]}}, 40068),
        ({"attachments": [{"msgtype": "link", "link": {"title": "无", "url": ""}}]}, 40063),
        ({"attachments": [{"msgtype": "voice", "voice": {"media_id": "x"}}]}, 41065),
        ({"attachments": [{"msgtype": "file", "file": {"media_id": "x"}}]}, 40007),
        ({"attachments": [{"msgtype": "link", "link": {"title": "一", "url": "https://a.cn"}}] * 10}, 41064),
    ],
)
def test_wrong_messages_get_their_code(corp, fields, code):
    answer = corp.post(ADD, **({"chat_type": "single", "text": TEXT} | fields))
    assert answer["errcode"] == code, answer


def test_who_cannot_get_it_is_named(corp):
    userid, other = corp.sellers[:2]
    mine = customers_of(corp, userid)[0]
    foreign = next(one for one in customers_of(corp, other) if one not in customers_of(corp, userid))
    answer = corp.post(ADD, text=TEXT, sender=userid, external_userid=[mine, foreign, "wmNobody"])
    assert sorted(answer["fail_list"]) == sorted([foreign, "wmNobody"])
    assert results(corp, answer["msgid"], userid) == {mine: 0}


def test_without_a_sender_it_goes_to_the_member_who_talked_last(corp):
    first, second = corp.sellers[:2]
    added = corp.act("customer_adds", userid=first, name="阿宁")["external_userid"]
    corp.act("customer_adds", userid=second, external_userid=added)
    corp.act("customer_says", userid=first, external_userid=added, text="在吗")
    assert statuses(corp, send(corp, external_userid=[added])) == {first: 0}


def test_tags_choose_one_of_each_list(corp):
    groups = corp.post("externalcontact/get_corp_tag_list")["tag_group"]
    first, second = groups[0]["tag"][0]["id"], groups[1]["tag"][0]["id"]
    userid = corp.sellers[0]
    both, one = (corp.act("customer_adds", userid=userid)["external_userid"] for _ in range(2))
    for external_userid, tags in ((both, [first, second]), (one, [first])):
        corp.post("externalcontact/mark_tag", userid=userid, external_userid=external_userid, add_tag=tags)
    filters = {"group_list": [{"tag_list": [first, groups[0]["tag"][1]["id"]]}, {"tag_list": [second]}]}
    to = set(results(corp, send(corp, sender=userid, tag_filter=filters), userid))
    assert both in to
    assert one not in to


def test_a_customer_gone_in_between_is_no_friend_any_more(corp):
    userid = corp.sellers[0]
    stays, leaves = customers_of(corp, userid)[:2]
    msgid = send(corp, sender=userid, external_userid=[stays, leaves])
    corp.act("customer_deletes_staff", userid=userid, external_userid=leaves)
    corp.act("staff_confirms", userid=userid)
    assert results(corp, msgid, userid) == {stays: 1, leaves: 2}


def test_a_customer_gets_no_more_than_the_corp_allows(corp):
    corp.change(limits={"mass_rule": "day"})
    userid = corp.sellers[0]
    to = customers_of(corp, userid)[:2]
    waiting = send(corp, sender=userid, external_userid=to)
    corp.act("staff_mass_sends", userid=userid, to=to[:1], text="我自己发的")
    corp.act("staff_confirms", userid=userid, msgid=waiting)
    assert results(corp, waiting, userid) == {to[0]: 3, to[1]: 1}
    assert corp.post(ADD, text=TEXT, external_userid=to)["errcode"] == 41048
    corp.act("time_passes", seconds=86_400)
    assert corp.post(ADD, text=TEXT, external_userid=to)["fail_list"] == []
    corp.change(limits={"mass_rule": "month"})
    assert corp.post(ADD, text=TEXT, external_userid=to)["fail_list"] == []


def test_each_member_has_his_habit(corp):
    quick, slow, shy, deaf = corp.sellers[:4]
    corp.act("mass_habit", userid=quick, kind="at_once")
    corp.act("mass_habit", userid=slow, kind="after", seconds=60)
    corp.act("mass_habit", userid=shy, kind="reminded")
    corp.act("mass_habit", userid=deaf, kind="decline")
    msgids = {userid: send(corp, sender=userid) for userid in corp.sellers[:4]}
    time.sleep(0.1)
    assert [statuses(corp, msgids[userid])[userid] for userid in (quick, slow, shy, deaf)] == [2, 0, 0, 0]
    corp.act("time_passes", seconds=61)
    assert statuses(corp, msgids[slow]) == {slow: 2}
    assert corp.post(REMIND, msgid=msgids[shy])["errcode"] == 0
    assert corp.post(REMIND, msgid=msgids[deaf])["errcode"] == 0
    time.sleep(0.1)
    assert statuses(corp, msgids[shy]) == {shy: 2}
    assert statuses(corp, msgids[deaf]) == {deaf: 0}
    assert corp.look("mass", userid=deaf)["messages"][0]["tasks"][0]["declined"]


def test_a_member_may_deselect_only_where_it_is_allowed(corp):
    userid = corp.sellers[0]
    to = customers_of(corp, userid)[:4]
    corp.act("mass_habit", userid=userid, kind="partly", share=0.5)
    free = send(corp, sender=userid, external_userid=to, allow_select=True)
    bound = send(corp, sender=userid, external_userid=to)
    time.sleep(0.1)
    assert sorted(results(corp, free, userid).values()) == [0, 0, 1, 1]
    assert list(results(corp, bound, userid).values()) == [1, 1, 1, 1]
    assert statuses(corp, free) == {userid: 2}


def test_reminders_and_stopping_have_their_limits(corp):
    userid = corp.sellers[0]
    msgid = send(corp, sender=userid)
    assert [corp.post(REMIND, msgid=msgid)["errcode"] for _ in range(4)] == [0, 0, 0, 41094]
    corp.act("time_passes", seconds=86_400)
    assert corp.post(REMIND, msgid=msgid)["errcode"] == 0
    assert corp.post(CANCEL, msgid=msgid)["errcode"] == 0
    assert corp.post(CANCEL, msgid=msgid)["errcode"] == 41093
    assert corp.post(REMIND, msgid=msgid)["errcode"] == 41093
    refused = corp.sandbox.post("/_sandbox/acts", corp_id=corp.id, act="staff_confirms", userid=userid, msgid=msgid)
    assert "停止" in refused["error"]
    assert set(results(corp, msgid, userid).values()) == {0}
    assert corp.post(CANCEL)["errcode"] == 41046
    assert corp.post(CANCEL, msgid="msgNone")["errcode"] == 41047


def test_while_it_is_dispatched_nothing_can_be_read(corp):
    corp.change(limits={"mass_dispatch_seconds": 60})
    corp.act("mass_habit", kind="at_once")
    msgid = send(corp, sender=corp.sellers[0])
    assert corp.post(TASK, msgid=msgid)["errcode"] == 41063
    assert corp.post(RESULT, msgid=msgid, userid=corp.sellers[0])["errcode"] == 41063
    corp.act("time_passes", seconds=61)
    assert statuses(corp, msgid) == {corp.sellers[0]: 2}


def test_groups_get_it_from_their_owner(corp):
    groups = corp.look("groups")["groups"]
    owner, chat = groups[0]["owner"], groups[0]["chat_id"]
    foreign = next(group["chat_id"] for group in groups if group["owner"] != owner)
    answer = corp.post(ADD, chat_type="group", sender=owner, chat_id_list=[chat, foreign], text=TEXT)
    assert answer["fail_list"] == [foreign]
    assert results(corp, answer["msgid"], owner) == {}
    corp.act("staff_confirms", userid=owner)
    assert results(corp, answer["msgid"], owner) == {chat: 1}
    assert corp.look("messages", chat_id=chat)["messages"][0]["payload"] == TEXT


def test_records_are_listed_the_latest_first_within_a_month(corp):
    now = int(time.time())
    msgids = [send(corp, sender=corp.sellers[0]) for _ in range(3)]
    personal = corp.act("staff_mass_sends", userid=corp.sellers[0], to=[], text="嗨")["msgid"]
    span = {"chat_type": "single", "start_time": now - 86_400, "end_time": now + 60}
    first = corp.post(LIST, **span, limit=2, filter_type=0)
    rest = corp.post(LIST, **span, limit=2, filter_type=0, cursor=first["next_cursor"])
    listed = first["group_msg_list"] + rest["group_msg_list"]
    assert [row["msgid"] for row in listed] == msgids[::-1]
    assert rest["next_cursor"] == ""
    assert (listed[0]["create_type"], listed[0]["text"], "creator" in listed[0]) == (0, TEXT, False)
    (own,) = corp.post(LIST, **span, filter_type=1)["group_msg_list"]
    assert (own["msgid"], own["creator"]) == (personal, corp.sellers[0])
    assert corp.post(LIST, **span | {"start_time": now - 40 * 86_400})["errcode"] == 40058
    assert corp.post(LIST, **span | {"chat_type": "group"})["group_msg_list"] == []
