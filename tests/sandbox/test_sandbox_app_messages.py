"""Messages of an app to its members: kinds, cards, taking them back (wecom-api.md 6.1)."""

import pytest

from tests.sandbox.lab import MP4

AGENT = 1000002
CARD = {
    "card_type": "button_interaction",
    "main_title": {"title": "今天联系 3 位客户"},
    "task_id": "sop-88",
    "button_list": [{"text": "已完成", "key": "done"}, {"text": "稍后", "key": "later"}],
}
NOTICE = {
    "card_type": "text_notice",
    "main_title": {"title": "客户流失"},
    "card_action": {"type": 1, "url": "https://scrm.example.com/c/1"},
}


def send(corp, kind, content, **more):
    body = {"touser": corp.sellers[0], "agentid": AGENT, "msgtype": kind, kind: content}
    return corp.post("message/send", **body, **more)


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("text", {"content": "好"}, 0),
        ("text", {}, 44004),
        ("markdown", {"content": "长" * 700}, 45002),
        ("textcard", {"title": "一", "description": "二", "url": "https://a.cn"}, 0),
        ("textcard", {"description": "二", "url": "https://a.cn"}, 41016),
        ("textcard", {"title": "一", "url": "https://a.cn"}, 41033),
        ("textcard", {"title": "一", "description": "二"}, 41010),
        ("textcard", {"title": "一", "description": "二", "url": "a.cn"}, 45034),
        ("news", {"articles": [{"title": "一", "url": "https://a.cn"}]}, 0),
        ("news", {"articles": [{"title": "一"}]}, 41010),
        ("news", {"articles": []}, 45008),
        ("file", {"media_id": "none"}, 40007),
        ("video", {}, 44004),
        ("video", {"title": "无"}, 41006),
        ("miniprogram_notice", {"appid": "wx01", "title": "提醒"}, 48002),
        ("poem", {"content": "好"}, 40008),
        ("template_card", CARD, 0),
        ("template_card", NOTICE, 0),
        ("template_card", CARD | {"task_id": "空 格"}, 42014),
        ("template_card", CARD | {"card_type": "unknown"}, 42031),
        ("template_card", CARD | {"main_title": {}}, 42033),
        ("template_card", CARD | {"button_list": [{"text": "无"}]}, 42039),
        ("template_card", CARD | {"button_list": "none"}, 42038),
        ("template_card", CARD | {"horizontal_content_list": ["x"]}, 40058),
        ("template_card", NOTICE | {"card_action": {"type": 1}}, 42028),
        ("template_card", NOTICE | {"card_action": None}, 42045),
        ("template_card", NOTICE | {"horizontal_content_list": [{"keyname": "客户"}] * 7}, 42035),
    ],
)
def test_each_kind_is_checked(corp, kind, content, code):
    answer = send(corp, kind, content)
    assert answer["errcode"] == code, answer


def test_a_file_goes_out_while_it_lives(corp):
    media_id = corp.file("video", MP4)
    assert send(corp, "video", {"media_id": media_id, "title": "新品"})["errcode"] == 0
    assert send(corp, "image", {"media_id": media_id})["errcode"] == 40007
    corp.act("time_passes", seconds=3 * 86_400 + 1)
    assert send(corp, "video", {"media_id": media_id})["errcode"] == 40007


def test_a_message_is_taken_back_by_its_own_app(corp):
    msgid = send(corp, "text", {"content": "发错了"})["msgid"]
    assert corp.post("message/recall", msgid="none")["errcode"] == 40058
    assert corp.post("message/recall", msgid=msgid)["errcode"] == 0
    assert corp.post("message/recall", msgid=msgid)["errcode"] == 40058
    shown = corp.sandbox.get("/_sandbox/effects", corp_id=corp.id, kind="message")["effects"]
    assert shown[-1]["recalled"] is True
    old = send(corp, "text", {"content": "昨天的"})["msgid"]
    corp.act("time_passes", seconds=86_401)
    assert corp.post("message/recall", msgid=old)["errcode"] == 42052


def test_a_card_is_answered_and_replaced_once(corp, receiver):
    corp.listen(receiver)
    sent = send(corp, "template_card", CARD)
    assert "response_code" not in send(corp, "template_card", NOTICE)
    corp.act("staff_presses_card", userid=corp.sellers[0], msgid=sent["msgid"], key="done", options={"q1": ["o2"]})
    corp.sandbox.post("/_sandbox/wait", corp_id=corp.id, timeout=10)
    event = receiver.events[-1]
    assert (event.findtext("Event"), event.findtext("FromUserName")) == ("template_card_event", corp.sellers[0])
    assert (event.findtext("EventKey"), event.findtext("TaskId")) == ("done", "sop-88")
    assert event.findtext("SelectedItems/SelectedItem/OpitonIds/OpitonId") == "o2"
    assert event.find("ChangeType") is None
    update = {"agentid": AGENT, "userids": [corp.sellers[0]], "button": {"replace_name": "已完成"}}
    code = event.findtext("ResponseCode")
    assert corp.post("message/update_template_card", **update, response_code=code)["errcode"] == 0
    assert corp.post("message/update_template_card", **update, response_code=code)["errcode"] == 60140
    corp.act("time_passes", seconds=73 * 3600)
    late = corp.post("message/update_template_card", **update, response_code=sent["response_code"])
    assert late["errcode"] == 60140


def test_statistics_count_people(corp):
    send(corp, "text", {"content": "一"})
    assert corp.post("message/get_statistics", time_type=0)["statistics"][0]["count"] == 1
    assert corp.post("message/get_statistics", time_type=1)["statistics"][0]["count"] == 0


def test_groups_greet_newcomers_by_a_template(corp):
    path = "externalcontact/group_welcome_template"
    assert corp.post(f"{path}/add")["errcode"] == 40063
    link = {"title": "群规", "url": "https://example.com/rules"}
    made = corp.post(f"{path}/add", text={"content": "欢迎%NICKNAME%"}, link=link, video={"media_id": "unused"})
    assert made["errcode"] == 0
    template_id = made["template_id"]
    shown = corp.post(f"{path}/get", template_id=template_id)
    assert (shown["link"], "video" in shown) == (link, False)
    contact = corp.gettoken(corp.view["contact_secret"])["access_token"]
    edit = {"template_id": template_id, "text": {"content": "改"}}
    assert corp.post(f"{path}/edit", token=contact, **edit)["errcode"] == 41058
    chat_id = corp.look("groups")["groups"][0]["chat_id"]
    corp.act("group_welcome_choose", chat_id=chat_id, template_id=template_id)
    corp.act("group_join", chat_id=chat_id, name="阿宁")
    said = corp.look("messages", chat_id=chat_id)["messages"]
    assert [message["kind"] for message in said] == ["text", "link"]
    assert said[0]["payload"]["content"] == "欢迎阿宁"
    assert corp.post(f"{path}/del", template_id=template_id)["errcode"] == 0
    corp.act("group_join", chat_id=chat_id)
    assert len(corp.look("messages", chat_id=chat_id)["messages"]) == 2
