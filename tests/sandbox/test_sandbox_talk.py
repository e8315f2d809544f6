"""What is said and shown: conversations, welcomes with attachments, and that a restart keeps all of it."""

import time

import pytest

from tests.sandbox.lab import MP4, PNG, Corp, Sandbox

WELCOME = "externalcontact/send_welcome_msg"
LINK = {"msgtype": "link", "link": {"title": "会员手册", "url": "https://example.com/guide", "desc": "三分钟看完"}}


def test_people_talk_in_one_sequence(corp):
    userid, external_userid = corp.pair()
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="在吗")
    corp.act("staff_says", userid=userid, external_userid=external_userid, kind="link", payload=LINK["link"])
    corp.act("colleague_says", userid=userid, to=corp.sellers[-1], text="客户问价")
    said = corp.said(userid, external_userid)
    assert [(message["sender"], message["kind"]) for message in said] == [(external_userid, "text"), (userid, "link")]
    everything = corp.look("messages")["messages"]
    assert [message["seq"] for message in everything] == sorted(message["seq"] for message in everything)
    later = corp.look("messages", after=said[0]["seq"])["messages"]
    assert [message["kind"] for message in later] == ["link", "text"]


def test_a_message_can_be_taken_back(corp):
    userid, external_userid = corp.pair()
    told = corp.act("staff_says", userid=userid, external_userid=external_userid, text="说错了")
    corp.act("message_revoke", seq=told["seq"])
    assert corp.said(userid, external_userid)[-1]["revoked_at"]
    lines = corp.look("chat", userid=userid, external_userid=external_userid)["lines"]
    assert lines[-1]["text"] == "（已撤回）"


def test_groups_hear_their_members(corp):
    chat = corp.look("groups")["groups"][0]
    corp.act("group_says", chat_id=chat["chat_id"], sender=chat["owner"], text="欢迎")
    (message,) = corp.look("messages", chat_id=chat["chat_id"])["messages"]
    assert (message["sender"], len(message["receivers"])) == (chat["owner"], chat["size"] - 1)
    refused = corp.sandbox.post(
        "/_sandbox/acts", corp_id=corp.id, act="group_says", chat_id=chat["chat_id"], sender="x"
    )
    assert "不在群内" in refused["error"]


def test_nobody_reaches_a_customer_who_deleted_him(corp):
    userid, external_userid = corp.pair()
    corp.act("customer_deletes_staff", userid=userid, external_userid=external_userid)
    wish = {"corp_id": corp.id, "act": "staff_says", "userid": userid, "external_userid": external_userid}
    assert "未送达" in corp.sandbox.post("/_sandbox/acts", **wish)["error"]


def test_a_welcome_shows_in_the_chat_piece_by_piece(corp):
    added = corp.act("customer_adds", userid=corp.sellers[0], name="阿宁")
    image, video, file = corp.file(), corp.file("video", MP4), corp.file("file", b"price list")
    card = {"title": "小店", "pic_media_id": image, "appid": "wx01", "page": "/index"}
    attachments = [
        {"msgtype": "image", "image": {"media_id": image}},
        LINK,
        {"msgtype": "miniprogram", "miniprogram": card},
        {"msgtype": "video", "video": {"media_id": video}},
        {"msgtype": "file", "file": {"media_id": file}},
    ]
    body = {"welcome_code": added["welcome_code"], "text": {"content": "欢迎"}, "attachments": attachments}
    assert corp.post(WELCOME, **body)["errcode"] == 0
    said = corp.said(corp.sellers[0], added["external_userid"])
    assert [message["kind"] for message in said] == ["text", "image", "link", "miniprogram", "video", "file"]
    assert {message["via"] for message in said} == {"welcome"}
    assert said[2]["payload"] == LINK["link"]


