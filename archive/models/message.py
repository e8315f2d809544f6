"""Messages that were read, their conversations and their files."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.search import ZhBigrams
from tenants.models import TenantModel


class Conversation(TenantModel):
    """Who spoke with whom: two people, or a group."""

    class Kind(models.TextChoices):
        CUSTOMER = "customer", _("客户")
        COLLEAGUE = "colleague", _("同事")
        GROUP = "group", _("群聊")

    key = models.CharField(max_length=140, unique=True)  # "g:<roomid>" or "p:<one>|<other>", the ids in order
    kind = models.CharField(max_length=12, choices=Kind)
    staff_ids = ArrayField(models.BigIntegerField(), default=list)  # our people in it: what the data scope asks
    customer_id = models.BigIntegerField(null=True)
    chat_id = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=128, blank=True)
    messages = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(null=True)
    last_text = models.CharField(max_length=100, blank=True)
    waiting_since = models.DateTimeField(null=True)  # the customer's first message that has no answer yet

    class Meta:
        indexes = [
            GinIndex(fields=["staff_ids"], name="conversations_of_staff"),
            models.Index(fields=["customer_id", "-last_at"], name="conversations_of_customer"),
        ]


class ArchivedMessage(TenantModel):
    msgid = models.CharField(max_length=128, unique=True)
    seq = models.BigIntegerField()
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_index=False)
    action = models.CharField(max_length=8, default="send")
    kind = models.CharField(max_length=32)  # WeCom's msgtype, also one that we do not know
    sender = models.CharField(max_length=64)
    from_customer = models.BooleanField(default=False)
    at = models.DateTimeField()
    text = models.TextField(blank=True)  # what of it can be read and searched
    payload = models.JSONField(default=dict)
    revokes = models.CharField(max_length=128, blank=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["conversation", "-at", "-id"], name="messages_of"),
            GinIndex(ZhBigrams("text"), name="message_search"),
            models.Index(fields=["revokes"], name="message_revokes", condition=~models.Q(revokes="")),
        ]


class ArchivedMedia(TenantModel):
    """A file of a message: fetched before WeCom forgets it, after some five days."""

    class State(models.TextChoices):
        WAITING = "waiting", _("待下载")
        STORED = "stored", _("已下载")
        GONE = "gone", _("企业微信已删除")
        FAILED = "failed", _("下载失败")

    message = models.ForeignKey(ArchivedMessage, on_delete=models.CASCADE, related_name="media", db_index=False)
    fileid = models.TextField()
    place = models.CharField(max_length=24, blank=True)  # which part of a mixed message or chat record
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    index = models.CharField(max_length=64, blank=True)  # where the next block begins, as WeCom names it
    attempts = models.PositiveSmallIntegerField(default=0)
    size = models.PositiveBigIntegerField(null=True)
    mime = models.CharField(max_length=80, blank=True)
    key = models.CharField(max_length=200, blank=True)  # where the storage keeps it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "place"], name="archived_media_once")]
        indexes = [models.Index(fields=["id"], name="media_waiting", condition=models.Q(state="waiting"))]
