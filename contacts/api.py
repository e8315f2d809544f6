"""Customers, groups and tags in the Open API."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.timezone import is_naive, make_aware
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.models import Customer, Follow, FollowTag, GroupChat, GroupMember, Stage, Tag, TagGroup, TimelineEntry
from members.models import Staff

DAY = re.compile(r"\d{4}-?\d\d-?\d\d")


class TagRefSerializer(serializers.Serializer[FollowTag]):
    id = serializers.CharField(source="tag.wecom_id")
    name = serializers.CharField(source="tag.name")
    group = serializers.CharField(source="tag.group.name")


class FollowSerializer(serializers.ModelSerializer[Follow]):
    userid = serializers.CharField(source="staff.userid")
    tags = TagRefSerializer(source="tag_links", many=True)

    class Meta:
        model = Follow
        fields = [
            "userid",
            "remark",
            "description",
            "add_way",
            "state",
            "added_at",
            "ended_at",
            "ended_by",
            "tags",
        ]


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    type = serializers.IntegerField(source="kind")
    stage = serializers.SlugRelatedField[Stage](
        slug_field="name", read_only=True, allow_null=True, help_text="its name"
    )
    follows = FollowSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`fields` is a name of the serializer itself, so it cannot be declared."""
        values = serializers.DictField(read_only=True, help_text="custom fields by their `key`")
        return super().get_fields() | {"fields": values}

    class Meta:
        model = Customer
        fields = [
            "external_userid",
            "name",
            "type",
            "gender",
            "unionid",
            "corp_name",
            "position",
            "avatar",
            "stage",
            "follows",
            "lost_at",
            "created_at",
            "updated_at",
        ]


