"""自动标签: when something happens to a friendship, tags go on or come off."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models import Follow
from tenants.models import TenantModel


class TagRule(TenantModel):
    """A trigger, its conditions and its effect. The triggers are declared in `tagging.triggers`."""

    name = models.CharField(_("规则名称"), max_length=30)
    trigger = models.CharField(_("触发条件"), max_length=24)
    conditions = models.JSONField(default=dict)  # as the trigger's form cleaned them
    add = ArrayField(models.BigIntegerField(), default=list)
    remove = ArrayField(models.BigIntegerField(), default=list)
    enabled = models.BooleanField(_("启用"), default=False)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class RuleHit(TenantModel):
    """One effect of a rule on one friendship, with the reason. The same cause has one effect."""

    class State(models.TextChoices):
        ASKED = "asked", _("等待企业微信确认")
        DONE = "done", _("已完成")
        UNCHANGED = "unchanged", _("无需变更")
        FAILED = "failed", _("失败")
        STOPPED = "stopped", _("已阻止循环")

    rule = models.ForeignKey(TagRule, on_delete=models.CASCADE, related_name="hits", db_index=False)
    follow = models.ForeignKey(Follow, on_delete=models.CASCADE, related_name="+", db_index=False)
    cause = models.CharField(max_length=120)  # the fact that fired it, such as "link_opened:814"
    reason = models.JSONField(default=dict)  # what of the fact met the conditions
    state = models.CharField(max_length=12, choices=State, default=State.ASKED)
    detail = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "follow", "cause"], name="rule_hit_once")]
        indexes = [
            models.Index(fields=["rule", "-id"], name="rule_hits"),
            models.Index(fields=["follow", "-at"], name="rule_hits_of_follow"),
        ]
