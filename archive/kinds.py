"""What a message says: every type of wecom-api.md 7.4 read into words, files and items; an unknown one stays raw.

Nothing here trusts the shape: WeCom adds fields and types, and clients of different ages write differently.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from django.utils.translation import gettext_lazy as _

CHINA = timezone(timedelta(hours=8))
LONGEST_TEXT = 20_000
DEEPEST = 3  # a chat record may hold a chat record

WORDS: dict[str, Any] = {
    "text": _("文本"),
    "image": _("图片"),
    "voice": _("语音"),
    "video": _("视频"),
    "emotion": _("表情"),
    "file": _("文件"),
    "link": _("链接"),
    "weapp": _("小程序"),
    "card": _("名片"),
    "location": _("位置"),
    "chatrecord": _("会话记录"),
    "mixed": _("混合消息"),
    "todo": _("待办"),
    "vote": _("投票"),
    "collect": _("填表"),
    "redpacket": _("红包"),
    "external_redpacket": _("互通红包"),
    "meeting": _("会议邀请"),
    "meeting_notification": _("会议通知"),
    "docmsg": _("在线文档"),
    "markdown": _("Markdown 消息"),
    "news": _("图文"),
    "calendar": _("日程"),
    "meeting_voice_call": _("音频存档"),
    "voip_doc_share": _("音频共享文档"),
    "voiptext": _("通话"),
    "sphfeed": _("视频号"),
    "qydiskfile": _("微盘文件"),
    "solitaire": _("接龙"),
    "note": _("笔记"),
    "agree": _("同意会话存档"),
    "disagree": _("不同意会话存档"),
    "revoke": _("撤回消息"),
    "switch": _("切换企业"),
}
SYSTEM = frozenset({"agree", "disagree", "revoke", "switch"})  # lines between the bubbles
OTHER = _("其他消息")


@dataclass(slots=True)
class File:
    fileid: str
    place: str = ""
    size: int | None = None
    name: str = ""


@dataclass(slots=True)
class Reading:
    """A message, or a part of one, in words."""

    kind: str
    title: str = ""
    lines: list[str] = field(default_factory=list)
    url: str = ""
    seconds: int = 0  # of a voice, a video, a call
    files: list[File] = field(default_factory=list)
    items: list["Reading"] = field(default_factory=list)
    known: bool = True

    @property
    def text(self) -> str:
        """What is searched: the words, after the type's name where there is one."""
        own = [] if self.kind == "text" else [f"[{WORDS.get(self.kind, OTHER)}]"]
        words = [*own, self.title, *self.lines, *(file.name for file in self.files), *(one.text for one in self.items)]
        return "\n".join(word for word in words if word).replace("\x00", "")[:LONGEST_TEXT]

    def all_files(self) -> Iterator[File]:
        yield from self.files
        for one in self.items:
            yield from one.all_files()


def read(payload: dict[str, Any]) -> Reading:
    """A plaintext as WeCom's library gave it."""
    kind = "switch" if payload.get("action") == "switch" else word(payload.get("msgtype")) or "unknown"
    return read_part(kind, body_of(kind, payload))


