"""Rows of the shared schema as the vendor console sees them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from callbacks.models import InboxEvent
from tenants.models import Tenant


class InboxRow(models.Model):
    """Read-only view of callbacks.InboxEvent: Django's admin knows no composite keys, and the number alone is unique.
    No migration: the table is the other's."""

    id = models.BigIntegerField("ID", primary_key=True)
    event_day = models.DateField(_("事件日期"))
    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", verbose_name=_("企业")
    )
    name = models.CharField(_("事件"), max_length=80)
    lane = models.PositiveSmallIntegerField(_("处理通道"))
    urgent = models.BooleanField(_("加急"))
    suspect = models.BooleanField(_("可疑"))
    status = models.CharField(_("状态"), max_length=8, choices=InboxEvent.Status)
    attempts = models.PositiveSmallIntegerField(_("尝试次数"))
    due_at = models.DateTimeField(_("下次处理"))
    event_at = models.DateTimeField(_("事件时间"))
    received_at = models.DateTimeField(_("收到时间"))
    done_at = models.DateTimeField(_("完成时间"), null=True)
    last_error = models.CharField(_("原因"), max_length=300)

    class Meta:
        managed = False
        db_table = "callbacks_inbox"
        verbose_name = _("收到的事件")
        verbose_name_plural = _("收到的事件")

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"
