"""The inbox: every callback of WeCom as a row before anything is answered or done."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant


class InboxEvent(models.Model):
    """One callback as it came; the body stays encrypted with the receiver's EncodingAESKey.

    The table is partitioned by `event_day`, the day of the event's own time: a repeat carries the same time and meets
    the unique (event_day, dedupe_key) of the same partition.
    """

    class Status(models.TextChoices):
        NEW = "new", _("待处理")
        DONE = "done", _("已处理")
        PARKED = "parked", _("等待修复配置")
        DEAD = "dead", _("处理失败")
        IGNORED = "ignored", _("已忽略")

    # the table's key is (event_day, id), as its partitions demand; the id alone is unique, too
    id = models.BigIntegerField(primary_key=True, editable=False)
    event_day = models.DateField()
    dedupe_key = models.BinaryField()
    tenant_id = models.IntegerField()
    receiver_id = models.UUIDField()
    key_version = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    lane = models.PositiveSmallIntegerField()
    urgent = models.BooleanField(default=False)  # carries a WelcomeCode that is still to be answered
    suspect = models.BooleanField(default=False)
    status = models.CharField(max_length=8, choices=Status, default=Status.NEW)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    event_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    body = models.BinaryField()

    class Meta:
        managed = False
        db_table = "callbacks_inbox"


class Beat(models.Model):
    """One row: when a web process last said that WeCom's callbacks are answered."""

    id = models.SmallIntegerField(primary_key=True)
    at = models.DateTimeField()


class Gap(models.Model):
    """Callbacks of this company may have been lost before `noticed_at`; goes when a comparison was started."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="+")
    noticed_at = models.DateTimeField()
