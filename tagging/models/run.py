"""Tags put on or taken off many customers at once."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models import Follow
from tenants.models import TenantModel


class TagRun(TenantModel):
    """One act on a filtered list. Its friendships are fixed as items before the first call; an undo is another run."""

    add = ArrayField(models.BigIntegerField(), default=list)  # ids of tags
    remove = ArrayField(models.BigIntegerField(), default=list)
    filters = models.JSONField(default=dict)  # the list it was started from, for its page
    by = models.CharField(max_length=80)
    undo_of = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    job_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())


class TagRunItem(TenantModel):
    """One friendship of a run: what was asked of WeCom for it, and what came of that."""

    class State(models.TextChoices):
        PLANNED = "planned", _("等待处理")
        ASKED = "asked", _("等待企业微信确认")
        DONE = "done", _("已完成")
        UNCHANGED = "unchanged", _("无需变更")
        FAILED = "failed", _("失败")
        CANCELLED = "cancelled", _("已取消")

    run = models.ForeignKey(TagRun, on_delete=models.CASCADE, related_name="items", db_index=False)
    follow = models.ForeignKey(Follow, on_delete=models.CASCADE, related_name="+", db_index=False)
    state = models.CharField(max_length=12, choices=State, default=State.PLANNED)
    added = ArrayField(models.BigIntegerField(), default=list)  # really changed: what an undo takes back
    removed = ArrayField(models.BigIntegerField(), default=list)
    code = models.IntegerField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "follow"], name="tag_run_item_once")]
        indexes = [models.Index(fields=["run", "state", "id"], name="tag_run_items")]
