"""Customer groups with the history of their members."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models.customer import Customer
from contacts.queries import GroupChatQuerySet
from members.models import Staff
from tenants.models import TenantModel


class GroupChat(TenantModel):
    """A customer group (客户群)."""

    chat_id = models.CharField(max_length=64)
    name = models.CharField(_("群名称"), max_length=128, blank=True)
    owner = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="owned_groups")
    owner_userid = models.CharField(max_length=64, blank=True)
    notice = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(default=0)
    member_version = models.CharField(max_length=64, blank=True)
    member_count = models.PositiveIntegerField(default=0)
    customer_count = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    dismissed_at = models.DateTimeField(null=True)
    synced_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(GroupChatQuerySet)()  # type: ignore[misc]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chat_id"], name="group_chat_once")]
        indexes = [models.Index(fields=["-opened_at", "-id"], name="group_recent")]

    def __str__(self) -> str:
        return self.name or self.chat_id


class GroupMember(TenantModel):
    """One stay of one person in one group; who comes back gets a second row."""

    class Kind(models.IntegerChoices):
        STAFF = 1, _("员工")
        OUTSIDER = 2, _("外部联系人")

    chat = models.ForeignKey(GroupChat, on_delete=models.CASCADE, related_name="stays", db_index=False)
    member_id = models.CharField(max_length=64)
    kind = models.PositiveSmallIntegerField(choices=Kind)
    customer = models.ForeignKey(Customer, on_delete=models.SET_NULL, null=True, related_name="stays")
    name = models.CharField(max_length=128, blank=True)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)
    left_by = models.CharField(max_length=16, blank=True)  # "self", "removed", "" when not told
    join_scene = models.PositiveSmallIntegerField(null=True)
    invitor = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=64, blank=True)
    is_admin = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chat", "member_id", "joined_at"], name="group_stay_once")]
        indexes = [
            models.Index(
                fields=["member_id"],
                name="stay_of_stranger",
                condition=models.Q(customer__isnull=True, kind=2),
            )
        ]
