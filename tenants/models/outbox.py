"""Every outgoing call that changes something in WeCom is a row before it is a request."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.connection import CorpApp
from tenants.models.tenant import Tenant


class OutgoingCall(models.Model):
    """One call to WeCom that must happen: its body sealed, its state honest."""

    class State(models.TextChoices):
        PENDING = "pending", _("等待发送")
        LEASED = "leased", _("发送中")
        OK = "ok", _("成功")
        UNKNOWN = "unknown", _("结果未知")
        PARKED = "parked", _("等待修复配置")
        DEAD = "dead", _("失败")
        EXPIRED = "expired", _("已过期")
        IGNORED = "ignored", _("已忽略")

    class Priority(models.IntegerChoices):
        WELCOME = 0, _("欢迎语")
        INTERACTIVE = 1, _("即时操作")
        NOTICE = 2, _("任务通知")
        SYNC = 3, _("同步")
        BACKFILL = 4, _("补录")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="outgoing_calls", verbose_name=_("企业"))
    app = models.ForeignKey(
        CorpApp, on_delete=models.CASCADE, related_name="outgoing_calls", verbose_name=_("企业微信应用")
    )
    idem_key = models.CharField(_("幂等键"), max_length=160)
    api = models.CharField(_("接口"), max_length=80)
    purpose = models.CharField(_("用途"), max_length=32)  # names the handler of the outcome, see scrm/wiring.py
    subject = models.CharField(_("对象"), max_length=160, blank=True)  # calls with one subject go out in order
    priority = models.PositiveSmallIntegerField(_("优先级"), choices=Priority, default=Priority.INTERACTIVE)
    state = models.CharField(_("状态"), max_length=16, choices=State, default=State.PENDING)
    body = models.BinaryField()
    context = models.JSONField(default=dict)  # ids of our own rows for the outcome's handler; no personal data
    due_at = models.DateTimeField(_("下次发送"))
    deadline = models.DateTimeField(_("截止时间"), null=True)
    leased_until = models.DateTimeField(_("占用至"), null=True)
    attempts = models.PositiveSmallIntegerField(_("尝试次数"), default=0)
    result_code = models.IntegerField(_("错误码"), null=True)
    result_message = models.CharField(_("原因"), max_length=300, blank=True)
    result = models.JSONField(null=True)
    requested_by = models.CharField(_("发起人"), max_length=80, blank=True)
    note = models.CharField(_("备注"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    finished_at = models.DateTimeField(_("完成时间"), null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("发出的调用")
        constraints = [models.UniqueConstraint(fields=["tenant", "idem_key"], name="outgoing_call_once")]
        indexes = [
            models.Index(
                fields=["tenant", "priority", "due_at"],
                name="outgoing_due",
                condition=models.Q(state__in=["pending", "leased"]),
            ),
            models.Index(
                fields=["tenant", "state"],
                name="outgoing_trouble",
                condition=models.Q(state__in=["unknown", "parked", "dead", "expired"]),
            ),
            models.Index(
                fields=["tenant", "subject", "id"],
                name="outgoing_order",
                condition=models.Q(state__in=["pending", "leased", "parked", "unknown"]) & ~models.Q(subject=""),
            ),
            models.Index(fields=["tenant", "-id"], name="outgoing_recent"),
            models.Index(
                fields=["tenant", "created_at"], name="outgoing_welcomes", condition=models.Q(purpose="welcome")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.api} #{self.pk}"


class ApiBreaker(models.Model):
    """WeCom limits this app on this API, or is down for it: no call until `open_until`, then one probe."""

    class Reason(models.TextChoices):
        LIMITED = "limited", _("被限频")
        OUTAGE = "outage", _("企业微信故障")

    app = models.ForeignKey(CorpApp, on_delete=models.CASCADE, related_name="breakers")
    api = models.CharField(max_length=80)
    reason = models.CharField(max_length=8, choices=Reason, default=Reason.LIMITED)
    level = models.PositiveSmallIntegerField(default=0)
    open_until = models.DateTimeField()
    probed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "api"], name="breaker_once")]
