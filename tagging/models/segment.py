"""人群包: customers described by a tree of conditions."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models import Customer
from tenants.models import TenantModel


class Segment(TenantModel):
    """A saved condition tree; `tagging.conditions` gives it its meaning, in SQL and in words."""

    name = models.CharField(_("人群包名称"), max_length=30)
    tree = models.JSONField(default=dict)
    watched = models.BooleanField(default=False)  # who enters and leaves is recorded, for SOP
    count = models.PositiveIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(archived_at=None), name="segment_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(TenantModel):
    """One stay of a customer in a watched segment."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="members", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_index=False)
    entered_at = models.DateTimeField(db_default=Now())
    left_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "customer"], condition=models.Q(left_at=None), name="segment_member_once"
            )
        ]
        indexes = [models.Index(fields=["segment", "-entered_at"], name="segment_entries")]
