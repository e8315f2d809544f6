"""发送规则: what the company allows all its plans together."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantModel


class SendRule(TenantModel):
    """How much a customer may get a day and a week before SOP waits, and when nobody works. One row a company."""

    only = models.BooleanField(default=True, editable=False)
    per_day = models.PositiveSmallIntegerField(_("每位客户每天最多"), null=True, blank=True)  # null: no limit
    per_week = models.PositiveSmallIntegerField(_("每位客户每周最多"), null=True, blank=True)
    holidays = ArrayField(models.DateField(), default=list, verbose_name=_("节假日"))
    workdays = ArrayField(models.DateField(), default=list, verbose_name=_("调休上班日"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["only"], condition=models.Q(only=True), name="one_send_rule")]
