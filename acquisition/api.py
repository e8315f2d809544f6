"""渠道活码 in the Open API: made, and read with what WeCom made of them and whom they brought."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError as DomainError
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from acquisition import codes, numbers
from acquisition.models import ChannelCode, CodeShift
from contacts.api import TagRefSerializer
from contacts.models import Follow, FollowTag, Stage, Tag
from contacts.stages import stage_named
from members.models import Staff
from tagging.api import tags_of
from tagging.tag_api import refused

STATUSES = {
    ChannelCode.Status.CREATING: "waiting",
    ChannelCode.Status.ACTIVE: "live",
    ChannelCode.Status.FAILED: "failed",
    ChannelCode.Status.STOPPED: "stopped",
}


class ShiftSerializer(serializers.ModelSerializer[CodeShift]):
    weekdays = serializers.ListField(child=serializers.IntegerField(), help_text="Monday is 1")
    ends = serializers.TimeField(help_text="when not after `begins`, on the next day")
    staff = serializers.SerializerMethodField(help_text="userids")

    class Meta:
        model = CodeShift
        fields = ["weekdays", "begins", "ends", "staff"]

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_staff(self, row: CodeShift) -> list[str]:
        return [place.staff.userid for place in row.code.places.all() if place.staff_id in row.staff_ids]


class ChannelCodeSerializer(serializers.ModelSerializer[ChannelCode]):
    """A QR code that adds one of several staff; customers who came by it carry its `state` on their friendship."""

    staff = serializers.SerializerMethodField(help_text="userids of those who take its customers")
    backups = serializers.SerializerMethodField(help_text="userids of those who step in when none of `staff` can")
    shifts = ShiftSerializer(
        many=True, help_text="who stands in one of them serves in those hours alone, the others at any hour"
    )
    tags = serializers.SerializerMethodField(help_text="put on the customers it brings")
    stage = serializers.SlugRelatedField[Stage](
        slug_field="name", read_only=True, allow_null=True, help_text="name of the stage its customers begin in"
    )
    status = serializers.SerializerMethodField(
        help_text="`waiting` until WeCom has made it, then `live`, or `failed` for the `reason`; `stopped` for good"
    )
    reason = serializers.CharField(
        source="error", help_text="why WeCom refused it or its last change, in Chinese; else empty"
    )
    qr_code = serializers.CharField(help_text="address of WeCom's picture; empty until it is made")
    adds = serializers.IntegerField(source="totals.added", help_text="friendships by way of it")
    losses = serializers.IntegerField(source="totals.lost", help_text="of these, those that ended")
    net = serializers.IntegerField(source="totals.net", help_text="adds less losses")

    class Meta:
        model = ChannelCode
        fields = [
            *("id", "name", "group", "state", "staff", "backups", "shifts", "tags", "stage", "skip_verify"),
            *("status", "reason", "qr_code", "adds", "losses", "net", "created_at"),
        ]

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_staff(self, row: ChannelCode) -> list[str]:
        return [place.staff.userid for place in row.places.all() if not place.backup]

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_backups(self, row: ChannelCode) -> list[str]:
        return [place.staff.userid for place in row.places.all() if place.backup]

    @extend_schema_field(TagRefSerializer(many=True))
    def get_tags(self, row: ChannelCode) -> Any:
        return TagRefSerializer([FollowTag(tag=tag) for tag in row.living_tags], many=True).data  # type: ignore[arg-type]

    @extend_schema_field(serializers.ChoiceField(choices=list(STATUSES.values())))
    def get_status(self, row: ChannelCode) -> str:
        return STATUSES[ChannelCode.Status(row.status)]


class NewChannelCodeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=30, help_text="no other code in use has it")
    group = serializers.CharField(max_length=20, required=False, default="", allow_blank=True)
    staff = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1, max_length=codes.MOST_STAFF)
    backups = serializers.ListField(
        child=serializers.CharField(max_length=64), default=list, max_length=codes.MOST_STAFF
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64), default=list, max_length=100, help_text="ids of corp tags"
    )
    stage = serializers.CharField(required=False, allow_null=True, max_length=20, help_text="name of a stage")
    skip_verify = serializers.BooleanField(default=True, help_text="friends at once, without the staff's consent")


def all_codes() -> QuerySet[ChannelCode]:
    """Stopped ones too: their customers still carry their `state`."""
    hours = Prefetch("shifts", CodeShift.objects.order_by("pk"))
    return ChannelCode.objects.select_related("stage").prefetch_related("places__staff", hours).order_by("id")


def told(rows: Sequence[ChannelCode]) -> Sequence[ChannelCode]:
    """With tags and numbers, in two statements for all of them."""
    found = numbers.counted(rows, Follow.objects.all())
    tags = (
        Tag.objects.filter(deleted_at=None).select_related("group").in_bulk({pk for row in rows for pk in row.tag_ids})
    )
    for row in rows:
        row.totals = found.get(row.state, numbers.Totals())
        row.living_tags = [tags[pk] for pk in row.tag_ids if pk in tags]
    return rows


class ChannelCodeFilters(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=list(STATUSES.values()), required=False)
    state = serializers.CharField(
        max_length=30, required=False, help_text="the code by which customers with this `state` came"
    )


class ChannelCodeList(generics.ListAPIView[ChannelCode]):
    """渠道活码, stopped ones too; a new one can be made."""

    serializer_class = ChannelCodeSerializer
    queryset = ChannelCode.objects.none()

    @extend_schema(parameters=[ChannelCodeFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ChannelCode]:
        given = ChannelCodeFilters(data=self.request.query_params)
        given.is_valid(raise_exception=True)
        wish = dict(given.validated_data)
        if "status" in wish:
            wish["status"] = next(stored for stored, word in STATUSES.items() if word == wish["status"])
        return all_codes().filter(**wish)

    def paginate_queryset(self, queryset: Any) -> Any:
        return told(super().paginate_queryset(queryset) or [])

    @extend_schema(request=NewChannelCodeSerializer, responses={202: ChannelCodeSerializer})
    def post(self, request: Request) -> Response:
        """Have WeCom make a code. Read it again at its own address until its `status` is `live` or `failed`."""
        wish = NewChannelCodeSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        row = made(wish.validated_data, by=request.user.label)
        (stored,) = told([all_codes().get(pk=row.pk)])
        return Response(ChannelCodeSerializer(stored).data, status=202)


def made(values: dict[str, Any], *, by: str) -> ChannelCode:
    staff, backups = (staff_named(name, values[name]) for name in ("staff", "backups"))
    code = ChannelCode(group=values["group"].strip(), skip_verify=values["skip_verify"])
    tags = tags_of("tags", values["tags"])
    if any(not tag.group.wecom_id for tag in tags):
        raise ValidationError({"tags": [_("规则组标签只能在企业微信中修改")]})
    code.tag_ids = [tag.pk for tag in tags]
    try:
        code.name = codes.free_name(values["name"], code)
        code.stage = stage_named(values["stage"]) if values.get("stage") else None
        return codes.create(code, staff, backups, by=by)
    except DomainError as error:
        raise refused(error) from error


def staff_named(field: str, userids: list[str]) -> list[Staff]:
    known = Staff.objects.in_bulk({one.lower() for one in userids}, field_name="userid_key")
    if unknown := [one for one in userids if one.lower() not in known]:
        raise ValidationError({field: [_("不存在：%(id)s") % {"id": one} for one in unknown[:20]]})
    return list(known.values())


class ChannelCodeDetail(generics.RetrieveAPIView[ChannelCode]):
    """One 渠道活码, as in the list."""

    serializer_class = ChannelCodeSerializer
    queryset = ChannelCode.objects.none()

    def get_queryset(self) -> QuerySet[ChannelCode]:
        return all_codes()

    def get_object(self) -> ChannelCode:
        (row,) = told([super().get_object()])
        return row
