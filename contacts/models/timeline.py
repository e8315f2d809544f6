"""动态: what happened to a customer or a group, once each."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models.customer import Customer
from contacts.models.group import GroupChat
from contacts.queries import TimelineQuerySet
from members.models import Staff
from tenants.models import TenantModel


class TimelineEntry(TenantModel):
    class Source(models.TextChoices):
        CALLBACK = "callback", _("企业微信事件")
        SYNC = "sync", _("同步")
        RECONCILE = "reconcile", _("核对补齐")
        CONSOLE = "console", _("后台")
        SIDEBAR = "sidebar", _("侧边栏")
        API = "api", _("接口")
        SYSTEM = "system", _("系统")

    class Kind(models.TextChoices):
        FOLLOW_ADDED = "follow_added", _("添加好友")
        FOLLOW_HALF_ADDED = "follow_half_added", _("客户单向添加")
        DELETED_BY_STAFF = "deleted_by_staff", _("员工删除客户")
        DELETED_BY_CUSTOMER = "deleted_by_customer", _("客户删除员工")
        TRANSFERRED = "transferred", _("客户已转交")
        TRANSFER_FAILED = "transfer_failed", _("转交失败")
        FOLLOW_VANISHED = "follow_vanished", _("企业微信中已不存在该好友")
        REMARK_CHANGED = "remark_changed", _("修改备注")
        TAGS_CHANGED = "tags_changed", _("标签变更")
        TAGS_FAILED = "tags_failed", _("标签变更失败")
        REMARK_FAILED = "remark_failed", _("修改备注失败")
        ARCHIVE_AGREED = "archive_agreed", _("同意会话存档")
        WELCOME_SENT = "welcome_sent", _("已发送欢迎语")
        WELCOME_FAILED = "welcome_failed", _("欢迎语发送失败")
        STAGE_CHANGED = "stage_changed", _("变更阶段")
        FIELDS_CHANGED = "fields_changed", _("修改客户资料")
        FOLLOWED_UP = "followed_up", _("写跟进")
        LINK_OPENED = "link_opened", _("打开链接")
        CONTENT_SENT = "content_sent", _("发送内容")
        BROADCAST_SENT = "broadcast_sent", _("收到群发")
        SOP_ENROLLED = "sop_enrolled", _("进入 SOP")
        SOP_EXITED = "sop_exited", _("退出 SOP")
        TASK_DONE = "task_done", _("完成任务")
        TASK_SKIPPED = "task_skipped", _("跳过任务")
        GROUP_CREATED = "group_created", _("创建客户群")
        GROUP_JOINED = "group_joined", _("加入客户群")
        GROUP_LEFT = "group_left", _("离开客户群")
        GROUP_OWNER_CHANGED = "group_owner_changed", _("群主变更")
        GROUP_RENAMED = "group_renamed", _("群名称变更")
        GROUP_NOTICE_CHANGED = "group_notice_changed", _("群公告变更")
        GROUP_DISMISSED = "group_dismissed", _("群已解散")

    key = models.CharField(max_length=120)  # the same fact told twice is one entry
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="timeline", db_index=False)
    chat = models.ForeignKey(GroupChat, on_delete=models.CASCADE, null=True, related_name="timeline", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=32, choices=Kind)
    at = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source)
    actor = models.CharField(max_length=80, blank=True)
    payload = models.JSONField(default=dict, db_default=models.Value({}, output_field=models.JSONField()))
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    objects = models.Manager.from_queryset(TimelineQuerySet)()  # type: ignore[misc]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key"], name="timeline_once")]
        indexes = [
            models.Index(fields=["customer", "-at", "-id"], name="timeline_of_customer"),
            models.Index(
                fields=["chat", "-at", "-id"], name="timeline_of_chat", condition=models.Q(chat__isnull=False)
            ),
        ]