def with_follows(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Three statements a page, however many friendships and tags the customers have."""
    links = FollowTag.objects.filter(tag__deleted_at=None).select_related("tag__group").order_by("tag_id")
    follows = Follow.objects.select_related("staff").prefetch_related(Prefetch("tag_links", links)).order_by("id")
    return (
        customers.select_related("stage")
        .defer("search_text", "raw_hash")
        .prefetch_related(Prefetch("follows", follows))
    )


def known_customers() -> QuerySet[Customer]:
    """Without those whose first event is still on its way."""
    return Customer.objects.exclude(first_added_at=None)


@extend_schema_field(str)
class MomentField(serializers.Field[datetime, str, str, Any]):
    """ISO 8601. Without a zone it is in the tenant's; a date alone is the start of the day, or with `end` its end."""

    default_error_messages = {"moment": _("须为 ISO 8601 时间，例如 2026-01-31T08:00:00+08:00")}
    SPACE_FOR_PLUS = re.compile(r"(T.+) (\d\d:?\d\d)$")  # a `+` that was not escaped in the address

    def __init__(self, *, end: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end = end

    def to_internal_value(self, data: str) -> datetime:
        text = self.SPACE_FOR_PLUS.sub(r"\1+\2", data)
        try:
            moment = datetime.fromisoformat(text)
            if self.end and DAY.fullmatch(text):
                moment += timedelta(days=1)
            moment = make_aware(moment) if is_naive(moment) else moment
            moment.astimezone(UTC)  # the first and the last days of the calendar have no such time everywhere
        except (ValueError, OverflowError):
            self.fail("moment")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


class CustomerFilters(serializers.Serializer[Any]):
    """The query of the list: the filters of the console's customer list, with WeCom's ids."""

    staff = serializers.CharField(
        required=False, max_length=64, help_text="userid of a staff member who is or was friends with the customer"
    )
    tag = serializers.CharField(
        required=False, max_length=64, help_text="id of a corp tag that a living friendship carries"
    )
    stage = serializers.CharField(required=False, max_length=32, help_text="name of the stage that the customer is in")
    added_from = MomentField(required=False, help_text="a friendship was made at or after this time")
    added_to = MomentField(
        required=False, end=True, help_text="a friendship was made before this time; of a date, before its end"
    )
    updated_after = MomentField(
        required=False,
        help_text="the customer changed after this time; the list is then in the order of changes. To follow changes,"
        " ask from a few minutes before the newest one seen: one that took long to write may come in behind it",
    )
    q = serializers.CharField(
        required=False, max_length=64, help_text="part of the name, of a remark or a corp name, or a whole id"
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """An empty parameter is none."""
        values: dict[str, Any] = super().to_internal_value({name: value for name, value in data.items() if value})
        return values


class CustomerList(generics.ListAPIView[Customer]):
    """Customers, each once, with their friendships."""

    serializer_class = CustomerSerializer
    queryset = Customer.objects.none()  # names the model for the schema

    @extend_schema(parameters=[CustomerFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Customer]:
        given = CustomerFilters(data=self.request.query_params)
        given.is_valid(raise_exception=True)
        wish = given.validated_data
        customers = known_customers().matching(
            q=wish.get("q", ""),
            staff=staff_pk(wish["staff"]) if "staff" in wish else None,
            tags=[tag_pk(wish["tag"])] if "tag" in wish else None,
            added_from=wish.get("added_from"),
            added_to=wish.get("added_to"),
        )
        if stage := wish.get("stage"):
            customers = customers.filter(stage__name=stage)
        if moment := wish.get("updated_after"):
            return with_follows(customers.filter(updated_at__gt=moment).order_by("updated_at", "id"))
        return with_follows(customers.order_by("id"))


NOBODY = 0  # no row's id: what is unknown finds nothing


def staff_pk(userid: str) -> int:
    return Staff.objects.filter(userid_key=userid.lower()).values_list("pk", flat=True).first() or NOBODY


def tag_pk(wecom_id: str) -> int:
    return Tag.objects.filter(wecom_id=wecom_id, deleted_at=None).values_list("pk", flat=True).first() or NOBODY


class CustomerDetail(generics.RetrieveAPIView[Customer]):
    """One customer, as in the list."""

    serializer_class = CustomerSerializer
    queryset = Customer.objects.none()
    lookup_field = "external_userid"

    def get_queryset(self) -> QuerySet[Customer]:
        return with_follows(known_customers())


class TimelineSerializer(serializers.ModelSerializer[TimelineEntry]):
    kind = serializers.CharField(help_text="what happened; kinds may be added")
    source = serializers.CharField(  # type: ignore[assignment]  # not the attribute of fields, but a field
        help_text="how it became known, or who wrote it: callback, sync, console, api …"
    )
    actor = serializers.CharField(help_text="the operator or API key that did it; empty for WeCom's own events")
    payload = serializers.DictField(help_text="details, by kind")
    userid = serializers.CharField(source="staff.userid", allow_null=True, help_text="the staff member it concerns")
    chat_id = serializers.CharField(source="chat.chat_id", allow_null=True, help_text="the group it concerns")

    class Meta:
        model = TimelineEntry
        fields = ["kind", "at", "source", "actor", "userid", "chat_id", "payload"]


class CustomerTimeline(generics.ListAPIView[TimelineEntry]):
    """What happened to one customer, newest first."""

    serializer_class = TimelineSerializer
    queryset = TimelineEntry.objects.none()

    def get_queryset(self) -> QuerySet[TimelineEntry]:
        customer = get_object_or_404(known_customers(), external_userid=self.kwargs["external_userid"])
        return customer.timeline.select_related("staff", "chat").order_by("-at", "-id")


class GroupMemberSerializer(serializers.ModelSerializer[GroupMember]):
    id = serializers.CharField(source="member_id")
    kind = serializers.SerializerMethodField()

    class Meta:
        model = GroupMember
        fields = ["id", "kind", "name", "joined_at", "left_at"]

    def get_kind(self, member: GroupMember) -> str:
        return "staff" if member.kind == GroupMember.Kind.STAFF else "customer"


class GroupSerializer(serializers.ModelSerializer[GroupChat]):
    owner = serializers.CharField(source="owner_userid")
    members = GroupMemberSerializer(source="stays", many=True)

    class Meta:
        model = GroupChat
        fields = ["chat_id", "name", "owner", "notice", "members", "opened_at", "dismissed_at"]


def with_stays() -> QuerySet[GroupChat]:
    stays = GroupMember.objects.order_by("joined_at", "id")
    return GroupChat.objects.prefetch_related(Prefetch("stays", stays))


class GroupList(generics.ListAPIView[GroupChat]):
    """Customer groups with their members, those who left included."""

    serializer_class = GroupSerializer
    queryset = GroupChat.objects.none()

    def get_queryset(self) -> QuerySet[GroupChat]:
        return with_stays().order_by("id")


class GroupDetail(generics.RetrieveAPIView[GroupChat]):
    """One customer group, as in the list."""

    serializer_class = GroupSerializer
    queryset = GroupChat.objects.none()
    lookup_field = "chat_id"

    def get_queryset(self) -> QuerySet[GroupChat]:
        return with_stays()


class TagGroupRefSerializer(serializers.ModelSerializer[TagGroup]):
    id = serializers.CharField(source="wecom_id")

    class Meta:
        model = TagGroup
        fields = ["id", "name"]


class TagSerializer(serializers.ModelSerializer[Tag]):
    id = serializers.CharField(source="wecom_id")
    group = TagGroupRefSerializer()
    customers = serializers.IntegerField(help_text="customers with a living friendship that carries the tag")

    class Meta:
        model = Tag
        fields = ["id", "name", "group", "customers"]


class TagList(generics.ListAPIView[Tag]):
    """Corp tags with the number of customers who carry them."""

    serializer_class = TagSerializer

    queryset = Tag.objects.none()

    def get_queryset(self) -> QuerySet[Tag]:
        """Counted tag by tag, so that a page costs what its own tags cost."""
        links = FollowTag.objects.filter(tag=OuterRef("pk"), follow__ended_at=None).order_by()
        count = links.values("tag").annotate(customers=Count("follow__customer", distinct=True)).values("customers")
        tags = Tag.objects.filter(deleted_at=None).select_related("group")
        return tags.annotate(customers=Coalesce(Subquery(count), 0)).order_by("id")
