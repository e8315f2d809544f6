"""What falls due: one index over all tenants, so that one scan finds the work of any of them."""

from django.db import models

from tenants.models.tenant import Tenant


class DueRow(models.Model):
    """Something of a tenant's schema that must happen at a time. Its row goes in the transaction that does it."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24)  # names the handler, see scrm/wiring.py
    ref = models.BigIntegerField()  # the row in the tenant's schema; negative: put while that one was worked on
    due_at = models.DateTimeField()
    failures = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "kind", "ref"], name="due_once")]
        indexes = [models.Index(fields=["tenant", "due_at", "id"], name="due_first")]
