"""What a running sync has been shown so far."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models import TenantModel


class ListedPage(TenantModel):
    """The rows that one page group of a sync named. What no page of a complete listing named has vanished.

    Kept apart from the rows themselves, so that a row without a change costs no write.
    """

    class Of(models.TextChoices):
        FOLLOWS = "follows"
        GROUPS = "groups"

    job_id = models.BigIntegerField()
    of = models.CharField(max_length=8, choices=Of)
    ids = ArrayField(models.BigIntegerField())

    class Meta:
        indexes = [models.Index(fields=["job_id", "of"], name="listed_page_of_job")]
