"""保存期限 and 导出: how long messages stay, what was dropped, and copies that were taken out."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from archive.models.message import Conversation
from tenants.models import TenantModel


class Retention(TenantModel):
    """How many days messages are kept: one row a company, none for ever."""

    only = models.BooleanField(default=True, editable=False)
    days = models.PositiveSmallIntegerField(null=True)
    changed_by = models.CharField(max_length=80, blank=True)
    changed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["only"], condition=models.Q(only=True), name="one_retention")]


class Dropped(TenantModel):
    """What one night's run deleted."""

    at = models.DateTimeField(db_default=Now())
    before = models.DateTimeField()  # what was said earlier went
    messages = models.PositiveIntegerField(default=0)
    files = models.PositiveIntegerField(default=0)
    spared = models.PositiveIntegerField(default=0)  # old enough, but an open alert needs them


class TalkExport(TenantModel):
    """A conversation as a file for who asked, with their name on it; deleted after some days."""

    class State(models.TextChoices):
        WAITING = "queued", _("生成中")
        DONE = "done", _("可下载")
        FAILED = "failed", _("未生成")

    class Form(models.TextChoices):
        HTML = "html", _("网页（HTML）")
        CSV = "csv", _("表格（CSV）")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    form = models.CharField(max_length=8, choices=Form)
    start = models.DateField(null=True)
    end = models.DateField(null=True)
    operator_id = models.UUIDField(null=True)  # who asked, and alone may fetch it
    by = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    messages = models.PositiveIntegerField(default=0)
    size = models.PositiveBigIntegerField(null=True)
    key = models.CharField(max_length=80, blank=True)  # where the storage keeps it
    at = models.DateTimeField(db_default=Now())
