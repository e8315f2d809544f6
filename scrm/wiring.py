"""Every WeCom event we handle and every reaction across apps. Read this file first.

Connected once, when Django starts. An event that is named nowhere here is stored, counted and marked done.
"""

from collections.abc import Collection, Iterable
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from acquisition import codes, greet
from acquisition.models import ChannelCode, Welcome
from callbacks import gaps, inbox, partitions
from callbacks.models import InboxEvent
from callbacks.views import waiting_for_a_person
from console.jobs import JOB_GAPS, JOB_NAMES
from console.shell import SEARCHES, NavItem, Search, add_to_nav
from console.words import ACTIONS
from contacts import events as contact_events
from contacts import jobs as contact_jobs
from contacts import losses, profile_pages, remark, views
from contacts.models import TimelineEntry
from contacts.signals import follow_added, follow_ended, stage_changed, tags_changed
from contacts.twins import merge_twins
from contacts.unseen import unseen_by
from content import files as content_files
from content import library, media
from integrations.idempotency import forget_old_answers
from members import events as member_events
from members.signals import staff_merging
from tagging import criteria, marking, segments
from tenants import checks, housekeeping, schedule
from tenants.closing import SHARED_ROWS
from tenants.due import DUE_HANDLERS
from tenants.events import EVENT_OWNERS, URGENT_HANDLERS, Owner
from tenants.isolation import each_tenant
from tenants.jobs import JOB_KINDS, start
from tenants.models import CorpApp, Job, Tenant
from tenants.outcomes import MENDERS, OUTCOMES, RECONCILERS
from tenants.rotation import SEALED, SealedColumn
from tenants.schedule import Periodic, Poller
from wecom.errors import MediaExpired

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
    "code_create": codes.code_made,
    "code_update": codes.code_updated,
    "code_delete": codes.code_deleted,
    "mark_tag": marking.tags_marked,
    "remark": remark.remark_changed,
}


LOST_CREATES = {
    "externalcontact/add_contact_way": codes.find_made,
}


def compare_everything() -> None:
    """Every night, what events missed is found and mended; where nothing was synced yet there is nothing to compare."""
    each_tenant(lambda tenant: start("reconcile", by="schedule") if was_synced(tenant) else None)


def first_sync(app: CorpApp) -> None:
    """A connection that is green for the first time brings its customers, without anybody asking."""
    if not Job.objects.filter(tenant=app.tenant, kind="sync").exists():
        start("sync", by="first connection")


def customers_came(follow_ids: list[int], source: str, **_: object) -> None:
    """New friendships, not those that a first sync finds: what their channel code promises."""
    if source != TimelineEntry.Source.SYNC:
        codes.customers_came(follow_ids)


def code_names(states: Collection[str] | None) -> dict[str, str]:
    """Channel codes by what they leave on a friendship: those of these states, or all in use."""
    codes = (
        ChannelCode.objects.filter(archived_at=None) if states is None else ChannelCode.objects.filter(state__in=states)
    )
    return dict(codes.order_by("-id").values_list("state", "name"))


def materials_of_welcomes() -> Iterable[int]:
    """A welcome has seconds: what it carries lies at WeCom at any time."""
    return {pk for row in Welcome.objects.filter(enabled=True).values_list("materials", flat=True) for pk in row}


def was_synced(tenant: Tenant) -> bool:
    return Job.objects.filter(tenant=tenant, kind="sync", state=Job.State.DONE).exists()


SEALED_COLUMNS = [
    SealedColumn("accounts.Operator", "totp_sealed"),
    SealedColumn("contacts.Follow", "mobiles_sealed"),
]
PERIODIC = [
    *housekeeping.PERIODIC,
    Periodic("channel-codes", timedelta(minutes=1), lambda: each_tenant(lambda tenant: codes.keep_in_step())),
    Periodic("inbox-partitions", timedelta(hours=1), partitions.maintain),
    Periodic("unused-files", timedelta(days=1), lambda: each_tenant(lambda _: content_files.purge()), offset=NIGHT),
    Periodic("old-api-answers", timedelta(days=1), forget_old_answers, offset=NIGHT),
    Periodic("reconcile", timedelta(days=1), compare_everything, offset=NIGHT),
    Periodic("watched-segments", timedelta(minutes=2), segments.evaluate_watched),
    Periodic("count-segments", timedelta(hours=1), segments.recount_all),
]
POLLERS = [*housekeeping.POLLERS, Poller("inbox", inbox.poll), Poller("gaps", gaps.compare, every=5.0)]


