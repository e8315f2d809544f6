"""A company that uses the product, the hosts it is reached by, and the keys that guard its secrets."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    """One company; everything it owns about its customers lives in its schema."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("使用中")
        SUSPENDED = "suspended", _("已停用")
        MAINTENANCE = "maintenance", _("维护中")

    class Plan(models.TextChoices):
        TRIAL = "trial", _("试用版")
        STANDARD = "standard", _("标准版")
        ENTERPRISE = "enterprise", _("企业版")

    auto_create_schema = False
    auto_drop_schema = False

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("企业名称"), max_length=100)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.ACTIVE)
    plan = models.CharField(_("套餐"), max_length=16, choices=Plan, default=Plan.TRIAL)
    seats = models.PositiveIntegerField(_("席位数"), default=50)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    suspended_at = models.DateTimeField(_("停用时间"), null=True, blank=True)
    migration_state = models.CharField(max_length=200, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("企业")
        verbose_name_plural = _("企业")

    def __str__(self) -> str:
        return self.name


class Domain(DomainMixin):
    """A host name by which a tenant is reached; the `Host` header decides the tenant."""

    class Meta:
        verbose_name = _("域名")
        verbose_name_plural = _("域名")


class DomainFile(models.Model):
    """A `WW_verify_*.txt` that WeCom asks for at the root of a tenant's own domain."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domain_files")
    name = models.CharField(_("文件名"), max_length=64)
    content = models.CharField(_("文件内容"), max_length=256)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="domain_file_once")]


class TenantKey(models.Model):
    """A version of a tenant's data key, wrapped by one of the platform's key-encryption keys."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="keys")
    version = models.PositiveSmallIntegerField()
    kek_id = models.CharField(max_length=16)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "version"], name="tenant_key_version")]
