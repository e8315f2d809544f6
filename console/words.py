"""What the names of acts mean to a reader of the audit log. Those of the apps above stand in scrm/words.py."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from console.models import AuditEntry

ACTIONS: dict[str, Any] = {
    "session.sign_in": _("登录"),
    "session.sign_out": _("退出登录"),
    "account.password": _("修改自己的密码"),
    "account.second_factor_on": _("开启两步验证"),
    "account.second_factor_off": _("关闭两步验证"),
    "operator.create": _("新建操作员"),
    "operator.change": _("修改操作员"),
    "operator.deactivate": _("停用操作员"),
    "operator.activate": _("启用操作员"),
    "operator.reset_password": _("重置操作员密码"),
    "operator.reset_second_factor": _("关闭操作员的两步验证"),
    "job.cancel": _("停止任务"),
}
DETAILS: dict[str, Any] = {"role": _("角色"), "scope": _("数据范围"), "name": _("姓名"), "stage": _("阶段")}
VALUES: dict[str, Any] = {
    "owner": _("超级管理员"),
    "admin": _("管理员"),
    "staff": _("员工"),
    "self": _("本人"),
    "department": _("本部门"),
    "subtree": _("本部门及下级"),
    "all": _("全部"),
}


def action_words(entries: Iterable[AuditEntry]) -> Iterable[AuditEntry]:
    """The entries with `words` and `details` for the page."""
    for entry in entries:
        entry.words = ACTIONS.get(entry.action, entry.action)  # type: ignore[attr-defined]
        entry.details = [(DETAILS.get(name, name), in_words(value)) for name, value in entry.detail.items()]  # type: ignore[attr-defined]
        yield entry


def in_words(value: Any) -> str:
    """A value as it is, or "before → after" for a pair."""
    if isinstance(value, list) and len(value) == 2:
        return " → ".join(in_words(one) for one in value)
    return str(VALUES.get(value, value)) if isinstance(value, str) else str(value)
