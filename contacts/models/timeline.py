"""动态: what happened to a customer or a group, once each."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models.customer import Customer
from contacts.models.group import GroupChat
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

    key = models.CharField(max_length=120)  # the same fact told twice is one entry
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="timeline")
    chat = models.ForeignKey(GroupChat, on_delete=models.CASCADE, null=True, related_name="timeline")
    staff = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=32)
    at = models.DateTimeField()
    source = models.CharField(max_length=16, choices=Source)
    actor = models.CharField(max_length=80, blank=True)
    payload = models.JSONField(default=dict, db_default=models.Value({}, output_field=models.JSONField()))
    created_at = models.DateTimeField(auto_now_add=True, db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key"], name="timeline_once")]
        indexes = [
            models.Index(fields=["customer", "-at", "-id"], name="timeline_of_customer"),
            models.Index(
                fields=["chat", "-at", "-id"], name="timeline_of_chat", condition=models.Q(chat__isnull=False)
            ),
        ]
