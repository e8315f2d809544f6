"""The pages of the console: the rail at its side, and what its search box looks through; put in place by `wiring`."""

from django.utils.translation import gettext_lazy as _

from archive import alert_pages
from callbacks.views import waiting_for_a_person
from console.shell import SEARCHES, NavItem, Search, add_to_nav
from contacts import profile_pages, views
from content import library

ADMINS = ("owner", "admin")


def fill() -> None:
    """In the order of the rail."""
    add_to_nav(
        "home",
        NavItem(_("工作台"), "console:home", "layout-dashboard"),
        NavItem(_("待办与异常"), "callbacks:trouble", "urgent", badge=waiting_for_a_person),
    )
    add_to_nav(
        "customers",
        NavItem(_("客户列表"), "contacts:customers", "users", over=("contacts:friendships",)),
        NavItem(_("客户群"), "contacts:groups", "messages"),
        NavItem(_("标签"), "tagging:tags", "tags", over=("tagging:runs",)),
        NavItem(_("自动标签"), "tagging:rules", "bolt"),
        NavItem(_("人群包"), "tagging:segments", "users-group"),
        NavItem(_("待跟进"), "contacts:due", "calendar-event", badge=profile_pages.due_of),
        NavItem(_("流失提醒"), "contacts:losses", "user-x"),
    )
    add_to_nav("acquisition", NavItem(_("渠道活码"), "acquisition:codes", "qrcode"))
    add_to_nav("acquisition", NavItem(_("欢迎语"), "acquisition:welcome", "message-circle", roles=ADMINS))
    add_to_nav("reach", NavItem(_("群发"), "broadcasts:broadcasts", "send"))
    add_to_nav(
        "reach",
        NavItem(_("客户SOP"), "sop:plans", "route"),
        NavItem(_("任务看板"), "sop:board", "checkbox"),
    )
    add_to_nav(
        "content",
        NavItem(_("素材库"), "content:materials", "photo"),
        NavItem(_("话术库"), "content:scripts", "message-2"),
    )
    add_to_nav(
        "archive",
        NavItem(_("会话存档"), "archive:viewer", "archive"),
        NavItem(_("会话预警"), "archive:alerts", "bell", badge=alert_pages.waiting_for),
        NavItem(_("敏感词"), "archive:words", "shield-lock", roles=ADMINS),
        NavItem(_("超时质检"), "archive:rule", "clock", roles=ADMINS),
        NavItem(_("同意情况"), "archive:consents", "circle-check"),
    )
    add_to_nav(
        "settings",
        NavItem(_("企业微信接入"), "callbacks:connection", "plug-connected", roles=ADMINS),
        NavItem(_("会话存档接入"), "archive:settings", "key", roles=ADMINS),
        NavItem(_("员工"), "members:staff", "id-badge-2"),
        NavItem(_("操作员"), "accounts:operators", "user-shield", roles=ADMINS),
        NavItem(_("自定义字段与阶段"), "contacts:profile_settings", "adjustments", roles=ADMINS),
        NavItem(_("审计日志"), "console:audit_log", "history", roles=ADMINS),
    )
    if not SEARCHES:
        SEARCHES.append(Search(_("客户"), views.find))
        SEARCHES.append(Search(_("素材与话术"), library.find))
