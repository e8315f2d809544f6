"""Who signs in: a tenant's operators in its schema, the vendor's own people in the public one."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantModel, TenantQuerySet


class OperatorManager(BaseUserManager["Operator"]):
    def get_queryset(self) -> TenantQuerySet["Operator"]:
        return TenantQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> "Operator":
        return self.get(username__iexact=username)


class Operator(AbstractBaseUser, TenantModel):
    """A person with a password and, when set up, a second factor."""

    class Role(models.TextChoices):
        OWNER = "owner", _("超级管理员")
        ADMIN = "admin", _("管理员")
        STAFF = "staff", _("员工")

    class Scope(models.TextChoices):
        SELF = "self", _("本人")
        DEPARTMENT = "department", _("本部门")
        SUBTREE = "subtree", _("本部门及下级")
        ALL = "all", _("全部")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(_("账号"), max_length=64)
    name = models.CharField(_("姓名"), max_length=64)
    role = models.CharField(_("角色"), max_length=16, choices=Role, default=Role.STAFF)
    scope = models.CharField(_("数据范围"), max_length=16, choices=Scope, default=Scope.SELF)
    language = models.CharField(_("语言"), max_length=8, default="zh-hans")
    is_active = models.BooleanField(_("启用"), default=True)
    totp_sealed = models.BinaryField(null=True)
    totp_confirmed_at = models.DateTimeField(null=True)
    totp_last_step = models.BigIntegerField(null=True)  # a code is accepted once
    must_change_password = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["name"]
    objects = OperatorManager()  # type: ignore[assignment,misc]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["username"], name="operator_username_once")]
        verbose_name = _("操作员")
        verbose_name_plural = _("操作员")

    def __str__(self) -> str:
        return self.name or self.username

    @property
    def has_second_factor(self) -> bool:
        return self.totp_confirmed_at is not None

    @property
    def should_add_second_factor(self) -> bool:
        """Owners and administrators see everything: their password alone is too little."""
        return self.role in {self.Role.OWNER, self.Role.ADMIN} and not self.has_second_factor

    @property
    def owes_second_factor(self) -> bool:
        """No other page opens before it is set up."""
        return settings.SECOND_FACTOR_REQUIRED and self.should_add_second_factor

    def may_manage(self, other: "Operator") -> bool:
        """Owners manage everyone, administrators everyone but owners; nobody changes the own role."""
        if not self.is_active or other.pk == self.pk:
            return False
        return self.role == self.Role.OWNER or (self.role == self.Role.ADMIN and other.role != self.Role.OWNER)

    @property
    def grantable_roles(self) -> list["Operator.Role"]:
        roles = {self.Role.OWNER: [*self.Role], self.Role.ADMIN: [self.Role.ADMIN, self.Role.STAFF]}
        return roles.get(self.Role(self.role), [])


class SignInFailures(TenantModel):
    """Wrong passwords and codes of a short while, by account name and by address."""

    subject = models.CharField(max_length=80, unique=True)  # "user:<name>" or "ip:<address>"
    count = models.PositiveSmallIntegerField(default=0)
    since = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)
