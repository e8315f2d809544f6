"""渠道活码 and 欢迎语: how customers come, and what they are greeted with."""

import secrets
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models import Stage
from members.models import Staff
from tenants.models import TenantModel


def new_state() -> str:
    """WeCom gives it back with every customer of the code: 30 characters at most, and it tells nobody anything."""
    return f"c{secrets.token_hex(8)}"


class Welcome(TenantModel):
    """A greeting: that of a code wins over that of a staff member, which wins over the default one."""

    class Reach(models.TextChoices):
        DEFAULT = "default", _("默认欢迎语")
        STAFF = "staff", _("员工欢迎语")
        CODE = "code", _("活码欢迎语")

    reach = models.CharField(max_length=16, choices=Reach, default=Reach.DEFAULT)
    name = models.CharField(_("名称"), max_length=30, blank=True)
    text = models.TextField(_("欢迎语内容"), blank=True)
    materials = ArrayField(models.BigIntegerField(), default=list, blank=True)  # attachments, in order
    staff_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)  # whose customers, for STAFF
    enabled = models.BooleanField(_("启用"), default=True)
    updated_by = models.CharField(max_length=80, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reach"], condition=models.Q(reach="default"), name="one_default_welcome")
        ]

    @property
    def content(self) -> dict[str, Any]:
        """As `content.messages` reads it."""
        return {"text": self.text, "materials": self.materials}


class ChannelCode(TenantModel):
    """渠道活码: a QR code that adds one of several staff, and tells by which way a customer came."""

    class Status(models.TextChoices):
        CREATING = "creating", _("创建中")
        ACTIVE = "active", _("使用中")
        FAILED = "failed", _("创建失败")
        STOPPED = "stopped", _("已停用")

    state = models.CharField(max_length=30, unique=True, default=new_state, editable=False)
    name = models.CharField(_("活码名称"), max_length=30)
    group = models.CharField(_("分组"), max_length=20, blank=True)
    skip_verify = models.BooleanField(_("自动通过好友"), default=True)
    tag_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    stage = models.ForeignKey(Stage, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)
    welcome = models.OneToOneField(Welcome, on_delete=models.SET_NULL, null=True, related_name="code")
    status = models.CharField(max_length=12, choices=Status, default=Status.CREATING)
    config_id = models.CharField(max_length=64, blank=True)
    qr_code = models.CharField(max_length=500, blank=True)  # what WeCom's picture says is read from it, see qr.py
    pushed = models.JSONField(default=dict)  # what WeCom has now: users, skip_verify
    pushed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class CodeStaff(TenantModel):
    """A staff member behind a code."""

    code = models.ForeignKey(ChannelCode, on_delete=models.CASCADE, related_name="places", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="+")
    backup = models.BooleanField(_("备用员工"), default=False)
    daily_cap = models.PositiveIntegerField(_("每日上限"), null=True, blank=True)
    paused_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code", "staff"], name="code_staff_once")]


class CodeShift(TenantModel):
    """自动排班: hours at which some of a code's staff serve; who stands in none of its shifts serves at any hour."""

    class Weekday(models.IntegerChoices):
        MONDAY = 1, _("周一")
        TUESDAY = 2, _("周二")
        WEDNESDAY = 3, _("周三")
        THURSDAY = 4, _("周四")
        FRIDAY = 5, _("周五")
        SATURDAY = 6, _("周六")
        SUNDAY = 7, _("周日")

    code = models.ForeignKey(ChannelCode, on_delete=models.CASCADE, related_name="shifts")
    weekdays = ArrayField(models.PositiveSmallIntegerField())
    begins = models.TimeField(_("开始时间"))
    ends = models.TimeField(_("结束时间"))  # not after the beginning: on the next day
    staff_ids = ArrayField(models.BigIntegerField(), default=list)

    @property
    def in_words(self) -> str:
        end = f"{self.ends:%H:%M}"
        end = end if self.ends > self.begins else _("次日 %(time)s") % {"time": end}
        return f"{self._days()} {self.begins:%H:%M}–{end}"

    def _days(self) -> str:
        numbers = sorted(set(self.weekdays))
        days = [str(self.Weekday(number).label) for number in numbers]
        if len(days) == len(self.Weekday):
            return str(_("每天"))
        if len(days) > 2 and numbers[-1] - numbers[0] == len(days) - 1:
            return _("%(first)s至%(last)s") % {"first": days[0], "last": days[-1]}
        return str(_("、")).join(days)
