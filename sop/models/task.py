"""任务: one thing for one staff member to do with one customer or group, by a time."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models import Customer, GroupChat
from members.models import Staff
from sop.models.plan import StepRun
from tagging.models import Segment
from tenants.models import TenantModel


class Assignment(TenantModel):
    """What headquarters asks of its staff: send this to these customers, between then and then."""

    class State(models.TextChoices):
        DRAFT = "draft", _("草稿")
        RUNNING = "running", _("进行中")
        STOPPED = "stopped", _("已停止")
        ENDED = "ended", _("已结束")

    title = models.CharField(_("任务名称"), max_length=40)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, null=True, related_name="+")
    tree = models.JSONField(default=dict)
    staff_ids = ArrayField(models.BigIntegerField(), default=list)  # empty: every friend of the customers
    content = models.JSONField(default=dict)
    starts_at = models.DateTimeField(_("开始时间"))
    ends_at = models.DateTimeField(_("截止时间"))
    target = models.PositiveSmallIntegerField(_("目标完成率"), default=100)  # per cent
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    scope_staff_ids = ArrayField(models.BigIntegerField(), null=True)  # the range of who made it; null: everybody
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    split_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.title


class StaffTask(TenantModel):
    class State(models.TextChoices):
        OPEN = "open", _("待完成")
        DONE = "done", _("已完成")
        SKIPPED = "skipped", _("已跳过")
        EXPIRED = "expired", _("已过期")
        CANCELLED = "cancelled", _("已取消")

    class Proof(models.TextChoices):
        SIDEBAR = "sidebar", _("侧边栏发送")
        MASS = "mass", _("群发结果")
        TICK = "tick", _("员工标记")

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="tasks", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="tasks", db_index=False)
    chat = models.ForeignKey(GroupChat, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    step_run = models.OneToOneField(StepRun, on_delete=models.CASCADE, null=True, related_name="task")
    assignment = models.ForeignKey(
        Assignment, on_delete=models.CASCADE, null=True, related_name="tasks", db_index=False
    )
    title = models.CharField(max_length=40)
    content = models.JSONField(default=dict)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    proof = models.CharField(max_length=8, choices=Proof, blank=True)
    sent = ArrayField(models.CharField(max_length=24), default=list)  # the parts of the content that went out already
    skip_reason = models.CharField(max_length=100, blank=True)
    settled_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assignment", "staff", "customer", "chat"],
                condition=models.Q(assignment__isnull=False),
                nulls_distinct=False,
                name="task_of_assignment_once",
            )
        ]
        indexes = [
            models.Index(fields=["staff", "ends_at"], name="tasks_open", condition=models.Q(state="open")),
            models.Index(fields=["customer", "ends_at"], name="tasks_of_customer", condition=models.Q(state="open")),
            models.Index(fields=["-ends_at", "-id"], name="tasks_by_end"),
            models.Index(fields=["starts_at"], name="tasks_begun"),
            models.Index(fields=["settled_at"], name="tasks_done", condition=models.Q(state="done")),
            models.Index(
                fields=["customer", "starts_at"],
                name="assigned_tasks_of_customer",
                condition=models.Q(assignment__isnull=False),
            ),
        ]
