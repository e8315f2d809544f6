"""The side bar of the vendor console."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"items": [page(_("运行概况"), "monitoring", "index")]},
        {
            "title": _("企业"),
            "separator": True,
            "items": [
                page(_("企业"), "apartment", "tenants_tenant_changelist"),
                page(_("域名"), "language", "tenants_domain_changelist"),
                page(_("企业微信应用"), "apps", "tenants_corpapp_changelist"),
                page(_("服务商应用"), "handshake", "tenants_suite_changelist"),
                page(_("回调接收"), "call_received", "tenants_receiver_changelist"),
            ],
        },
        {
            "title": _("运行"),
            "separator": True,
            "items": [
                page(_("收到的事件"), "inbox", "scrm_inboxrow_changelist"),
                page(_("发出的调用"), "outbox", "tenants_outgoingcall_changelist"),
                page(_("长任务"), "hourglass_top", "tenants_job_changelist"),
                page(_("平台审计"), "policy", "tenants_vendoraudit_changelist"),
            ],
        },
    ]


def page(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{name}")}
