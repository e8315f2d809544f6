"""What came from WeCom, as it came, and how far the pulling is."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantModel


class PullCursor(TenantModel):
    """How far the archive was pulled: one row, written in the transaction of the rows it stands for."""

    only = models.BooleanField(default=True, editable=False)
    seq = models.BigIntegerField(default=0)
    pulled_at = models.DateTimeField(null=True)  # the last answer of WeCom, an empty one too
    newest_at = models.DateTimeField(null=True)  # of the newest message
    result_code = models.IntegerField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["only"], condition=models.Q(only=True), name="one_pull_cursor")]


class Envelope(TenantModel):
    """A message still closed: stored before it is read, kept while its key is missing."""

    class State(models.TextChoices):
        CLOSED = "closed", _("待解密")
        OPENED = "opened", _("已解密")
        NO_KEY = "no_key", _("缺少私钥")
        BROKEN = "broken", _("无法解密")

    seq = models.BigIntegerField(unique=True)
    msgid = models.CharField(max_length=128)
    key_version = models.PositiveIntegerField()
    random_key = models.TextField()
    body = models.TextField()
    state = models.CharField(max_length=8, choices=State, default=State.CLOSED)
    reason = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["seq"], name="envelopes_closed", condition=~models.Q(state="opened"))]


class Consent(TenantModel):
    """Whether a customer agreed to be archived, with one staff member or in one group."""

    class Status(models.TextChoices):
        AGREED = "agree", _("已同意")
        DISAGREED = "disagree", _("不同意")
        BY_DEFAULT = "default", _("默认同意")

    userid = models.CharField(max_length=64, blank=True)
    external_userid = models.CharField(max_length=64)
    chat_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=8, choices=Status)
    changed_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["external_userid", "userid", "chat_id"], name="consent_once")]
