"""欢迎语: what a new customer is greeted with."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantModel


class Welcome(TenantModel):
    """A greeting. For now each tenant has one, the default; codes and staff get their own later."""

    class Reach(models.TextChoices):
        DEFAULT = "default", _("默认欢迎语")

    reach = models.CharField(max_length=16, choices=Reach, default=Reach.DEFAULT)
    text = models.TextField(_("欢迎语内容"))
    enabled = models.BooleanField(_("启用"), default=True)
    updated_by = models.CharField(max_length=80, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reach"], condition=models.Q(reach="default"), name="one_default_welcome")
        ]
