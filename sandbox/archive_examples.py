"""One plaintext of every type the archive keeps (wecom-api.md 7.4), for the parsers and viewers that must know them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.archive import keep_file
from sandbox.corp import Corp

GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + b"\0" * 200 + bytes.fromhex("ffd9")
AMR = b"#!AMR\n" + b"\x3c" * 320
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\0" * 700_000  # two pieces for the library


@dataclass(slots=True)
class Cast:
    """Who speaks with whom in the examples."""

    corp: Corp
    userid: str
    external_userid: str
    chat_id: str = ""

    def envelope(self) -> dict[str, Any]:
        """The customer writes to the member, or into the group."""
        sender = self.external_userid or self.userid
        if self.chat_id and self.chat_id in self.corp.groups:
            to = [member for member in self.corp.groups[self.chat_id].members if member != sender]
        else:
            others = (staff.userid for staff in self.corp.staff.values() if staff.userid != self.userid)
            to = [self.userid] if self.external_userid else [next(others, self.userid)]
        at = int(time.time() * 1000)
        return {"action": "send", "from": sender, "tolist": to, "roomid": self.chat_id, "msgtime": at}

    def file(self, kind: str, body: bytes, filename: str) -> dict[str, Any]:
        return keep_file(self.corp, kind, body, filename)


Example = Callable[[Cast], dict[str, Any]]
EXAMPLES: dict[str, Example] = {}


def plain(msgtype: str, name: str = "", **content: Any) -> None:
    """A type whose object is always the same."""

    def make(cast: Cast) -> dict[str, Any]:
        return {"msgtype": msgtype, name or msgtype: dict(content)}

    EXAMPLES[msgtype] = make


def example(function: Example) -> Example:
    EXAMPLES[function.__name__.removesuffix("_")] = function
    return function


plain("text", content="周末想带孩子来门店看看，停车方便吗？😊")
plain("location", longitude=113.324, latitude=23.106, address="广州市海珠区阅江西路222号", title="广州塔", zoom=15)
plain("link", title="秋季护肤套装", description="会员专享价", link_url="https://example.com/p/1", image_url="")
plain("weapp", title="领取优惠券", description="会员小程序", username="gh_0000000000@app", displayname="青禾会员")
plain("todo", title="跟进提醒", content="明天下午三点回访")
plain("redpacket", type=1, wish="恭喜发财", totalcnt=2, totalamount=800)
plain("external_redpacket", "redpacket", type=1, wish="感谢支持", totalcnt=1, totalamount=500)
plain("docmsg", "doc", title="活动报名表", doc_creator="", link_url="https://doc.weixin.qq.com/txdoc/excel?docid=1")
plain("markdown", "info", content="**今日目标**：新增客户 20 位")
plain("qydiskfile", "info", filename="价目表.xlsx", url="https://drive.weixin.qq.com/s?k=1")
plain("solitaire", "info", solitaire_type=101, solitaire_content="周六团购接龙")  # this and note: unconfirmed names
plain("voiptext", "info", callduration=66, invitetype=1)
plain("sphfeed", feed_type=4, sph_name="青禾生活", feed_desc="三分钟学会换季护肤")
plain("meeting_notification", "info", content="会议即将开始", meeting_id=9223372036854775900, notification_type=1)


@example
def image(cast: Cast) -> dict[str, Any]:
    return {"msgtype": "image", "image": cast.file("image", JPEG, "photo.jpg")}


@example
def voice(cast: Cast) -> dict[str, Any]:
    return {"msgtype": "voice", "voice": cast.file("voice", AMR, "voice.amr")}


@example
def video(cast: Cast) -> dict[str, Any]:
    return {"msgtype": "video", "video": cast.file("video", MP4, "video.mp4")}


@example
def file(cast: Cast) -> dict[str, Any]:
    return {"msgtype": "file", "file": cast.file("file", "报价单\n护肤套装,199".encode(), "报价单.csv")}


@example
def emotion(cast: Cast) -> dict[str, Any]:
    return {"msgtype": "emotion", "emotion": cast.file("emotion", GIF, "smile.gif")}


@example
def agree(cast: Cast) -> dict[str, Any]:
    told = {"userid": cast.external_userid, "agree_time": int(time.time() * 1000)}
    return {"msgtype": "agree", "agree": told}


@example
def disagree(cast: Cast) -> dict[str, Any]:
    told = {"userid": cast.external_userid, "disagree_time": int(time.time() * 1000)}
    return {"msgtype": "disagree", "disagree": told}


@example
def revoke(cast: Cast) -> dict[str, Any]:
    """Takes back the latest message before it."""
    before = next((one for one in reversed(cast.corp.archive.entries.values()) if one.plain.get("msgtype")), None)
    return {"action": "recall", "msgtype": "revoke", "revoke": {"pre_msgid": before.msgid if before else ""}}


@example
def card(cast: Cast) -> dict[str, Any]:
    return {"msgtype": "card", "card": {"corpname": cast.corp.name, "userid": cast.userid}}


@example
def chatrecord(cast: Cast) -> dict[str, Any]:
    """Forwarded talk: the content of each item is JSON in a string."""
    now = int(time.time())
    words = [("ChatRecordText", {"content": "这款断货了吗"}), ("ChatRecordText", {"content": "下周三到货"})]
    words.append(
        (
            "ChatRecordLink",
            {"title": "到货通知", "description": "", "link_url": "https://example.com/n", "image_url": ""},
        )
    )
    item = [
        {"type": kind, "msgtime": now - 60, "content": json.dumps(content, ensure_ascii=False), "from_chatroom": False}
        for kind, content in words
    ]
    return {"msgtype": "chatrecord", "chatrecord": {"title": "群聊的聊天记录", "item": item}}


@example
def vote(cast: Cast) -> dict[str, Any]:
    fields = {"votetitle": "周末活动选哪天", "voteitem": ["周六", "周日"], "votetype": 101, "voteid": "3689"}
    return {"msgtype": "vote", "vote": fields}


@example
def vote_joined(cast: Cast) -> dict[str, Any]:
    """Some clients put the fields of a vote beside its type, without an object."""
    return {"msgtype": "vote", "votetitle": "周末活动选哪天", "voteitem": ["周日"], "votetype": 102, "voteid": "3689"}


@example
def collect(cast: Cast) -> dict[str, Any]:
    details = [{"id": 1, "ques": "姓名", "type": "Text"}, {"id": 2, "ques": "到店日期", "type": "Date"}]
    fields = {"room_name": "福利群", "creator": cast.userid, "create_time": "2026-01-01 10:00:00", "title": "报名"}
    return {"msgtype": "collect", "collect": fields | {"details": details}}


@example
def meeting(cast: Cast) -> dict[str, Any]:
    now = int(time.time())
    fields = {"topic": "方案沟通", "starttime": now, "endtime": now + 3600, "address": "", "remarks": ""}
    return {"msgtype": "meeting", "meeting": fields | {"meetingtype": 101, "meetingid": 2**63 + 7, "status": 1}}


@example
def meeting_answered(cast: Cast) -> dict[str, Any]:
    fields = {"topic": "方案沟通", "starttime": int(time.time()), "meetingtype": 102, "status": 2}
    return {"msgtype": "meeting", "meeting": fields | {"meetingid": 2**63 + 7}}


@example
def calendar(cast: Cast) -> dict[str, Any]:
    now = int(time.time())
    fields = {"title": "门店盘点", "creatorname": cast.userid, "attendeename": ["陈梅", "李强"], "starttime": now}
    return {"msgtype": "calendar", "calendar": fields | {"endtime": now + 7200, "place": "门店 7", "remarks": ""}}


@example
def news(cast: Cast) -> dict[str, Any]:
    item = [{"title": "本周上新", "description": "三款新品", "url": "https://example.com/new", "picurl": ""}]
    return {"msgtype": "news", "info": {"item": item}}


@example
def mixed(cast: Cast) -> dict[str, Any]:
    words = json.dumps({"content": "图文混排：价格见图"}, ensure_ascii=False)
    picture = json.dumps(cast.file("image", JPEG, "price.jpg"))
    return {
        "msgtype": "mixed",
        "mixed": {"item": [{"type": "text", "content": words}, {"type": "image", "content": picture}]},
    }


@example
def meeting_voice_call(cast: Cast) -> dict[str, Any]:
    now = int(time.time())
    shared = [{"filename": "方案.pptx", "demooperator": cast.userid, "starttime": now - 60, "endtime": now}]
    screen = [{"share": cast.userid, "starttime": now - 40, "endtime": now}]
    call = {"endtime": now, "sdkfileid": cast.file("voice", AMR, "call.amr")["sdkfileid"], "demofiledata": shared}
    return {
        "msgtype": "meeting_voice_call",
        "voiceid": "grb8a4c48a3c094a70",
        "meeting_voice_call": call | {"sharescreendata": screen},
    }


@example
def voip_doc_share(cast: Cast) -> dict[str, Any]:
    kept = cast.file("file", b"%PDF-1.4 demo", "方案.pdf")
    fields = {name: kept[name] for name in ("filename", "md5sum", "filesize", "sdkfileid")}
    return {"msgtype": "voip_doc_share", "voipid": "gr2751c98b19300571f8afb3b74514bd32", "voip_doc_share": fields}


@example
def note(cast: Cast) -> dict[str, Any]:
    words = json.dumps({"content": "客户偏好：清爽型，预算 300"}, ensure_ascii=False)
    return {"msgtype": "note", "info": {"items": [{"msg_type": "text", "content": words}]}}


@example
def unheard_of(cast: Cast) -> dict[str, Any]:
    """A type that no document names yet."""
    return {"msgtype": "tea_party", "tea_party": {"title": "下午茶", "count": 2**64 - 1}}
