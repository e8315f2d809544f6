"""Staff, departments and the tags of contacts as WeCom has them, kept also after they left."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantModel


class Department(TenantModel):
    """A department; `path` lists the WeCom ids from the topmost visible ancestor down to itself."""

    wecom_id = models.BigIntegerField(unique=True)
    name = models.CharField(_("部门名称"), max_length=128)
    parent_wecom_id = models.BigIntegerField(null=True)
    path = ArrayField(models.BigIntegerField(), default=list)
    order = models.BigIntegerField(default=0)
    deleted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Staff(TenantModel):
    """A member of the corp. Names may be missing: WeCom hides them from some apps."""

    class Status(models.IntegerChoices):
        ACTIVE = 1, _("已激活")
        DISABLED = 2, _("已禁用")
        NOT_ACTIVATED = 4, _("未激活")
        LEFT = 5, _("已离职")

    class Sidebar(models.TextChoices):
        """Whether the member uses the sidebar: who does takes a seat."""

        NEVER = "", _("未使用")
        ON = "on", _("使用中")
        OFF = "off", _("已停用")
        REFUSED = "refused", _("席位不足")

    userid = models.CharField(max_length=64)
    userid_key = models.CharField(max_length=64)  # lower case: WeCom compares without case
    name = models.CharField(_("姓名"), max_length=64, blank=True)
    pinyin = models.CharField(max_length=128, blank=True)
    alias = models.CharField(max_length=64, blank=True)
    position = models.CharField(_("职务"), max_length=128, blank=True)
    avatar = models.CharField(max_length=500, blank=True)
    status = models.PositiveSmallIntegerField(choices=Status, default=Status.ACTIVE)
    main_department = models.ForeignKey(Department, on_delete=models.SET_NULL, null=True, related_name="+")
    can_follow = models.BooleanField(_("客户联系权限"), default=False)
    visible = models.BooleanField(_("在应用可见范围内"), default=True)
    direct_leader = models.CharField(max_length=64, blank=True, db_default="", default="")  # their `userid_key`
    left_at = models.DateTimeField(null=True)
    operator = models.OneToOneField(
        "accounts.Operator", on_delete=models.SET_NULL, null=True, related_name="staff", db_constraint=True
    )
    sidebar = models.CharField(max_length=8, choices=Sidebar, blank=True, db_default="", default="")
    sidebar_at = models.DateTimeField(null=True)  # since when it is so; of a refusal, the last one
    departments: "models.ManyToManyField[Department, StaffDepartment]" = models.ManyToManyField(
        Department, through="StaffDepartment", related_name="staff"
    )
    synced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["userid_key"], name="staff_userid_once")]

    def __str__(self) -> str:
        return self.name or self.userid


class StaffTag(TenantModel):
    """通讯录标签: a tag of contacts, on members and on whole departments. No event tells that one was deleted."""

    wecom_id = models.BigIntegerField(unique=True)
    name = models.CharField(_("标签名称"), max_length=64, blank=True)
    deleted_at = models.DateTimeField(null=True)
    staff: "models.ManyToManyField[Staff, StaffTagMember]" = models.ManyToManyField(
        Staff, through="StaffTagMember", related_name="staff_tags"
    )
    departments: "models.ManyToManyField[Department, StaffTagDepartment]" = models.ManyToManyField(
        Department, through="StaffTagDepartment", related_name="staff_tags"
    )

    def __str__(self) -> str:
        return self.name or str(self.wecom_id)


class StaffTagMember(TenantModel):
    """A member whom a tag names himself."""

    tag = models.ForeignKey(StaffTag, on_delete=models.CASCADE, related_name="+", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "staff"], name="staff_tag_member_once")]


class StaffTagDepartment(TenantModel):
    """A department in a tag: with it all who are placed there or below."""

    tag = models.ForeignKey(StaffTag, on_delete=models.CASCADE, related_name="+", db_index=False)
    department = models.ForeignKey(Department, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "department"], name="staff_tag_department_once")]


class StaffDepartment(TenantModel):
    """A staff member's place in a department."""

    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="placements")
    department = models.ForeignKey(Department, on_delete=models.CASCADE, related_name="placements")
    is_leader = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["staff", "department"], name="staff_department_once")]
