"""Every WeCom event we handle and every reaction across apps. Read this file first.

Connected once, when Django starts. An event that is named nowhere here is stored, counted and marked done.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from acquisition import codes, greet
from acquisition.models import ChannelCode, Welcome
from archive import alert_pages, consents, lag, overdue
from archive import events as archive_events
from archive import tasks as archive_tasks
from archive.signals import messages_arrived
from archive.twins import merge_talks
from broadcasts import audience, lookup, reminders, results, seen, sending
from broadcasts.twins import merge_senders
from callbacks import gaps, inbox, partitions
from callbacks.models import InboxEvent
from callbacks.views import waiting_for_a_person
from console.jobs import JOB_GAPS, JOB_NAMES
from console.shell import SEARCHES, NavItem, Search, add_to_nav
from console.words import ACTIONS
from contacts import events as contact_events
from contacts import jobs as contact_jobs
from contacts import losses, profile_pages, remark, views
from contacts import reminders as contact_reminders
from contacts.models import TimelineEntry
from contacts.signals import follow_added, follow_ended, stage_changed, tags_changed
from contacts.twins import merge_twins
from contacts.unseen import unseen_by
from content import files as content_files
from content import library, media, storage
from content.signals import link_opened
from content.signals import sent as content_sent
from integrations.idempotency import forget_old_answers
from members import events as member_events
from members.signals import staff_left, staff_merging
from scrm import facts
from sop import assignments, enrol, remind, steps
from sop import exits as sop_exits
from sop import tasks as staff_tasks
from tagging import corp_tags, criteria, marking, rule_conditions, runs, segments, triggers
from tagging.signals import segment_entered
from tenants import checks, housekeeping, schedule
from tenants.closing import ELSEWHERE, SHARED_ROWS, Elsewhere
from tenants.due import DUE_HANDLERS
from tenants.events import EVENT_OWNERS, URGENT_HANDLERS, Owner, Reading
from tenants.isolation import each_tenant
from tenants.jobs import JOB_KINDS, start
from tenants.models import CorpApp, Job, Tenant
from tenants.outcomes import MENDERS, OUTCOMES, RECONCILERS
from tenants.rotation import SEALED, SealedColumn
from tenants.schedule import Periodic, Poller
from wecom.errors import MediaExpired
from wecom.events import Event

ADMINS = ("owner", "admin")
NIGHT = timedelta(hours=18)  # 02:00 in China


def customers_changed(events: Sequence[Event], reading: Reading) -> None:
    """One of these events is the archive's, too."""
    contact_events.apply_customers(events, reading)
    archive_events.apply_approved([event for event in events if event.key.endswith(".msg_audit_approved")], reading)


WECOM_EVENTS = {
    "change_external_contact": Owner(customers_changed, contact_events.read_customers),
    "change_external_chat": Owner(contact_events.apply_groups, contact_events.read_groups),
    "change_external_tag": Owner(contact_events.apply_tags, contact_events.read_tags),
    "change_contact": Owner(member_events.apply_contact, member_events.read_contact),
    "msgaudit_notify": Owner(archive_events.apply_notify),
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
    "broadcast": sending.asked,
    "broadcast_stop": sending.cancelled,
    "broadcast_remind": reminders.reminded,
    "mark_tag": marking.tags_marked,
    "tags_add": corp_tags.tags_added,
    "tag_edit": corp_tags.tag_edited,
    "tags_delete": corp_tags.tags_deleted,
    "remark": remark.remark_changed,
}


LOST_CREATES = {
    "externalcontact/add_corp_tag": corp_tags.find_added,
    "externalcontact/add_contact_way": codes.find_made,
    sending.API: lookup.find_made,
}


TALKS_OF_ARCHIVE = """SELECT customer_id, unnest(staff_ids), last_at FROM archive_conversation
WHERE kind = 'customer' AND customer_id IS NOT NULL"""
"""For broadcasts: who exchanged messages with whom, as the archive knows it."""


def compare_everything() -> None:
    """Every night, what events missed is found and mended; where nothing was synced yet there is nothing to compare."""
    each_tenant(lambda tenant: start("reconcile", by="schedule") if was_synced(tenant) else None)


def look_elsewhere() -> None:
    """Mass messages that others sent count against the limit of those who got them."""
    each_tenant(lambda tenant: start(seen.JOB, by="schedule") if was_synced(tenant) else None)