def connect() -> None:
    """Fill the registries of the lower layers."""
    EVENT_OWNERS.update(WECOM_EVENTS)
    URGENT_HANDLERS.update(URGENT)
    OUTCOMES.update(OUTCOMES_OF_CALLS)
    RECONCILERS.update(LOST_CREATES)
    MENDERS[MediaExpired] = media.mend
    DUE_HANDLERS[media.DUE] = media.fall_due
    media.STANDING[:] = [materials_of_welcomes]
    follow_added.connect(customers_came)
    follow_ended.connect(losses.follows_ended, dispatch_uid="losses")
    JOB_KINDS.update(contact_jobs.KINDS)
    schedule.PERIODIC[:] = PERIODIC
    schedule.POLLERS[:] = POLLERS
    checks.RESUMERS[:] = [lambda app: inbox.resume_parked(app.tenant_id), first_sync]
    checks.WAITING[:] = [inbox.tenants_with_parked]
    SEALED.extend(column for column in SEALED_COLUMNS if column not in SEALED)
    SHARED_ROWS["callbacks_inbox"] = lambda tenant: InboxEvent.objects.filter(tenant_id=tenant.pk)
    criteria.CODE_NAMES[:] = [code_names]
    staff_merging.connect(merge_twins, dispatch_uid="twins")
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
        NavItem(_("人群包"), "tagging:segments", "users-group"),
        NavItem(_("待跟进"), "contacts:due", "calendar-event", badge=profile_pages.due_of),
        NavItem(_("流失提醒"), "contacts:losses", "user-x"),
    )
    add_to_nav("acquisition", NavItem(_("渠道活码"), "acquisition:codes", "qrcode"))
    add_to_nav("acquisition", NavItem(_("欢迎语"), "acquisition:welcome", "message-circle", roles=ADMINS))
    add_to_nav(
        "content",
        NavItem(_("素材库"), "content:materials", "photo"),
        NavItem(_("话术库"), "content:scripts", "message-2"),
    )
    add_to_nav(
        "settings",
        NavItem(_("企业微信接入"), "callbacks:connection", "plug-connected", roles=ADMINS),
        NavItem(_("员工"), "members:staff", "id-badge-2"),
        NavItem(_("操作员"), "accounts:operators", "user-shield", roles=ADMINS),
        NavItem(_("自定义字段与阶段"), "contacts:profile_settings", "adjustments", roles=ADMINS),
        NavItem(_("审计日志"), "console:audit_log", "history", roles=ADMINS),
    )
    if not SEARCHES:
        SEARCHES.append(Search(_("客户"), views.find))
        SEARCHES.append(Search(_("素材与话术"), library.find))


def say_in_words() -> None:
    """The names of jobs and acts on screen."""
    JOB_GAPS[:] = [unseen_by]
    JOB_NAMES.update(
        {
            "sync": _("同步企业微信数据"),
            "reconcile": _("核对企业微信数据"),
            "staff": _("员工与部门"),
            "tags": _("企业标签"),
            "customers": _("客户"),
            "groups": _("客户群"),
            "facts": _("人群包依据"),
            "facts_mended": _("修正客户"),
        }
    )
    ACTIONS.update(
        {
            "sync.start": _("发起同步"),
            "welcome.save": _("修改欢迎语"),
            "material.create": _("新建素材"),
            "material.change": _("修改素材"),
            "material.delete": _("删除素材"),
            "material.restore": _("恢复素材"),
            "script.create": _("新建话术"),
            "script.change": _("修改话术"),
            "script.delete": _("删除话术"),
            "script.restore": _("恢复话术"),
            "folder.create": _("新建文件夹"),
            "folder.change": _("修改文件夹"),
            "folder.delete": _("删除文件夹"),
            "welcome.delete": _("删除员工欢迎语"),
            "code.create": _("新建渠道活码"),
            "code.change": _("修改渠道活码"),
            "code.archive": _("停用渠道活码"),
            "code.pause": _("暂停或恢复活码员工"),
            "customer.tags": _("修改客户标签"),
            "customer.remark": _("修改客户备注"),
            "segment.save": _("保存人群包"),
            "segment.archive": _("删除人群包"),
            "segment.restore": _("恢复人群包"),
            "segment.watch": _("记录人群包进出"),
            "customer.stage": _("变更客户阶段"),
            "customer.fields": _("修改客户资料"),
            "loss_alert.save": _("修改流失提醒设置"),
            "stage.create": _("新建客户阶段"),
            "stage.change": _("修改客户阶段"),
            "stage.put_away": _("停用客户阶段"),
            "stage.bring_back": _("恢复客户阶段"),
            "field.create": _("新建自定义字段"),
            "field.change": _("修改自定义字段"),
            "field.put_away": _("停用自定义字段"),
            "field.bring_back": _("恢复自定义字段"),
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
