"""敏感词 and 超时质检: what is watched for, and the alerts, each of which ends at a named person."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from archive.models.message import ArchivedMessage, Conversation
from members.models import Staff
from tenants.models import TenantModel


class SensitiveWord(TenantModel):
    class By(models.TextChoices):
        ANYONE = "anyone", _("任何人")
        STAFF = "staff", _("员工")
        CUSTOMER = "customer", _("客户")

    word = models.CharField(_("敏感词"), max_length=32)
    by = models.CharField(_("谁说的"), max_length=8, choices=By, default=By.ANYONE)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["word"], condition=models.Q(archived_at=None), name="sensitive_word_once")
        ]


class ReplyRule(TenantModel):
    """超时质检: how long a customer may wait for an answer in working hours. One row a company."""

    only = models.BooleanField(default=True, editable=False)
    enabled = models.BooleanField(_("启用"), default=False)
    minutes = models.PositiveSmallIntegerField(_("超时分钟数"), default=15)
    from_time = models.TimeField(_("上班时间"), default="09:00")
    to_time = models.TimeField(_("下班时间"), default="18:00")
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, verbose_name=_("工作日"))  # 1 is Monday

    class Meta:
        constraints = [models.UniqueConstraint(fields=["only"], condition=models.Q(only=True), name="one_reply_rule")]


class Alert(TenantModel):
    class Kind(models.TextChoices):
        WORD = "word", _("敏感词")
        OVERDUE = "overdue", _("超时未回复")

    class State(models.TextChoices):
        OPEN = "open", _("待处理")
        HANDLED = "handled", _("已处理")
        WAIVED = "waived", _("无需处理")

    kind = models.CharField(max_length=8, choices=Kind)
    key = models.CharField(max_length=120, unique=True)  # the same cause alerts once
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    message = models.ForeignKey(ArchivedMessage, on_delete=models.CASCADE, related_name="+", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    word = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    assigned_to = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    handled_by = models.CharField(max_length=80, blank=True)
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["state", "-id"], name="alerts_by_state")]
