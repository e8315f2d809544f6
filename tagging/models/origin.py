"""Which corp tags this app may change in WeCom."""

from django.db import models
from django.db.models.functions import Now

from tenants.models import TenantModel


class TagOrigin(TenantModel):
    """What we know of who made a tag or a group: apps change only tags of their own making (path/92117)."""

    wecom_id = models.CharField(max_length=64, unique=True)
    ours = models.BooleanField()  # false: WeCom said so when we tried
    at = models.DateTimeField(db_default=Now())