def body_of(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The object of the type; some types name it otherwise, and some put its fields at the top."""
    names = {"external_redpacket": "redpacket", "docmsg": "doc"}
    for name in (kind, names.get(kind, "info"), "info"):
        if isinstance(found := payload.get(name), dict):
            return found
    return payload


def read_part(kind: str, body: dict[str, Any], place: str = "", depth: int = 0) -> Reading:
    made = Reading(kind)
    if reader := READERS.get(kind):
        reader(made, body)
    elif kind in ITEMS and depth < DEEPEST:
        read_items(made, body, place, depth)
    elif kind in PLAIN:
        title, *lines = PLAIN[kind]
        made.title, made.lines = word(body.get(title)), [word(body.get(name)) for name in lines]
        made.url = link(body)
    elif kind not in SYSTEM:
        made.known = False
        made.lines = list(words_in(body))[:20]
    if fileid := word(body.get("sdkfileid")):
        made.files.append(File(fileid, place, size_of(body), file_name(body)))
        made.seconds = number(body.get("play_length"))
    return made


# -- by type -----------------------------------------------------------------------------------------------------------

PLAIN: dict[str, tuple[str, ...]] = {  # the field that is the title, then those that follow
    "text": ("", "content"),
    "markdown": ("", "content"),
    "link": ("title", "description"),
    "weapp": ("displayname", "title", "description"),
    "location": ("title", "address"),
    "card": ("userid", "corpname"),
    "todo": ("title", "content"),
    "docmsg": ("title",),
    "qydiskfile": ("filename",),
    "sphfeed": ("sph_name", "feed_desc"),
    "solitaire": ("solitaire_content",),
    "meeting_notification": ("", "content"),
    "image": ("",),
    "voice": ("",),
    "video": ("",),
    "emotion": ("",),
    "file": ("",),
    "voip_doc_share": ("",),
}
ITEMS = {"chatrecord": "item", "mixed": "item", "news": "item", "note": "items"}
OF_RECORD = {"docmsg": "docmsg", "externalredpacket": "external_redpacket", "meetingvoicecall": "meeting_voice_call"}


def vote(made: Reading, body: dict[str, Any]) -> None:
    made.title, made.lines = word(body.get("votetitle")), texts(body.get("voteitem"))


def collect(made: Reading, body: dict[str, Any]) -> None:
    made.title = word(body.get("title"))
    made.lines = [word(one.get("ques")) for one in dicts(body.get("details"))]


def redpacket(made: Reading, body: dict[str, Any]) -> None:
    made.title = word(body.get("wish"))
    amount, count = number(body.get("totalamount")), number(body.get("totalcnt"))
    made.lines = [f"¥{amount / 100:.2f} × {count}"] if amount else []


def meeting(made: Reading, body: dict[str, Any]) -> None:
    made.title = word(body.get("topic"))
    made.lines = [span(body), word(body.get("address")), word(body.get("remarks"))]


def calendar(made: Reading, body: dict[str, Any]) -> None:
    made.title = word(body.get("title"))
    people = "、".join(texts(body.get("attendeename")))
    made.lines = [span(body), word(body.get("place")), people, word(body.get("remarks"))]


def voiptext(made: Reading, body: dict[str, Any]) -> None:
    made.seconds = number(body.get("callduration"))


def voice_call(made: Reading, body: dict[str, Any]) -> None:
    made.lines = [word(one.get("filename")) for one in dicts(body.get("demofiledata"))]


READERS: dict[str, Callable[[Reading, dict[str, Any]], None]] = {
    "vote": vote,
    "collect": collect,
    "redpacket": redpacket,
    "external_redpacket": redpacket,
    "meeting": meeting,
    "calendar": calendar,
    "voiptext": voiptext,
    "meeting_voice_call": voice_call,
}


def read_items(made: Reading, body: dict[str, Any], place: str, depth: int) -> None:
    """Parts, whose content is often JSON in a string."""
    made.title = word(body.get("title"))
    for number_, item in enumerate(dicts(body.get(ITEMS[made.kind]))):
        content = item.get("content", item)
        if isinstance(content, str):
            content = unpacked(content)
        kind = word(item.get("type") or item.get("msg_type")).removeprefix("ChatRecord").lower()
        kind = OF_RECORD.get(kind, kind) or ("link" if made.kind == "news" else "text")
        where = f"{place}.{number_}" if place else str(number_)
        made.items.append(read_part(kind, body_of(kind, content), where, depth + 1))


def unpacked(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, strict=False)
    except ValueError:
        return {"content": text}
    return found if isinstance(found, dict) else {"content": text}


# -- fields ------------------------------------------------------------------------------------------------------------


def word(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def texts(value: Any) -> list[str]:
    return [found for one in value if (found := word(one))] if isinstance(value, list) else []


def dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number(value: Any) -> int:
    try:
        return min(max(int(value), 0), 2**31 - 1)
    except (TypeError, ValueError, OverflowError):
        return 0


def size_of(body: dict[str, Any]) -> int | None:
    sizes = (number(body.get(name)) for name in ("filesize", "voice_size", "imagesize"))
    return next((size for size in sizes if size), None)


def file_name(body: dict[str, Any]) -> str:
    return word(body.get("filename"))[:200]


def link(body: dict[str, Any]) -> str:
    """Only web addresses are ever made a link."""
    if not (url := body.get("link_url") or body.get("url")):
        return ""
    url = word(url)
    return url[:2000] if url.startswith(("https://", "http://")) else ""


def span(body: dict[str, Any]) -> str:
    start, end = moment(body.get("starttime")), moment(body.get("endtime"))
    return f"{start} – {end}" if start and end else start


def moment(value: Any) -> str:
    try:
        at = datetime.fromtimestamp(int(value), UTC).astimezone(CHINA)
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
    return f"{at:%Y-%m-%d %H:%M}"


def words_in(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts of an object of unknown shape, so that it can be found."""
    if isinstance(value, str):
        if value.strip():
            yield value.strip()[:500]
    elif depth < DEEPEST and isinstance(value, dict):
        for name, one in value.items():
            if name not in {"sdkfileid", "md5sum", "msgid", "from", "roomid", "msgtype", "action", "tolist"}:
                yield from words_in(one, depth + 1)
    elif depth < DEEPEST and isinstance(value, list):
        for one in value:
            yield from words_in(one, depth + 1)
