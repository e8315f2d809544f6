"""What the vendor's people read instead of the names of acts, events, jobs and calls."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

ACTS = {
    "tenant_created": _("开通企业"),
    "tenant_changed": _("修改企业"),
    "tenant_suspended": _("停用企业"),
    "tenant_resumed": _("恢复企业"),
    "tenant_exported": _("导出企业数据"),
    "tenant_deleted": _("删除企业"),
    "domain_saved": _("保存域名"),
    "domain_deleted": _("删除域名"),
    "app_assigned": _("分配应用"),
    "suite_saved": _("保存服务商应用"),
    "secret_replaced": _("更换 Secret"),
    "receiver_key_shown": _("查看回调密钥"),
    "receiver_key_replaced": _("更换回调密钥"),
    "inbox_replayed": _("重新处理事件"),
    "inbox_ignored": _("忽略事件"),
    "outbox_retried": _("重试调用"),
    "outbox_ignored": _("忽略调用"),
    "ops_user_created": _("新建平台账号"),
    "ops_password_changed": _("修改平台账号密码"),
}
"""By the action of a VendorAudit."""

DETAILS = {
    "name": _("名称"),
    "schema": _("标识"),
    "plan": _("套餐"),
    "seats": _("席位"),
    "before": _("原状态"),
    "rows": _("行数"),
    "tenant": _("企业"),
    "domain": _("域名"),
    "app": _("应用"),
    "corp": _("企业 ID"),
    "suite": _("服务商应用"),
    "kind": _("类型"),
    "receiver": _("回调"),
    "ids": _("编号"),
    "count": _("数量"),
    "username": _("账号"),
    "role": _("角色"),
}


def in_words(detail: Mapping[str, Any]) -> str:
    """席位：50；数量：3"""
    said = [
        _now("%(name)s：%(value)s") % {"name": DETAILS.get(name, name), "value": _told(detail[name])} for name in detail
    ]
    return _now("；").join(said)


def _told(value: Any) -> str:
    return ", ".join(map(_told, value)) if isinstance(value, list) else str(value)


class Named(admin.AllValuesFieldListFilter):
    """The values that there are, by what they are called."""

    words: ClassVar[Mapping[str, Any]]

    def choices(self, changelist: Any) -> Iterator[Any]:
        for one in super().choices(changelist):
            yield {**one, "display": self.words.get(str(one["display"]), one["display"])}


def named(words: Mapping[str, Any]) -> type[Named]:
    return type("Named", (Named,), {"words": words})
