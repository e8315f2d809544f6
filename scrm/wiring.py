"""Every WeCom event we handle and every reaction across apps. Read this file first.

Connected once, when Django starts. An event that is named nowhere here is stored, counted and marked done.
"""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from acquisition import greet
from callbacks import inbox, partitions
from callbacks.models import InboxEvent
from callbacks.views import waiting_for_a_person
from console.jobs import JOB_NAMES
from console.shell import SEARCHES, NavItem, Search, add_to_nav
from console.words import ACTIONS
from contacts import events as contact_events
from contacts import jobs as contact_jobs
from contacts import remark, views
from integrations.idempotency import forget_old_answers
from members import events as member_events
from tagging import marking
from tenants import checks, housekeeping, schedule
from tenants.closing import SHARED_ROWS
from tenants.events import EVENT_OWNERS, URGENT_HANDLERS, Owner
from tenants.isolation import each_tenant
from tenants.jobs import JOB_KINDS, start
from tenants.models import CorpApp, Job, Tenant
from tenants.outcomes import OUTCOMES
from tenants.rotation import SEALED, SealedColumn
from tenants.schedule import Periodic, Poller

ADMINS = ("owner", "admin")
NIGHT = timedelta(hours=18)  # 02:00 in China

WECOM_EVENTS = {
    "change_external_contact": Owner(contact_events.apply_customers, contact_events.read_customers),
    "change_external_chat": Owner(contact_events.apply_groups, contact_events.read_groups),
    "change_external_tag": Owner(contact_events.apply_tags, contact_events.read_tags),
    "change_contact": Owner(member_events.apply_contact, member_events.read_contact),
}

URGENT = {
    "change_external_contact.add_external_contact": greet.greet,
    "change_external_contact.add_half_external_contact": greet.greet,
}

OUTCOMES_OF_CALLS = {
    "welcome": greet.greeted,
    "mark_tag": marking.tags_marked,
    "remark": remark.remark_changed,
}


def compare_everything() -> None:
    """Every night, what events missed is found and mended; where nothing was synced yet there is nothing to compare."""
    each_tenant(lambda tenant: start("reconcile", by="schedule") if was_synced(tenant) else None)


def first_sync(app: CorpApp) -> None:
    """A connection that is green for the first time brings its customers, without anybody asking."""
    if not Job.objects.filter(tenant=app.tenant, kind="sync").exists():
        start("sync", by="first connection")


def was_synced(tenant: Tenant) -> bool:
    return Job.objects.filter(tenant=tenant, kind="sync", state=Job.State.DONE).exists()


SEALED_COLUMNS = [
    SealedColumn("accounts.Operator", "totp_sealed"),
    SealedColumn("contacts.Follow", "mobiles_sealed"),
]
PERIODIC = [
    *housekeeping.PERIODIC,
    Periodic("inbox-partitions", timedelta(hours=1), partitions.maintain),
    Periodic("old-api-answers", timedelta(days=1), forget_old_answers, offset=NIGHT),
    Periodic("reconcile", timedelta(days=1), compare_everything, offset=NIGHT),
]
POLLERS = [*housekeeping.POLLERS, Poller("inbox", inbox.poll)]


def connect() -> None:
    """Fill the registries of the lower layers."""
    EVENT_OWNERS.update(WECOM_EVENTS)
    URGENT_HANDLERS.update(URGENT)
    OUTCOMES.update(OUTCOMES_OF_CALLS)
    JOB_KINDS.update(contact_jobs.KINDS)
    schedule.PERIODIC[:] = PERIODIC
    schedule.POLLERS[:] = POLLERS
    checks.RESUMERS[:] = [lambda app: inbox.resume_parked(app.tenant_id), first_sync]
    checks.WAITING[:] = [inbox.tenants_with_parked]
    SEALED.extend(column for column in SEALED_COLUMNS if column not in SEALED)
    SHARED_ROWS["callbacks_inbox"] = lambda tenant: InboxEvent.objects.filter(tenant_id=tenant.pk)
    fill_the_rail()
    say_in_words()


def fill_the_rail() -> None:
    """The pages of the console, in the order of the rail."""
    add_to_nav(
        "home",
        NavItem(_("工作台"), "console:home", "layout-dashboard"),
        NavItem(_("待办与异常"), "callbacks:trouble", "urgent", badge=waiting_for_a_person),
    )
    add_to_nav(
        "customers",
        NavItem(_("客户列表"), "contacts:customers", "users"),
        NavItem(_("客户群"), "contacts:groups", "messages"),
        NavItem(_("标签"), "tagging:tags", "tags"),
    )
    add_to_nav("acquisition", NavItem(_("欢迎语"), "acquisition:welcome", "message-circle", roles=ADMINS))
    add_to_nav(
        "settings",
        NavItem(_("企业微信接入"), "callbacks:connection", "plug-connected", roles=ADMINS),
        NavItem(_("员工"), "members:staff", "id-badge-2"),
        NavItem(_("操作员"), "accounts:operators", "user-shield", roles=ADMINS),
        NavItem(_("审计日志"), "console:audit_log", "history", roles=ADMINS),
    )
    if not SEARCHES:
        SEARCHES.append(Search(_("客户"), views.find))


def say_in_words() -> None:
    """The names of jobs and acts on screen."""
    JOB_NAMES.update(
        {
            "sync": _("同步企业微信数据"),
            "reconcile": _("核对企业微信数据"),
            "staff": _("员工与部门"),
            "tags": _("企业标签"),
            "customers": _("客户"),
            "groups": _("客户群"),
        }
    )
    ACTIONS.update(
        {
            "sync.start": _("发起同步"),
            "welcome.save": _("修改欢迎语"),
            "customer.tags": _("修改客户标签"),
            "customer.remark": _("修改客户备注"),
            "staff.link_operator": _("关联员工与后台账号"),
            "connection.save": _("修改企业微信接入"),
            "connection.reveal_token": _("查看回调 Token"),
            "connection.renew_token": _("更换回调 Token"),
            "connection.verify_file": _("上传域名校验文件"),
            "inbox.replay": _("重试事件"),
            "inbox.ignore": _("忽略事件"),
            "outbox.retry": _("重试调用"),
            "outbox.ignore": _("忽略调用"),
        }
    )
