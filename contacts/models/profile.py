"""What a company notes about its customers: stages, follow-ups, fields of its own, and whom a loss is told to."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models.customer import Customer
from contacts.queries import FollowUpQuerySet
from members.models import Staff
from tenants.models import TenantModel


class Stage(TenantModel):
    """客户阶段: one place in the company's pipeline. A stage that was used is put away, never deleted."""

    class Outcome(models.TextChoices):
        OPEN = "open", _("跟进中")
        WON = "won", _("成交")
        LOST = "lost", _("放弃")

    name = models.CharField(_("阶段名称"), max_length=20)
    order = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(_("含义"), max_length=8, choices=Outcome, default=Outcome.OPEN)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(archived_at=None), name="stage_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class FollowUp(TenantModel):
    """跟进记录: what was said or agreed with a customer, and when to come back to it."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="follow_ups", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    by = models.CharField(max_length=80, blank=True)  # the operator, when no staff member wrote it
    text = models.TextField(_("跟进内容"), max_length=2000)
    next_at = models.DateTimeField(_("下次跟进时间"), null=True)
    next_done_at = models.DateTimeField(null=True)
    draft_key = models.CharField(max_length=40, blank=True)  # the same draft sent twice is one record
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    objects = models.Manager.from_queryset(FollowUpQuerySet)()  # type: ignore[misc]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draft_key"], condition=~models.Q(draft_key=""), name="follow_up_once")
        ]
        indexes = [
            models.Index(fields=["customer", "-created_at"], name="follow_up_of_customer"),
            models.Index(
                fields=["staff", "next_at"],
                name="follow_up_due",
                condition=models.Q(next_at__isnull=False, next_done_at=None),
            ),
            models.Index(
                fields=["next_at", "id"],
                name="follow_up_next",
                condition=models.Q(next_at__isnull=False, next_done_at=None),
            ),
        ]


class CustomField(TenantModel):
    """A field of the company's own on its customers; the values stand in `Customer.fields` under `key`."""

    class Kind(models.TextChoices):
        TEXT = "text", _("文本")
        NUMBER = "number", _("数字")
        DATE = "date", _("日期")
        CHOICE = "choice", _("单选")

    key = models.CharField(max_length=32)  # never changes: stored values stand under it
    name = models.CharField(_("字段名称"), max_length=20)
    kind = models.CharField(_("类型"), max_length=8, choices=Kind, default=Kind.TEXT)
    choices = ArrayField(models.CharField(max_length=30), default=list, blank=True, verbose_name=_("选项"))
    in_sidebar = models.BooleanField(_("显示在侧边栏"), default=True)
    order = models.PositiveSmallIntegerField(default=0)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], name="custom_field_key_once"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(archived_at=None), name="custom_field_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LossAlert(TenantModel):
    """流失提醒: who is told when a friendship ends. One row a company."""

    on_deleted_by_customer = models.BooleanField(_("客户删除员工时提醒"), default=True)
    on_deleted_by_staff = models.BooleanField(_("员工删除客户时提醒"), default=True)
    to_staff = models.BooleanField(_("提醒员工本人"), default=True)
    to_manager = models.BooleanField(_("提醒部门负责人"), default=True)
    only = models.BooleanField(default=True, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["only"], condition=models.Q(only=True), name="one_loss_alert")]
