"""Keys of the Open API and the answers already given to repeated requests."""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.isolation import each_tenant
from tenants.models import TenantModel


class ApiKey(TenantModel):
    """A key of a tenant's own systems: only its hash is kept."""

    prefix = models.CharField(max_length=12)
    digest = models.BinaryField()
    name = models.CharField(_("用途"), max_length=64)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prefix"], name="api_key_prefix_once")]


class IdempotentRequest(TenantModel):
    """The answer to a write that carried an Idempotency-Key: a repeat gets the same one."""

    KEPT = timedelta(days=7)  # after a week nobody repeats a request

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=128)
    request_hash = models.BinaryField()
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "key"], name="idempotent_request_once")]

    @classmethod
    def forget_old(cls) -> int:
        """In every tenant; how many were forgotten."""
        forgotten: list[int] = []
        before = timezone.now() - cls.KEPT
        each_tenant(lambda _: forgotten.append(cls.objects.filter(created_at__lt=before).delete()[0]))
        return sum(forgotten)
