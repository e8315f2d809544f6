"""群发: a message that many customers or groups get from their own staff, each of whom must confirm it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from members.models import Staff
from tagging.models import Segment
from tenants.models import TenantModel


class Broadcast(TenantModel):
    class Kind(models.TextChoices):
        CUSTOMERS = "customers", _("客户群发")
        GROUPS = "groups", _("客户群群发")

    class State(models.TextChoices):
        DRAFT = "draft", _("草稿")
        SCHEDULED = "scheduled", _("待发送")
        PLANNING = "planning", _("准备中")
        SENDING = "sending", _("进行中")
        STOPPED = "stopped", _("已停止")
        ENDED = "ended", _("已结束")
        FAILED = "failed", _("发送失败")

    kind = models.CharField(max_length=12, choices=Kind, default=Kind.CUSTOMERS)
    title = models.CharField(_("群发名称"), max_length=40)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, null=True, related_name="+")
    tree = models.JSONField(default=dict)  # the conditions as they were when it was sent
    staff_ids = ArrayField(models.BigIntegerField(), default=list)  # only through these; of groups, their owners
    content = models.JSONField(default=dict)  # text and materials, as `content.messages` reads them
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    origin = models.CharField(max_length=40, blank=True, default="", db_default="")  # as in `broadcasts.origins`
    remind_after = models.PositiveSmallIntegerField(null=True)  # hours, then who has not sent it is reminded
    reason = models.CharField(max_length=200, blank=True)  # why it failed
    send_at = models.DateTimeField(null=True)
    preflight = models.JSONField(default=dict)  # what was promised when it was sent
    created_by = models.CharField(max_length=80, blank=True)
    scope_staff_ids = ArrayField(models.BigIntegerField(), null=True)  # the range of who sent it; null: everybody
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    polled_at = models.DateTimeField(null=True)  # how fresh the results are
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["-id", "kind"], name="broadcast_recent"),
            models.Index(fields=["origin"], name="broadcast_origin", condition=~models.Q(origin="")),
        ]

    def __str__(self) -> str:
        return self.title


class BroadcastSender(TenantModel):
    """What one staff member is asked to send: at most 10,000 customers, or 2,000 groups, in one call to WeCom."""

    class State(models.TextChoices):
        PLANNED = "planned", _("等待通知")
        ASKED = "asked", _("正在通知")
        UNKNOWN = "unknown", _("结果未知，核对中")
        CREATED = "created", _("待员工确认")
        CONFIRMED = "confirmed", _("已发送")
        FAILED = "failed", _("失败")
        STOPPED = "stopped", _("已停止")

    broadcast = models.ForeignKey(Broadcast, on_delete=models.CASCADE, related_name="senders", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="+", db_index=False)
    part = models.PositiveSmallIntegerField(default=0)
    receivers = ArrayField(models.BigIntegerField())  # our ids of customers or groups
    total = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.PLANNED)
    msgid = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    # how many of the receivers have which result: the sums of `Delivery`, written with it
    sent = models.PositiveIntegerField(default=0)
    not_friend = models.PositiveIntegerField(default=0)
    at_limit = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(null=True)  # when WeCom took it
    confirmed_at = models.DateTimeField(null=True)
    poll_at = models.DateTimeField(null=True)
    reminded = models.PositiveSmallIntegerField(default=0)
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["broadcast", "staff", "part"], name="sender_once")]
        indexes = [
            models.Index(fields=["poll_at"], name="sender_to_poll", condition=models.Q(poll_at__isnull=False)),
            models.Index(fields=["msgid"], name="sender_msgid", condition=~models.Q(msgid="")),
        ]


class LeftOut(TenantModel):
    """Who was in the audience and is sent nothing, by reason, as it was planned."""

    class Reason(models.TextChoices):
        DELETED = "deleted", _("已不是好友")
        NO_SENDER = "no_sender", _("没有可发送的员工")
        AT_LIMIT = "at_limit", _("已达接收上限")

    broadcast = models.ForeignKey(Broadcast, on_delete=models.CASCADE, related_name="left_out", db_index=False)
    reason = models.CharField(max_length=12, choices=Reason)
    receivers = ArrayField(models.BigIntegerField())
    total = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["broadcast", "reason"], name="left_out_once")]


class Delivery(TenantModel):
    """What WeCom says became of one receiver. Who has no row was not reported on yet."""

    class State(models.TextChoices):
        WAITING = "waiting", _("待员工发送")
        SENT = "sent", _("已送达")
        NOT_FRIEND = "not_friend", _("已不是好友")
        AT_LIMIT = "at_limit", _("已达接收上限")
        REFUSED = "refused", _("企业微信未受理")

    sender = models.ForeignKey(BroadcastSender, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    receiver = models.BigIntegerField()  # our id of the customer or group
    state = models.CharField(max_length=12, choices=State)
    at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "receiver"], name="delivery_once")]
        indexes = [models.Index(fields=["receiver", "-at"], name="deliveries_to", condition=models.Q(state="sent"))]


class Receipts(TenantModel):
    """How many mass messages a customer or group got on a day, ours and those seen in WeCom: the limit is WeCom's."""

    kind = models.CharField(max_length=12, choices=Broadcast.Kind)
    receiver = models.BigIntegerField()
    day = models.DateField()
    count = models.PositiveSmallIntegerField(default=0)
    noted_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "receiver", "day"], name="receipts_once")]


class SeenSending(TenantModel):
    """A member's part in a mass message that was not ours, counted in `Receipts` once."""

    msgid = models.CharField(max_length=80)
    userid = models.CharField(max_length=64)
    noted_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["msgid", "userid"], name="seen_once")]


class ReceiveRule(TenantModel):
    """How many mass messages the company lets one receiver get, as an admin chose it in WeCom. One row a company."""

    class Span(models.TextChoices):
        MONTH = "month", _("每月与当月天数相同（默认）")
        WEEK = "week", _("每周 7 条")
        DAY = "day", _("每天 1 条")

    only = models.BooleanField(default=True, editable=False)
    span = models.CharField(_("每位客户、每个客户群的接收上限"), max_length=8, choices=Span, default=Span.MONTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["only"], condition=models.Q(only=True), name="one_receive_rule")]