@pytest.mark.parametrize(
    ("attachment", "code"),
    [
        ({"msgtype": "image", "image": {"media_id": "none"}}, 40007),
        ({"msgtype": "image", "image": {}}, 40063),
        ({"msgtype": "video", "video": {"media_id": "IMAGE"}}, 40007),
        ({"msgtype": "link", "link": {"title": "长" * 43, "url": "https://a.cn"}}, 40058),
        ({"msgtype": "link", "link": {"title": "一", "url": "a.cn"}}, 40094),
        ({"msgtype": "miniprogram", "miniprogram": {"title": "小店", "appid": "wx01", "page": "/"}}, 40063),
    ],
)
def test_a_wrong_attachment_leaves_the_code_usable(corp, attachment, code):
    added = corp.act("customer_adds", userid=corp.sellers[0])
    kind = attachment["msgtype"]
    if attachment[kind].get("media_id") == "IMAGE":
        attachment = {"msgtype": kind, kind: {"media_id": corp.file()}}
    body = {"welcome_code": added["welcome_code"], "text": {"content": "欢迎"}}
    assert corp.post(WELCOME, **body, attachments=[attachment])["errcode"] == code
    assert corp.post(WELCOME, **body, attachments=[LINK] * 10)["errcode"] == 41064
    assert corp.post(WELCOME, **body)["errcode"] == 0


def test_a_window_closes_after_twenty_seconds_and_a_dead_file_is_refused(corp):
    media_id = corp.file()
    corp.act("time_passes", seconds=4 * 86_400)
    added = corp.act("customer_adds", userid=corp.sellers[0])
    body = {"welcome_code": added["welcome_code"], "text": {"content": "欢迎"}}
    dead = [{"msgtype": "image", "image": {"media_id": media_id}}]
    assert corp.post(WELCOME, **body, attachments=dead)["errcode"] == 40007
    corp.act("time_passes", seconds=21)
    assert corp.post(WELCOME, **body)["errcode"] == 41050


def test_a_restart_keeps_codes_files_messages_and_tasks(tmp_path):
    def start():
        return Sandbox("--data", str(tmp_path), "--no-corp")

    running = start()
    corp = Corp(running)
    corp.change(limits={"mass_dispatch_seconds": 0})
    corp.act("mass_habit", userid=corp.sellers[0], kind="after", seconds=1.5)
    config_id = corp.post("externalcontact/add_contact_way", type=1, scene=2, user=corp.sellers[:1])["config_id"]
    scanned = corp.act("customer_scans", config_id=config_id, name="阿宁")
    pair = {"userid": corp.sellers[0], "external_userid": scanned["external_userid"]}
    corp.act("customer_says", **pair, text="在吗")
    media_id = corp.file("image", PNG)
    to = [scanned["external_userid"]]
    sent = corp.post("externalcontact/add_msg_template", external_userid=to, text={"content": "店庆"})
    assert running.stop() == 0
    time.sleep(1)
    running = start()
    corp.sandbox = running
    assert corp.post("externalcontact/get_contact_way", config_id=config_id)["errcode"] == 0
    assert corp.get("media/get", media_id="none")["errcode"] == 40007
    assert [file["media_id"] for file in corp.look("media")["media"]] == [media_id]
    task = corp.post("externalcontact/get_groupmsg_task", msgid=sent["msgid"])["task_list"][0]
    assert task["status"] in (0, 2)
    time.sleep(1)
    assert corp.post("externalcontact/get_groupmsg_task", msgid=sent["msgid"])["task_list"][0]["status"] == 2
    assert [message["payload"]["content"] for message in corp.said(**pair)] == ["在吗", "店庆"]
    assert running.stop() == 0


def test_a_month_of_talk_can_be_played(corp):
    told = corp.act("talk_history", days=30, talks=30, seed=5)
    found = corp.look("messages", limit=2000)["messages"]
    assert len(found) == told["messages"] > 100
    times = [message["at"] for message in found]
    assert times == sorted(times)
    assert time.time() - 31 * 86_400 < times[0] < times[-1] < time.time()
    assert {message["kind"] for message in found} == {"text", "link"}
    assert any(message["chat_id"] for message in found)
    assert corp.sandbox.get("/_sandbox/deliveries", corp_id=corp.id)["deliveries"] == []
