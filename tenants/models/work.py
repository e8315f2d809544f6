"""Long jobs with a checkpoint, the scheduler's ledger, and what the vendor's people did."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models.tenant import Tenant


class Job(models.Model):
    """A long piece of work: killed anywhere, it goes on from its checkpoint."""

    class State(models.TextChoices):
        QUEUED = "queued", _("排队中")
        RUNNING = "running", _("进行中")
        DONE = "done", _("已完成")
        FAILED = "failed", _("失败")
        CANCELLED = "cancelled", _("已取消")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="jobs", verbose_name=_("企业"))
    kind = models.CharField(_("类型"), max_length=32)
    subject = models.CharField(_("对象"), max_length=64, blank=True)  # several of a kind may run, one for each subject
    state = models.CharField(_("状态"), max_length=16, choices=State, default=State.QUEUED)
    stage = models.CharField(_("阶段"), max_length=64, blank=True)
    done = models.PositiveIntegerField(_("已完成"), default=0)
    total = models.PositiveIntegerField(_("总数"), null=True)
    counts = models.JSONField(_("计数"), default=dict)
    checkpoint = models.JSONField(default=dict)
    params = models.JSONField(default=dict)
    error = models.CharField(_("原因"), max_length=500, blank=True)
    requested_by = models.CharField(_("发起人"), max_length=80, blank=True)
    cancel_requested = models.BooleanField(_("已请求取消"), default=False)
    attempts = models.PositiveSmallIntegerField(_("尝试次数"), default=0)  # failures since the last checkpoint
    due_at = models.DateTimeField(_("下次运行"), default=timezone.now)
    fence = models.PositiveIntegerField(default=0)  # grows with each take-up: an overtaken worker writes nothing more
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    started_at = models.DateTimeField(_("开始时间"), null=True)
    heartbeat_at = models.DateTimeField(_("最近心跳"), null=True)
    finished_at = models.DateTimeField(_("完成时间"), null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("长任务")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "subject"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_open_job_per_subject",
            )
        ]
        indexes = [models.Index(fields=["tenant", "kind", "-id"], name="job_recent")]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class Tick(models.Model):
    """One slot of one periodic job: the scheduler that inserts the row does the work, any other finds it done."""

    job = models.CharField(max_length=48)
    slot = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="tick_once")]


class VendorAudit(models.Model):
    """What the vendor's own people did to a tenant; never updated, never deleted by the application."""

    tenant = models.ForeignKey(Tenant, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("企业"))
    actor = models.CharField(_("操作人"), max_length=80)
    action = models.CharField(_("操作"), max_length=48)
    detail = models.JSONField(_("详情"), default=dict)
    at = models.DateTimeField(_("时间"), auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = _("平台审计")
        indexes = [models.Index(fields=["-at"], name="vendor_audit_recent")]

    def __str__(self) -> str:
        return f"{self.action} #{self.pk}"
