"""Ways, scenes and entries of the timeline in the words of WeCom's own admin."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Follow, TimelineEntry
from tenants.faults import words_for

CODES: list[Callable[[Collection[str]], dict[str, str]]] = []
"""Names of channel codes by the state that they leave on a friendship; filled by scrm/wiring.py."""

ADD_WAYS = {
    0: gettext_lazy("未知来源"),
    1: gettext_lazy("扫描二维码"),
    2: gettext_lazy("搜索手机号"),
    3: gettext_lazy("名片分享"),
    4: gettext_lazy("群聊"),
    5: gettext_lazy("手机通讯录"),
    6: gettext_lazy("微信联系人"),
    8: gettext_lazy("安装第三方应用时自动添加的客服人员"),
    9: gettext_lazy("搜索邮箱"),
    10: gettext_lazy("视频号添加"),
    11: gettext_lazy("通过日程参与人添加"),
    12: gettext_lazy("通过会议参与人添加"),
    13: gettext_lazy("添加微信好友对应的企业微信"),
    14: gettext_lazy("通过智慧硬件专属客服添加"),
    15: gettext_lazy("通过上门服务客服添加"),
    16: gettext_lazy("通过获客链接添加"),
    17: gettext_lazy("通过定制开发添加"),
    18: gettext_lazy("通过需求回复添加"),
    201: gettext_lazy("内部成员共享"),
    202: gettext_lazy("管理员分配"),
}
"""externalcontact/get, `add_way` (path/92114). WeCom adds numbers over time: unknown ones are shown as numbers."""

Kind = TimelineEntry.Kind


def add_way(number: int | None) -> str:
    if number is None:
        return ""
    return str(ADD_WAYS.get(number, _("来源 %(number)d") % {"number": number}))


def story(entry: TimelineEntry) -> str:
    """One entry as a sentence: who did what."""
    staff, payload = str(entry.staff or _("员工")), entry.payload
    chat = str(entry.chat or _("客户群"))
    sentences: dict[str, Any] = {
        Kind.FOLLOW_ADDED: lambda: _added(staff, payload),
        Kind.FOLLOW_HALF_ADDED: lambda: _("客户添加了%(staff)s，等待对方通过") % {"staff": staff},
        Kind.DELETED_BY_STAFF: lambda: _("%(staff)s 删除了客户") % {"staff": staff},
        Kind.DELETED_BY_CUSTOMER: lambda: _("客户删除了%(staff)s") % {"staff": staff},
        Kind.TRANSFERRED: lambda: _("客户已从%(staff)s 转交给其他员工") % {"staff": staff},
        Kind.TRANSFER_FAILED: lambda: _("转交给%(staff)s 失败") % {"staff": staff},
        Kind.FOLLOW_VANISHED: lambda: _("核对时发现客户已不在%(staff)s 的好友中") % {"staff": staff},
        Kind.REMARK_CHANGED: lambda: _("备注改为“%(remark)s”") % {"remark": payload.get("remark", "")},
        Kind.REMARK_FAILED: lambda: (
            _("备注没有改成“%(remark)s”：%(reason)s")
            % {"remark": payload.get("remark", ""), "reason": _refusal(payload)}
        ),
        Kind.TAGS_CHANGED: lambda: _tags(payload),
        Kind.TAGS_FAILED: lambda: (
            _("标签没有改成（%(tags)s）：%(reason)s") % {"tags": _tags(payload), "reason": _refusal(payload)}
        ),
        Kind.ARCHIVE_AGREED: lambda: _("客户同意会话存档"),
        Kind.WELCOME_SENT: lambda: _greeted(payload),
        Kind.WELCOME_FAILED: lambda: _welcome(payload),
        Kind.STAGE_CHANGED: lambda: _stage(payload),
        Kind.FIELDS_CHANGED: lambda: _fields(payload),
        Kind.FOLLOWED_UP: lambda: _followed_up(payload),
        Kind.SOP_ENROLLED: lambda: _("进入 SOP“%(name)s”") % {"name": payload.get("name", "")},
        Kind.SOP_EXITED: lambda: _("退出 SOP“%(name)s”") % {"name": payload.get("name", "")},
        Kind.TASK_DONE: lambda: _("完成任务“%(title)s”") % {"title": payload.get("title", "")},
        Kind.TASK_SKIPPED: lambda: (
            _("跳过任务“%(title)s”：%(reason)s")
            % {"title": payload.get("title", ""), "reason": payload.get("reason", "")}
        ),
        Kind.LINK_OPENED: lambda: _opened(payload),
        Kind.CONTENT_SENT: lambda: _sent(payload, staff),
        Kind.BROADCAST_SENT: lambda: _broadcast(staff, payload),
        Kind.GROUP_JOINED: lambda: _("加入客户群“%(chat)s”") % {"chat": chat},
        Kind.GROUP_LEFT: lambda: _("离开客户群“%(chat)s”") % {"chat": chat},
    }
    tell = sentences.get(entry.kind)
    return tell() if tell else str(entry.get_kind_display())


def ending(follow: Follow) -> str:
    """Who deleted whom."""
    staff = str(follow.staff)
    sentences = {
        Follow.EndedBy.CUSTOMER: _("客户删除了%(staff)s") % {"staff": staff},
        Follow.EndedBy.STAFF: _("%(staff)s 删除了客户") % {"staff": staff},
        Follow.EndedBy.TRANSFER: _("客户已从%(staff)s 转交给其他员工") % {"staff": staff},
        Follow.EndedBy.VANISHED: _("核对时发现客户已不在%(staff)s 的好友中") % {"staff": staff},
    }
    return sentences[Follow.EndedBy(follow.ended_by)] if follow.ended_by else ""


def _added(staff: str, payload: dict[str, Any]) -> str:
    text = _("与%(staff)s 成为好友") % {"staff": staff}
    return f"{text} · {add_way(payload['add_way'])}" if payload.get("add_way") is not None else text


def _tags(payload: dict[str, Any]) -> str:
    parts = []
    if payload.get("added"):
        parts.append(_("添加标签 %(tags)s") % {"tags": _("、").join(payload["added"])})
    if payload.get("removed"):
        parts.append(_("移除标签 %(tags)s") % {"tags": _("、").join(payload["removed"])})
    return _("；").join(parts) or _("标签变更")


def _stage(payload: dict[str, Any]) -> str:
    names = {name: payload.get(name) or _("未设阶段") for name in ("from", "to")}
    return _("阶段从“%(from)s”改为“%(to)s”") % names


def _fields(payload: dict[str, Any]) -> str:
    """预算：3000 → 5000；城市：深圳"""
    parts = []
    for one in payload.get("changes", ()):
        before, after = (_("空") if value is None else str(value) for value in (one.get("before"), one.get("after")))
        words = after if one.get("before") is None else f"{before} → {after}"
        parts.append(_("%(name)s：%(words)s") % {"name": one.get("name", ""), "words": words})
    return _("；").join(parts) or _("修改客户资料")


def _followed_up(payload: dict[str, Any]) -> str:
    text = _("跟进：%(text)s") % {"text": payload.get("text", "")}
    if not payload.get("next_at"):
        return text
    at = timezone.localtime(datetime.fromisoformat(payload["next_at"]))
    return text + _("（下次跟进 %(at)s）") % {"at": f"{at:%Y-%m-%d %H:%M}"}


def _opened(payload: dict[str, Any]) -> str:
    times = payload.get("opens", 1)
    text = _("打开了链接“%(title)s”") % {"title": payload.get("material", "")}
    return text if times < 2 else text + _("（第 %(n)d 次）") % {"n": times}


def _sent(payload: dict[str, Any], staff: str) -> str:
    title = payload.get("material") or payload.get("script") or _("内容")
    return _("%(staff)s 发送了“%(title)s”") % {"staff": staff, "title": title}


def _broadcast(staff: str, payload: dict[str, Any]) -> str:
    return _("收到%(staff)s 发送的群发“%(title)s”") % {"staff": staff, "title": payload.get("title", "")}


def _refusal(payload: dict[str, Any]) -> str:
    if payload.get("state") == "ignored":
        return _("已由操作员忽略")
    code = payload.get("code")
    cause = str(words_for(code).cause)
    return _("%(cause)s（%(code)s）") % {"cause": cause, "code": code} if code else cause


def _greeted(payload: dict[str, Any]) -> str:
    left = payload.get("left_out")
    return _("欢迎语已送达，%(n)d 个附件没有赶上") % {"n": left} if left else _("欢迎语已送达")


def _welcome(payload: dict[str, Any]) -> str:
    reasons = {
        "not_ready": _("附件还没有上传到企业微信"),
        "empty": _("欢迎语里的素材已被删除"),
        "expired": _("超过企业微信规定的 20 秒"),
        "unknown": _("企业微信没有给出结果"),
        "parked": _("企业微信接入异常"),
    }
    codes = {41051: _("员工已经和客户开始聊天"), 41096: _("其他应用正在发送"), 41050: _("欢迎语凭证已失效")}
    reason = codes.get(payload.get("code") or 0) or reasons.get(str(payload.get("state"))) or _("企业微信拒绝了发送")
    return _("欢迎语没有发出：%(reason)s") % {"reason": reason}
