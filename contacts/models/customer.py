"""Customers and their friendships with staff."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.queries import CustomerQuerySet, FollowQuerySet
from contacts.search import ZhBigrams
from members.models import Staff
from tenants.models import TenantModel


class Customer(TenantModel):
    """A person or a colleague of another corp who is or was friends with one of the staff."""

    class Kind(models.IntegerChoices):
        WECHAT = 1, _("微信用户")
        WECOM = 2, _("企业微信用户")

    class Gender(models.IntegerChoices):
        UNKNOWN = 0, _("未知")
        MALE = 1, _("男")
        FEMALE = 2, _("女")

    external_userid = models.CharField(max_length=64)
    name = models.CharField(_("昵称"), max_length=128, blank=True)
    kind = models.PositiveSmallIntegerField(choices=Kind, default=Kind.WECHAT)
    gender = models.PositiveSmallIntegerField(choices=Gender, default=Gender.UNKNOWN)
    avatar = models.CharField(max_length=500, blank=True)
    unionid = models.CharField(max_length=64, blank=True)
    position = models.CharField(max_length=128, blank=True)
    corp_name = models.CharField(_("企业"), max_length=128, blank=True)
    stage = models.ForeignKey(
        "contacts.Stage", on_delete=models.SET_NULL, null=True, related_name="customers", db_index=False
    )
    stage_at = models.DateTimeField(null=True)  # since when; the history stands on the timeline
    fields = models.JSONField(  # values of the custom fields, by key
        default=dict, db_default=models.Value({}, output_field=models.JSONField())
    )
    search_text = models.TextField(blank=True)  # name, remarks, corp name: what the search box looks through
    active_follows = models.PositiveSmallIntegerField(default=0)
    first_added_at = models.DateTimeField(null=True)
    last_added_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)  # set while no friendship is left
    raw_hash = models.BinaryField(default=b"")
    synced_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    objects = models.Manager.from_queryset(CustomerQuerySet)()  # type: ignore[misc]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["external_userid"], name="customer_once")]
        indexes = [
            models.Index(fields=["-last_added_at", "-id"], name="customer_recent"),
            models.Index(fields=["updated_at", "id"], name="customer_updated"),
            GinIndex(ZhBigrams("search_text"), name="customer_search"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_userid


class Follow(TenantModel):
    """好友关系: one staff member's friendship with one customer, alive or ended."""

    class EndedBy(models.TextChoices):
        STAFF = "staff", _("员工删除客户")
        CUSTOMER = "customer", _("客户删除员工")
        TRANSFER = "transfer", _("已转交其他员工")
        VANISHED = "vanished", _("企业微信中已不存在")

    # no index of their own: the unique constraint and `follow_of_staff` begin with these columns
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="follows", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="follows", db_index=False)
    remark = models.CharField(_("备注"), max_length=64, blank=True)
    description = models.CharField(_("描述"), max_length=500, blank=True)
    remark_corp_name = models.CharField(max_length=64, blank=True)
    mobiles_sealed = models.BinaryField(null=True)  # phone numbers the staff member noted
    add_way = models.IntegerField(null=True)
    state = models.CharField(max_length=64, blank=True)
    oper_userid = models.CharField(max_length=64, blank=True)
    added_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)  # the newest adding we know of; a deletion before it is history
    half = models.BooleanField(default=False)  # one-way: the customer added, the staff member has not accepted yet
    deleted_by_staff_at = models.DateTimeField(null=True)
    deleted_by_customer_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=16, choices=EndedBy, blank=True)
    last_event_at = models.DateTimeField(null=True)
    raw_hash = models.BinaryField(default=b"")

    objects = models.Manager.from_queryset(FollowQuerySet)()  # type: ignore[misc]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "staff"], name="follow_once")]
        indexes = [
            models.Index(fields=["staff", "-added_at", "-id"], name="follow_of_staff"),
            models.Index(fields=["state", "-added_at"], name="follow_by_state", condition=~models.Q(state="")),
            models.Index(fields=["-ended_at", "-id"], name="follow_ended", condition=~models.Q(ended_at=None)),
        ]


class FollowTag(TenantModel):
    """A corp tag on a friendship: WeCom tags the pair, not the person."""

    follow = models.ForeignKey(Follow, on_delete=models.CASCADE, related_name="tag_links")
    tag = models.ForeignKey("contacts.Tag", on_delete=models.CASCADE, related_name="links", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "follow"], name="follow_tag_once")]
