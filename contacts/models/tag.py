"""Corp tags as WeCom has them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantModel


class TagGroup(TenantModel):
    wecom_id = models.CharField(max_length=64)
    name = models.CharField(_("标签组"), max_length=64)
    order = models.BigIntegerField(default=0)
    strategy_id = models.BigIntegerField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["wecom_id"], name="tag_group_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_of_rules(self) -> bool:
        """Holds the tags that no listing of corp tags names: those of rule groups, which only WeCom's admin changes."""
        return not self.wecom_id

    @property
    def title(self) -> str:
        return str(_("规则组标签")) if self.is_of_rules else self.name


class Tag(TenantModel):
    wecom_id = models.CharField(max_length=64)
    group = models.ForeignKey(TagGroup, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(_("标签"), max_length=64)
    order = models.BigIntegerField(default=0)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["wecom_id"], name="tag_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        return self.name or str(_("未命名标签"))
