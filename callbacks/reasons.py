"""Why an event or a call stands where it stands, and what to do about it, in the words of the people who read it."""

import re
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from callbacks.models import InboxEvent
from tenants.faults import WORDS, Words, words_for
from tenants.models import OutgoingCall

State = OutgoingCall.State
CODE = re.compile(r"\((-?\d{1,9})\)$")
IGNORED = re.compile(r"ignored by (?P<by>.{1,80}?): (?P<reason>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reason:
    """Two sentences and, for support, what the machine said."""

    cause: str | Promise = ""
    fix: str | Promise = ""
    raw: str = ""


UNREADABLE = Words(
    _("事件内容无法解密或识别。"),
    _("如果刚更换过 Token 和 EncodingAESKey，请确认管理后台填写的是新的；否则忽略它，并用「立即同步」补齐数据。"),
)
KEY_MISSING = Words(_("平台暂时无法读取加密密钥。"), _("无需您处理；平台恢复密钥后请点击重试。"))
OUR_FAULT = Words(_("系统处理时出错。"), _("请重试；仍然失败时，请把下面的代码发给我们。"))
GIVEN_UP = _("已自动重试多次仍未成功；恢复后请点击重试。")
OTHER_COMPANYS = "OtherReceiver: "  # as callbacks/stored.py writes it
PASSING = {0, -1, 6000, 45009, 45033, *range(500, 600)}
EVENT_WORDS = {"BadCallback": UNREADABLE, "KeyFault": KEY_MISSING}

CALL_WORDS = {
    41050: Words(_("欢迎语凭证已失效，或已被使用。"), _("欢迎语只能发一次，请由员工在企业微信里手动问候。")),
    41051: Words(_("员工已经和客户开始聊天，欢迎语无需再发。"), ""),
    41096: Words(_("其他应用正在给这位客户发送欢迎语。"), _("请在企业微信管理后台只保留一个发送欢迎语的应用。")),
}
EXPIRED = Words(
    _("超过了可以发送的时间，企业微信不再接受。"), _("无法补发，请由员工在企业微信里手动问候；看过后可以忽略。")
)
UNCLEAR = Words(
    _("企业微信没有给出结果，这次修改可能已经生效。"),
    _("请在企业微信里核对：没有生效点击重试，已经生效点击忽略。"),
)


def reason_of_event(event: InboxEvent) -> Reason:
    raw = event.last_error
    if event.status == InboxEvent.Status.IGNORED and raw.startswith(OTHER_COMPANYS):
        corp = {"corp": raw.removeprefix(OTHER_COMPANYS)}
        return Reason(_("这是发给另一个企业（%(corp)s）的事件：接入的企业已更换，没有用于现在的数据。") % corp, "", raw)
    if event.status == InboxEvent.Status.IGNORED:
        return Reason(_("已忽略"), raw)
    if event.status == InboxEvent.Status.DONE:
        return Reason(_("这类事件目前不影响任何数据") if raw == "no handler" else "")
    if not raw:
        return Reason()
    kind, _colon, _text = raw.partition(":")
    code = CODE.search(raw)
    words = EVENT_WORDS.get(kind) or (words_for(int(code[1])) if code and kind.startswith("WeCom") else None)
    if words is None and code and int(code[1]) in WORDS:  # the named cases of a refusal
        words = WORDS[int(code[1])]
    words = words or OUR_FAULT
    given_up = event.status == InboxEvent.Status.DEAD and code is not None and int(code[1]) in PASSING
    return Reason(words.cause, GIVEN_UP if given_up else words.fix, raw)


def reason_of_call(call: OutgoingCall) -> Reason:
    raw = " ".join(filter(None, [str(call.result_code or ""), call.result_message]))
    if call.state == State.IGNORED:
        said = IGNORED.fullmatch(call.note)
        return Reason(
            _("已忽略"),
            _("%(name)s：%(value)s") % {"name": said["by"], "value": said["reason"]} if said else call.note,
            raw,
        )
    if call.state == State.OK:
        return Reason(CALL_WORDS[41051].cause if call.result_code == 41051 else "")
    if call.state == State.UNKNOWN:
        return Reason(*UNCLEAR, raw)
    words = _words(call)
    if call.state == State.EXPIRED and call.result_code not in CALL_WORDS:
        words = EXPIRED
    if words is None:
        return Reason()
    given_up = call.state == State.DEAD and call.result_code in PASSING
    return Reason(words.cause, GIVEN_UP if given_up else words.fix, raw)


def _words(call: OutgoingCall) -> Words | None:
    if call.result_message.startswith("internal:"):
        return OUR_FAULT
    if call.result_code is None:
        return None
    return CALL_WORDS.get(call.result_code) or words_for(call.result_code)


def with_reasons(rows: list[Any]) -> list[Any]:
    for row in rows:
        row.reason = reason_of_event(row) if isinstance(row, InboxEvent) else reason_of_call(row)
    return rows
