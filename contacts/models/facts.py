"""What segments ask about a customer, in one narrow row: a read model, kept in step with the truth by `bulk.facts`."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from contacts.models.customer import Customer
from contacts.queries import FactsQuerySet
from tenants.models import TenantModel


class CustomerFacts(TenantModel):
    """Written in the transaction of every change of a customer, its friendships or tags; never edited by hand.

    `last_message_at` and `last_opened_at` alone have their truth here: the archive and the tracked links move them on.
    """

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, primary_key=True, related_name="facts")
    added_at = models.DateTimeField(null=True)  # the newest adding
    lost_at = models.DateTimeField(null=True)
    stage_id = models.BigIntegerField(null=True)
    staff_ids = ArrayField(models.BigIntegerField(), default=list)  # friends now
    known_by = ArrayField(models.BigIntegerField(), default=list)  # friends now or once: what the data scope asks
    tag_ids = ArrayField(models.BigIntegerField(), default=list)  # on living friendships
    states = ArrayField(models.TextField(), default=list)  # of channel codes
    add_ways = ArrayField(models.IntegerField(), default=list)
    fields = models.JSONField(default=dict)
    last_message_at = models.DateTimeField(_("最近消息"), null=True)
    last_opened_at = models.DateTimeField(_("最近打开链接"), null=True)

    objects = models.Manager.from_queryset(FactsQuerySet)()  # type: ignore[misc]

    class Meta:
        indexes = [
            models.Index(fields=["-added_at", "-customer"], name="facts_recent"),
            models.Index(fields=["stage_id", "-added_at"], name="facts_of_stage"),
            GinIndex(  # one index answers for any of its columns
                F("tag_ids"),
                F("known_by"),
                F("staff_ids"),
                F("states"),
                OpClass("fields", name="jsonb_path_ops"),
                name="facts_sets",
            ),
        ]
