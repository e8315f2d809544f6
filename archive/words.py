"""Why the archive stands still, in words: what happened, why, and what to do."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from archive.pull import DIED, GARBLED, MISSING

REASONS: dict[int, Promise] = {
    MISSING: _(
        "服务器上没有企业微信会话存档组件，请平台管理员安装后重试（安装项 archive，或设置 WECOM_FINANCE_SDK）。"
    ),
    DIED: _("会话存档组件异常退出，系统会自动重启并继续；如反复出现请联系平台管理员。"),
    GARBLED: _("企业微信返回的内容无法识别，系统会自动重试。"),
    10001: _("连接不上企业微信，或会话存档 Secret 不正确。请核对 Secret；如刚在企业微信重置过，请重新填写。"),
    10002: _("企业微信返回的内容无法识别，系统会自动重试。"),
    10003: _("会话存档组件内部错误，系统会自动重试。"),
    10009: _("服务器 IP 不在可信 IP 中，请在企业微信管理后台「会话内容存档」里添加。"),
    10011: _("会话存档组件的证书有误，请联系平台管理员。"),
    301042: _("服务器 IP 不在可信 IP 中，请在企业微信管理后台「会话内容存档」里添加。"),
    301052: _("会话内容存档服务已过期，请在企业微信续费后再试。"),
    301053: _("企业还没有开通会话内容存档，或还没有在企业微信管理后台设置公钥。"),
    40001: _("会话存档 Secret 不正确，请从企业微信管理后台重新复制。"),
    40013: _("企业ID 不正确，请在「企业微信接入」中核对。"),
    41004: _("还没有填写会话存档 Secret。"),
    45009: _("调用企业微信太频繁，系统会自动减速后继续。"),
}
ENGLISH = {
    MISSING: "no native archive library: install the extra `archive`, or set WECOM_FINANCE_SDK",
    DIED: "the native library's process ended again and again",
    41004: "no archive secret is stored for this tenant",
}
CLOSED: dict[str, Promise] = {
    "no_key": _("缺少这个版本的私钥"),
    "wrong_key": _("私钥与企业微信的公钥版本不一致"),
    "not_json": _("内容无法识别"),
}


def words_of(code: int | None) -> Any:
    if not code:
        return ""
    return REASONS.get(code) or _("企业微信返回错误 %(code)s") % {"code": code}


def english_of(code: int) -> str:
    return ENGLISH.get(code, f"WeCom or its library refuses: {code}")


def closed_words(reason: str) -> Any:
    return CLOSED.get(reason) or _("企业微信组件无法解密（%(reason)s）") % {"reason": reason}
