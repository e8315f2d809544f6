"""What each call sends and what it makes of the answer, over real HTTP."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.wecom.qyapi import CORP, SECRET, raw
from wecom.client import ENDPOINTS, Kind
from wecom.errors import (
    NotAFriend,
    NotVisible,
    StaleCursor,
    TagGone,
    WeComRateLimited,
    WeComUnavailable,
    WeComUnknown,
)

OK = {"errcode": 0, "errmsg": "ok"}
FOLLOW = {
    "userid": "chenmei",
    "remark": "宁-门店7",
    "description": "咨询过会员卡",
    "createtime": 1735707661,
    "tags": [
        {"group_name": "来源", "tag_name": "门店", "tag_id": "etQx7DEAAAp0q2W4", "type": 1},
        {"group_name": "", "tag_name": "爱喝茶", "type": 2},
    ],
    "remark_mobiles": ["13900000000"],
    "oper_userid": "wmA",
    "add_way": 1,
    "state": "q1_store07",
}
CONTACT = {"external_userid": "wmA", "name": "阿宁", "avatar": "https://wx.qlogo.cn/x/0", "type": 1, "gender": 2}


def test_a_token_is_asked_for_once_and_sent_with_each_call(qyapi):
    client = qyapi.client()

    client.call("user/get", {"userid": "chenmei"})
    client.call("externalcontact/mark_tag", {"userid": "chenmei", "external_userid": "wmA", "add_tag": ["t"]})

    assert qyapi.queries["gettoken"] == {"corpid": CORP, "corpsecret": SECRET}
    assert qyapi.queries["user/get"] == {"userid": "chenmei", "access_token": "token-1"}
    assert qyapi.bodies["externalcontact/mark_tag"]["add_tag"] == ["t"]
    assert qyapi.calls["gettoken"] == 1


def test_departments_are_read(qyapi):
    department = {"id": 7, "name": "华南区", "parentid": 1, "order": 100, "department_leader": ["chenmei"]}
    qyapi.answers["department/list"] = OK | {"department": [department]}
    qyapi.answers["department/simplelist"] = OK | {"department_id": [{"id": 7, "parentid": 1, "order": 100}]}
    client = qyapi.client()

    (found,) = client.departments()

    assert (found.id, found.name, found.parent_id, found.order, found.leaders) == (7, "华南区", 1, 100, ["chenmei"])
    assert found.raw == department
    assert [(one.id, one.name, one.parent_id) for one in client.department_tree()] == [(7, "", 1)]


def test_members_are_read(qyapi):
    member = {
        "userid": "SunLi",
        "name": "孙莉",
        "department": [2, 7],
        "is_leader_in_dept": [0, 1],
        "main_department": 7,
        "status": 1,
        "gender": "2",
    }
    qyapi.answers["user/list"] = OK | {"userlist": [member]}
    qyapi.answers["user/simplelist"] = OK | {"userlist": [{"userid": "SunLi", "name": "孙莉", "department": [2]}]}
    qyapi.answers["user/get"] = OK | member
    client = qyapi.client()

    (found,) = client.members_of(7)

    assert (found.userid, found.departments, found.leader_in, found.main_department) == ("SunLi", [2, 7], [7], 7)
    assert (found.is_active, found.gender, found.mobile) == (True, 2, "")
    assert client.members_of(7, details=False)[0].status is None
    assert client.user("SunLi").name == "孙莉"
    assert qyapi.queries["user/list"]["department_id"] == "7"


def test_tags_of_contacts_are_read(qyapi):
    qyapi.answers["tag/list"] = OK | {"taglist": [{"tagid": 4, "tagname": "门店导购"}, {"tagname": "?"}, "junk"]}
    found = {"tagname": "门店导购", "userlist": [{"userid": "SunLi", "name": "孙莉"}], "partylist": [2]}
    qyapi.answers["tag/get"] = lambda query, _: (
        OK | found if query["tagid"] == "4" else {"errcode": 40068, "errmsg": "invalid tagid"}
    )
    client = qyapi.client()

    assert [(tag.id, tag.name, tag.userids) for tag in client.staff_tags()] == [(4, "门店导购", [])]
    tag = client.staff_tag(4)
    assert (tag.id, tag.name, tag.userids, tag.departments) == (4, "门店导购", ["SunLi"], [2])
    with pytest.raises(TagGone):
        client.staff_tag(5)


def test_a_member_out_of_sight_is_told_apart(qyapi):
    qyapi.answers["user/get"] = {"errcode": 60111, "errmsg": "userid not found, hint: [17_11], from ip: 203.0.113.7"}

    with pytest.raises(NotVisible) as caught:
        qyapi.client().user("gone")

    assert (caught.value.code, caught.value.hint, caught.value.call) == (60111, "17_11", "user/get")


def test_staff_with_customers_and_their_customers_are_listed(qyapi):
    qyapi.answers["externalcontact/get_follow_user_list"] = OK | {"follow_user": ["chenmei", "liqiang"]}
    qyapi.answers["externalcontact/list"] = lambda query, _: (
        OK | {"external_userid": ["wmA"]} if query["userid"] == "chenmei" else {"errcode": 84061, "errmsg": "none"}
    )
    client = qyapi.client()

    assert client.follow_user_list() == ["chenmei", "liqiang"]
    assert client.customer_ids("chenmei") == ["wmA"]
    assert client.customer_ids("liqiang") == []


def test_a_customer_is_read_over_all_pages(qyapi):
    qyapi.answers["externalcontact/get"] = lambda query, _: (
        OK
        | {
            "external_contact": CONTACT,
            "follow_user": [FOLLOW]
            if "cursor" not in query
            else [{"userid": "liqiang", "add_way": 999, "createtime": 0}],
            "next_cursor": "" if "cursor" in query else "c-1",
        }
    )

    found = qyapi.client().customer("wmA")

    first, second = found.follows
    assert (found.contact.name, found.contact.type, found.contact.unionid) == ("阿宁", 1, "")
    assert first.created_at == datetime.fromtimestamp(1735707661, UTC)
    assert first.tag_ids == ["etQx7DEAAAp0q2W4"]
    assert [(tag.name, tag.group, tag.type) for tag in first.tags] == [("门店", "来源", 1), ("爱喝茶", "", 2)]
    assert (second.userid, second.add_way, second.created_at) == ("liqiang", 999, None)


def test_pages_that_never_end_are_given_up(qyapi):
    qyapi.answers["externalcontact/get"] = OK | {"external_contact": CONTACT, "follow_user": [], "next_cursor": "again"}

    with pytest.raises(WeComUnavailable, match="do not end"):
        qyapi.client().customer("wmA")


def test_a_page_of_customers_is_read(qyapi):
    follow = {"userid": "chenmei", "createtime": 1735707661, "tag_id": ["et1"], "add_way": 1}
    qyapi.answers["externalcontact/batch/get_by_user"] = OK | {
        "external_contact_list": [
            {"external_contact": CONTACT, "follow_info": follow},
            {"external_contact": {}},
            "junk",
        ],
        "next_cursor": "c-0001",
        "fail_info": {"unlicensed_userid_list": ["wang"]},
    }

    page = qyapi.client().customers_of(["chenmei", "liqiang"], "c-0000")

    assert [(row.contact.external_userid, row.follow.userid, row.follow.tag_ids) for row in page.rows] == [
        ("wmA", "chenmei", ["et1"])
    ]
    assert (page.next_cursor, page.unlicensed) == ("c-0001", ["wang"])
    assert qyapi.bodies["externalcontact/batch/get_by_user"] == {
        "userid_list": ["chenmei", "liqiang"],
        "cursor": "c-0000",
        "limit": 100,
    }


def test_a_stale_cursor_is_told_apart(qyapi):
    qyapi.answers["externalcontact/batch/get_by_user"] = {"errcode": 50100, "errmsg": "invalid cursor"}

    with pytest.raises(StaleCursor):
        qyapi.client().customers_of(["chenmei"], "old")


def test_groups_are_read(qyapi):
    members = [
        {
            "userid": "chenmei",
            "type": 1,
            "join_time": 1735710000,
            "join_scene": 1,
            "group_nickname": "",
            "name": "陈梅",
        },
        {"userid": "wmB", "type": 2, "join_time": 1735710100, "join_scene": 2, "invitor": {"userid": "chenmei"}},
    ]
    group = {"chat_id": "wr1", "name": "", "owner": "chenmei", "create_time": 1735710000, "member_list": members}
    qyapi.answers["externalcontact/groupchat/list"] = OK | {"group_chat_list": [{"chat_id": "wr1", "status": 0}]}
    qyapi.answers["externalcontact/groupchat/get"] = OK | {
        "group_chat": group | {"admin_list": [{"userid": "liqiang"}], "member_version": "8f7e"}
    }
    client = qyapi.client()

    page = client.group_chats(owners=["chenmei"])
    found = client.group_chat("wr1")

    assert [(row.chat_id, row.status) for row in page.rows] == [("wr1", 0)]
    assert page.next_cursor == ""
    assert qyapi.bodies["externalcontact/groupchat/list"]["owner_filter"] == {"userid_list": ["chenmei"]}
    assert qyapi.bodies["externalcontact/groupchat/get"] == {"chat_id": "wr1", "need_name": 1}
    assert [(member.id, member.type, member.invitor) for member in found.members] == [
        ("chenmei", 1, ""),
        ("wmB", 2, "chenmei"),
    ]
    assert (found.owner, found.admins, found.member_version) == ("chenmei", ["liqiang"], "8f7e")


def test_customer_tags_are_read_and_written(qyapi):
    group = {"group_id": "etG", "group_name": "来源", "create_time": 1730000000, "order": 10}
    tag = {"id": "etT", "name": "门店", "create_time": 1730000000, "order": 2}
    qyapi.answers["externalcontact/get_corp_tag_list"] = OK | {"tag_group": [group | {"tag": [tag]}]}
    qyapi.answers["externalcontact/add_corp_tag"] = OK | {"tag_group": group | {"tag": [tag | {"id": "etNew"}]}}
    client = qyapi.client()

    (found,) = client.corp_tags(group_ids=["etG"])
    added = client.add_corp_tag(["广告"], group_id="etG")
    client.edit_corp_tag("etT", name="旗舰店")
    client.del_corp_tag(["etT"])

    assert [(item.id, item.name, item.order, item.deleted) for item in found.tags] == [("etT", "门店", 2, False)]
    assert [item.id for item in added.tags] == ["etNew"]
    assert qyapi.bodies["externalcontact/get_corp_tag_list"] == {"group_id": ["etG"]}
    assert qyapi.bodies["externalcontact/add_corp_tag"] == {"group_id": "etG", "tag": [{"name": "广告"}]}
    assert qyapi.bodies["externalcontact/edit_corp_tag"] == {"id": "etT", "name": "旗舰店"}
    assert qyapi.bodies["externalcontact/del_corp_tag"] == {"tag_id": ["etT"]}


def test_tags_and_remarks_of_a_customer_are_written(qyapi):
    client = qyapi.client()

    client.mark_tag("chenmei", "wmA", add=["et1"])
    client.remark("chenmei", "wmA", remark="宁", remark_mobiles=[""])

    pair = {"userid": "chenmei", "external_userid": "wmA"}
    assert qyapi.bodies["externalcontact/mark_tag"] == pair | {"add_tag": ["et1"], "remove_tag": []}
    assert qyapi.bodies["externalcontact/remark"] == pair | {"remark": "宁", "remark_mobiles": [""]}


def test_a_lost_friendship_is_told_apart(qyapi):
    qyapi.answers["externalcontact/mark_tag"] = {"errcode": 84061, "errmsg": "not external contact"}

    with pytest.raises(NotAFriend):
        qyapi.client().mark_tag("chenmei", "wmA", add=["et1"])


def test_a_welcome_goes_out_as_real_text(qyapi):
    qyapi.client().send_welcome("code-1", text="你好 🍵", attachments=[{"msgtype": "link"}])

    assert qyapi.bodies["externalcontact/send_welcome_msg"] == {
        "welcome_code": "code-1",
        "text": {"content": "你好 🍵"},
        "attachments": [{"msgtype": "link"}],
    }


def test_an_app_message_reports_whom_it_missed(qyapi):
    qyapi.answers["message/send"] = OK | {"invaliduser": "wang|li", "msgid": "m1"}

    sent = qyapi.client().send_message(
        1000007, ["chenmei", "Wang"], {"msgtype": "text", "text": {"content": "任务"}}, dedupe_seconds=1800
    )

    assert (sent.msgid, sent.invalid_users) == ("m1", ["wang", "li"])
    body = qyapi.bodies["message/send"]
    assert (body["touser"], body["agentid"], body["msgtype"]) == ("chenmei|Wang", 1000007, "text")
    assert (body["enable_duplicate_check"], body["duplicate_check_interval"]) == (1, 1800)


def test_the_app_and_the_addresses_of_callbacks_are_read(qyapi):
    qyapi.answers["getcallbackip"] = OK | {"ip_list": ["101.226.103.*"]}
    qyapi.answers["agent/get"] = OK | {
        "agentid": 1000007,
        "name": "SCRM",
        "close": 0,
        "allow_userinfos": {"user": [{"userid": "chenmei"}]},
        "allow_partys": {"partyid": [2]},
        "redirect_domain": "scrm.example.com",
    }
    client = qyapi.client()

    agent = client.agent(1000007)

    assert client.callback_ips() == ["101.226.103.*"]
    assert (agent.users, agent.departments, agent.tags, agent.closed) == (["chenmei"], [2], [], False)


def test_an_empty_list_that_wecom_leaves_out_is_empty(qyapi):
    qyapi.answers["externalcontact/get_corp_tag_list"] = OK

    assert qyapi.client().corp_tags() == []


@pytest.mark.parametrize("answer", [{}, {"external_userid": None}, OK | {"external_userid": "wmA"}])
def test_a_foreign_answer_never_passes_for_no_customers(qyapi, answer):
    qyapi.answers["externalcontact/list"] = answer

    with pytest.raises(WeComUnavailable, match="without external_userid"):
        qyapi.client().customer_ids("chenmei")


def test_a_created_tag_without_answer_is_looked_up_not_repeated(qyapi):
    with pytest.raises(WeComUnknown):
        qyapi.client().add_corp_tag(["广告"], group_id="etG")


def test_every_call_is_listed_with_what_a_repeat_would_do():
    assert ENDPOINTS["externalcontact/send_welcome_msg"].kind is Kind.ONE_SHOT
    assert ENDPOINTS["externalcontact/add_corp_tag"].kind is Kind.CREATE
    assert ENDPOINTS["message/send"].kind is Kind.MESSAGE
    once_or_read = (Kind.READ, Kind.ONE_SHOT)
    assert all(endpoint.method == "POST" for endpoint in ENDPOINTS.values() if endpoint.kind not in once_or_read)


def test_a_budget_is_asked_before_each_request(qyapi):
    asked = []

    qyapi.client(gate=asked.append).call("user/get", {"userid": "chenmei"})

    assert asked == ["gettoken", "user/get"]


def test_a_watcher_stands_around_each_call(qyapi):
    told = []

    @contextmanager
    def watched(api, body):
        try:
            yield
        except WeComRateLimited as error:
            told.append((api, type(error)))
            raise
        told.append((api, type(None)))

    qyapi.answers["user/get"] = {"errcode": 45009, "errmsg": "api freq out of limit"}
    client = qyapi.client(watch=watched)

    client.follow_user_list()
    with pytest.raises(WeComRateLimited):
        client.user("chenmei")

    assert told == [("externalcontact/get_follow_user_list", type(None)), ("user/get", WeComRateLimited)]


def test_names_that_no_database_takes_are_cleaned(qyapi):
    answers = [
        rb'{"userid":"a","name":"x\u0000y"}',
        rb'{"userid":"a","name":"x\ud83dy"}',
        b'{"userid":"a","name":"x\x01y"}',
    ]
    qyapi.answers["user/get"] = raw(lambda handler: handler.send_body(answers.pop(0)))
    client = qyapi.client()

    assert [client.user("a").name for _ in range(3)] == ["xy", "x?y", "x\x01y"]
