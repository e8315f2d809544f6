"""Long jobs with a checkpoint, the scheduler's ledger, and what the vendor's people did."""

from django.db import models
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

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=32)
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    stage = models.CharField(max_length=64, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True)
    counts = models.JSONField(default=dict)
    checkpoint = models.JSONField(default=dict)
    params = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)
    requested_by = models.CharField(max_length=80, blank=True)
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_open_job_per_kind",
            )
        ]
        indexes = [models.Index(fields=["tenant", "kind", "-id"], name="job_recent")]


class Tick(models.Model):
    """One slot of one periodic job: the scheduler that inserts the row does the work, any other finds it done."""

    job = models.CharField(max_length=48)
    slot = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="tick_once")]


class VendorAudit(models.Model):
    """What the vendor's own people did to a tenant; never updated, never deleted by the application."""

    tenant = models.ForeignKey(Tenant, on_delete=models.SET_NULL, null=True, related_name="+")
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=48)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["-at"], name="vendor_audit_recent")]
