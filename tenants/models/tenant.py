"""A company that uses the product, the hosts it is reached by, and the keys that guard its secrets."""

import uuid
from types import TracebackType
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin
from django_tenants.postgresql_backend.base import _check_schema_name

from tenants.db import connection


class Tenant(TenantMixin):  # type: ignore[misc]
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

    schema_name = models.CharField(
        _("标识"), max_length=63, unique=True, db_index=True, validators=[_check_schema_name]
    )

    uid = models.UUIDField(_("编号"), default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("企业名称"), max_length=100)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.ACTIVE)
    plan = models.CharField(_("套餐"), max_length=16, choices=Plan, default=Plan.TRIAL)
    seats = models.PositiveIntegerField(_("席位数"), default=50)
    seats_used = models.PositiveIntegerField(_("已用席位"), default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    suspended_at = models.DateTimeField(_("停用时间"), null=True, blank=True)
    migration_state = models.CharField(_("数据库版本"), max_length=200, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("企业")
        verbose_name_plural = _("企业")

    def __str__(self) -> str:
        return self.name

    def __enter__(self) -> Self:
        """`with tenant:` makes its schema the current one.

        What was current before is kept on the connection, which is a thread's own. The library keeps one list for all
        threads, where one thread takes what another one left.
        """
        if not hasattr(connection, "tenants_before"):
            connection.tenants_before = []
        connection.tenants_before.append(connection.tenant)
        connection.set_tenant(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection.set_tenant(connection.tenants_before.pop())


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name by which a tenant is reached; the `Host` header decides the tenant."""

    domain = models.CharField(_("域名"), max_length=253, unique=True, db_index=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains", verbose_name=_("企业"))
    is_primary = models.BooleanField(_("主域名"), default=True, db_index=True)

    class Meta:
        verbose_name = _("域名")
        verbose_name_plural = _("域名")


class DomainFile(models.Model):
    """A `WW_verify_*.txt` that WeCom asks for at the root of a tenant's own domain."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domain_files", verbose_name=_("企业"))
    name = models.CharField(_("文件名"), max_length=64)
    content = models.CharField(_("文件内容"), max_length=256)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = _("域名验证文件")
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
