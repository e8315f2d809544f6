"""SOP: what is to be said to a customer, and when, from a beginning on."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models import Follow
from tenants.models import TenantModel


class Plan(TenantModel):
    """A plan; what it says stands in its versions. Who runs on a version stays on it."""

    name = models.CharField(_("SOP 名称"), max_length=30)
    enabled = models.BooleanField(_("启用"), default=False)
    trigger = models.CharField(max_length=16, blank=True)  # of the newest version, to find the plans of an event
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class PlanVersion(TenantModel):
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveSmallIntegerField(default=1)
    trigger = models.JSONField(default=dict)  # {"on": "added" | "tag" | "stage" | "segment", …}
    exits = models.JSONField(default=dict)  # what ends it early, asked again at the moment of every step
    published_at = models.DateTimeField(null=True)  # a draft until then
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "number"], name="plan_version_once")]


class Step(TenantModel):
    """A step falls due at an hour of the Nth day, or some minutes after the beginning."""

    version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE, related_name="steps", db_index=False)
    no = models.PositiveSmallIntegerField()
    day = models.PositiveSmallIntegerField(_("第几天"), null=True)  # 0 is the day of the beginning
    at = models.TimeField(_("时间"), null=True)
    after_minutes = models.PositiveIntegerField(_("之后分钟数"), null=True)
    workdays_only = models.BooleanField(_("仅工作日发送"), default=False, db_default=False)
    title = models.CharField(_("步骤名称"), max_length=40)
    content = models.JSONField(default=dict)  # text and materials, as `content.messages` reads them
    valid_hours = models.PositiveSmallIntegerField(_("有效时长"), default=24)  # then the task is overdue

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "no"], name="step_once"),
            models.CheckConstraint(
                condition=models.Q(after_minutes__isnull=True, day__isnull=False, at__isnull=False)
                | models.Q(after_minutes__isnull=False, day__isnull=True, at__isnull=True),
                name="step_has_one_time",
            ),
        ]


class Enrolment(TenantModel):
    """One friendship's run through one version. The same cause enrols once."""

    class State(models.TextChoices):
        ACTIVE = "active", _("进行中")
        DONE = "done", _("已完成")
        EXITED = "exited", _("已退出")

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="enrolments", db_index=False)
    version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="+")
    follow = models.ForeignKey(Follow, on_delete=models.CASCADE, related_name="+")
    cause = models.CharField(max_length=120)
    also = ArrayField(models.CharField(max_length=120), null=True)  # causes that came while it was on its way
    anchor_at = models.DateTimeField()  # what days and minutes count from
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    exit_reason = models.CharField(max_length=24, blank=True)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "follow", "cause"], name="enrolment_once")]
        indexes = [models.Index(fields=["plan", "-anchor_at", "-id"], name="enrolments_of_plan")]


class StepRun(TenantModel):
    """A step of an enrolment; while it waits, a row of the due index (kind `sop.step`) names it."""

    class State(models.TextChoices):
        WAITING = "waiting", _("未到时间")
        TASKED = "tasked", _("已生成任务")
        DONE = "done", _("已完成")
        SKIPPED = "skipped", _("已跳过")
        EXPIRED = "expired", _("已过期")
        CANCELLED = "cancelled", _("已取消")

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="runs", db_index=False)
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="+")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=24, blank=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["enrolment", "step"], name="step_run_once")]
