"""审计日志: who did what in a tenant's console."""

from django.db import models

from tenants.models import TenantModel


class AuditEntry(TenantModel):
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=48)
    target = models.CharField(max_length=160, blank=True)
    detail = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["-at", "-id"], name="audit_recent")]