def first_sync(app: CorpApp) -> None:
    """A connection that is green for the first time brings its customers, without anybody asking."""
    if not Job.objects.filter(tenant=app.tenant, kind="sync").exists():
        start("sync", by="first connection")


def customers_came(follow_ids: list[int], source: str, **_: object) -> None:
    """New friendships, not those that a first sync finds: what their channel code promises."""
    if source != TimelineEntry.Source.SYNC:
        codes.customers_came(follow_ids)
        enrol.follows_added(follow_ids)


def friendships_ended(follow_ids: list[int], **_: object) -> None:
    """What was still to be done for them is a colleague's, or nobody's."""
    staff_tasks.follows_ended(follow_ids)
    sop_exits.follows_ended(follow_ids)


def tags_were_changed(follow_ids: list[int], source: str, **_: object) -> None:
    if source != TimelineEntry.Source.SYNC:
        enrol.tags_put(follow_ids)


def stage_was_reached(customer_ids: list[int], stage_id: int | None, source: str, **_: object) -> None:
    if source != TimelineEntry.Source.SYNC:
        enrol.stage_reached(customer_ids, stage_id)


def segment_was_entered(segment_id: int, customer_ids: list[int], **_: object) -> None:
    enrol.segment_entered(segment_id, customer_ids)


def content_was_sent(sending_ids: list[int], **_: object) -> None:
    staff_tasks.proved_by(sending_ids)


def members_left(staff_ids: list[int], **_: object) -> None:
    staff_tasks.staff_left(staff_ids)


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


FALLING_DUE = {
    contact_reminders.DUE: contact_reminders.fall_due,
    enrol.STEP: steps.fall_due,
    staff_tasks.DUE: staff_tasks.ended,
    remind.DIGEST: remind.tell_due,
    assignments.STARTS: assignments.started,
    assignments.DUE: assignments.over,
    archive_tasks.DUE: archive_tasks.fall_due,
    overdue.DUE: overdue.fall_due,
}
SEALED_COLUMNS = [
    SealedColumn("accounts.Operator", "totp_sealed"),
    SealedColumn("contacts.Follow", "mobiles_sealed"),
]
PERIODIC = [
    *housekeeping.PERIODIC,
    Periodic("channel-codes", timedelta(minutes=1), lambda: each_tenant(lambda tenant: codes.keep_in_step())),
    Periodic("inbox-partitions", timedelta(hours=1), partitions.maintain),
    Periodic("mass-messages-elsewhere", timedelta(days=1), look_elsewhere, offset=NIGHT),
    Periodic("unused-files", timedelta(days=1), lambda: each_tenant(lambda _: content_files.purge()), offset=NIGHT),
    Periodic("old-api-answers", timedelta(days=1), forget_old_answers, offset=NIGHT),
    Periodic("reconcile", timedelta(days=1), compare_everything, offset=NIGHT),
    Periodic("archives", timedelta(hours=1), lambda: each_tenant(lambda _: archive_tasks.keep_going())),
    Periodic("archives-behind", timedelta(minutes=30), lambda: each_tenant(lambda _: lag.tell_if_late())),
    Periodic("consents", timedelta(days=1), lambda: each_tenant(lambda _: consents.check_later()), offset=NIGHT),
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
    ELSEWHERE[:] = [Elsewhere(storage.copy_of_tenant, storage.delete_of_tenant)]
    follow_added.connect(customers_came)
    follow_ended.connect(losses.follows_ended, dispatch_uid="losses")
    follow_ended.connect(friendships_ended)
    tags_changed.connect(tags_were_changed)
    stage_changed.connect(stage_was_reached)
    segment_entered.connect(segment_was_entered)
    content_sent.connect(content_was_sent)
    staff_left.connect(members_left)
    DUE_HANDLERS.update(FALLING_DUE)
    JOB_KINDS.update(contact_jobs.KINDS)
    JOB_KINDS[runs.KIND] = runs.carry_out
    JOB_KINDS.update({sending.JOB: sending.work, results.JOB: results.work, reminders.JOB: reminders.work})
    JOB_KINDS[seen.JOB] = seen.work
    DUE_HANDLERS.update({sending.DUE: sending.fall_due, results.DUE: results.fall_due})
    audience.TALKS[1:] = [TALKS_OF_ARCHIVE]
    JOB_KINDS[assignments.JOB] = assignments.split
    JOB_KINDS[consents.JOB] = consents.check
    schedule.PERIODIC[:] = PERIODIC
    schedule.POLLERS[:] = POLLERS
    checks.RESUMERS[:] = [lambda app: inbox.resume_parked(app.tenant_id), first_sync]
    checks.WAITING[:] = [inbox.tenants_with_parked]
    SEALED.extend(column for column in SEALED_COLUMNS if column not in SEALED)
    SHARED_ROWS["callbacks_inbox"] = lambda tenant: InboxEvent.objects.filter(tenant_id=tenant.pk)
    criteria.CODE_NAMES[:] = [code_names]
    rule_conditions.MATERIAL_NAMES[:] = [facts.material_names]
    triggers.PAST["message"] = facts.messages_since
    follow_added.connect(facts.friends_came, dispatch_uid="rules_added")
    stage_changed.connect(facts.stage_was_reached, dispatch_uid="rules_stage")
    link_opened.connect(facts.links_were_opened, dispatch_uid="rules_opened")
    messages_arrived.connect(facts.messages_came, dispatch_uid="rules_message")
    staff_merging.connect(merge_twins, dispatch_uid="twins")
    staff_merging.connect(merge_talks, dispatch_uid="twins of talks")
    staff_merging.connect(merge_senders, dispatch_uid="twins of broadcasts")
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
            "tag_run": _("批量打标签"),
            "facts": _("人群包依据"),
            "facts_mended": _("修正客户"),
            "consents": _("核对同意情况"),
            "assignment": _("派发总部任务"),
            "tasks": _("生成任务"),
            "no_friend": _("没有在职好友员工"),
            "broadcast": _("通知员工群发"),
            "broadcast_plan": _("计算受众"),
            "broadcast_ask": _("通知员工"),
            "broadcast_results": _("更新群发结果"),
            "broadcast_remind": _("提醒员工发送"),
            "broadcast_seen": _("统计其他渠道的群发"),
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
            "broadcast.save": _("保存群发"),
            "broadcast.send": _("发送群发"),
            "broadcast.unschedule": _("取消定时群发"),
            "broadcast.stop": _("停止群发"),
            "broadcast.remind": _("提醒员工发送群发"),
            "broadcast.retry": _("重新通知群发员工"),
            "broadcast.delete": _("删除群发草稿"),
            "broadcast.rule": _("修改群发接收上限"),
            "code.create": _("新建渠道活码"),
            "code.change": _("修改渠道活码"),
            "code.archive": _("停用渠道活码"),
            "code.pause": _("暂停或恢复活码员工"),
            "sop.create": _("新建 SOP"),
            "sop.change": _("修改 SOP"),
            "sop.publish": _("发布 SOP"),
            "sop.discard": _("放弃 SOP 草稿"),
            "sop.switch": _("启用或停用 SOP"),
            "sop.archive": _("删除 SOP"),
            "sop.leave": _("移出 SOP 客户"),
            "task.urge": _("催办任务"),
            "assignment.save": _("保存总部任务"),
            "assignment.publish": _("派发总部任务"),
            "assignment.stop": _("停止总部任务"),
            "customer.tags": _("修改客户标签"),
            "customer.remark": _("修改客户备注"),
            "tag.create": _("新建标签"),
            "tag.rename": _("重命名标签"),
            "tag.delete": _("删除标签"),
            "tag_run.start": _("批量打标签"),
            "tag_run.cancel": _("停止批量打标签"),
            "tag_run.undo": _("撤销批量打标签"),
            "tag_rule.create": _("新建自动标签规则"),
            "tag_rule.change": _("修改自动标签规则"),
            "tag_rule.switch": _("启用或停用自动标签规则"),
            "tag_rule.delete": _("删除自动标签规则"),
            "tag_rule.restore": _("恢复自动标签规则"),
            "segment.save": _("保存人群包"),
            "segment.archive": _("删除人群包"),
            "archive.read": _("查看会话存档"),
            "archive.search": _("搜索会话存档"),
            "archive.file": _("查看会话文件"),
            "archive.secret": _("修改会话存档 Secret"),
            "archive.key": _("新增会话存档私钥"),
            "archive.pull": _("立即拉取会话存档"),
            "archive.consents": _("核对同意情况"),
            "word.create": _("新增敏感词"),
            "word.delete": _("删除敏感词"),
            "reply_rule.save": _("修改超时质检规则"),
            "alert.settle": _("处理会话预警"),
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
