"""Tagging in the Open API: a write is accepted at once, its fate is readable."""

from typing import Any

from django.core.exceptions import ValidationError as DomainError
from django.db import connection
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import RetrieveAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.models import Customer, Follow, Tag, TimelineEntry
from tagging.marking import change_tags
from tenants.models import OutgoingCall

WRITE_STATES = {
    OutgoingCall.State.PENDING: "pending",
    OutgoingCall.State.LEASED: "pending",
    OutgoingCall.State.OK: "done",
    OutgoingCall.State.PARKED: "parked",
    OutgoingCall.State.UNKNOWN: "unknown",
}


class WriteSerializer(serializers.ModelSerializer[OutgoingCall]):
    """A change on its way to WeCom: `pending` until it is `done`, or `failed` with WeCom's code and reason.

    `parked` waits until the connection to WeCom is mended and goes on by itself; `unknown`: WeCom's answer was lost.
    """

    url = serializers.SerializerMethodField(help_text="where this write can be read again")
    state = serializers.SerializerMethodField()
    code = serializers.IntegerField(source="result_code", allow_null=True, help_text="WeCom's errcode")
    reason = serializers.CharField(source="result_message", help_text="WeCom's errmsg")

    class Meta:
        model = OutgoingCall
        fields = ["id", "url", "state", "code", "reason", "attempts", "created_at", "finished_at"]

    def get_url(self, call: OutgoingCall) -> str:
        return reverse("api-write", args=[call.pk])

    @extend_schema_field(serializers.ChoiceField(choices=["pending", "done", "failed", "parked", "unknown"]))
    def get_state(self, call: OutgoingCall) -> str:
        return WRITE_STATES.get(OutgoingCall.State(call.state), "failed")


class TagChangeSerializer(serializers.Serializer[Any]):
    add = serializers.ListField(
        child=serializers.CharField(max_length=64), default=list, max_length=100, help_text="ids of tags to put on"
    )
    remove = serializers.ListField(
        child=serializers.CharField(max_length=64), default=list, max_length=100, help_text="ids of tags to take off"
    )
    userid = serializers.CharField(
        required=False,
        max_length=64,
        help_text="whose friendship to tag; may be left out when the customer has one living friendship",
    )


class CustomerTags(APIView):
    """Put corp tags on a customer and take some off, on one staff member's friendship."""

    @extend_schema(request=TagChangeSerializer, responses={202: WriteSerializer})
    def post(self, request: Request, external_userid: str) -> Response:
        known = Customer.objects.exclude(first_added_at=None)
        customer = get_object_or_404(known, external_userid=external_userid)
        wish = TagChangeSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        follow = the_follow(customer, wish.validated_data.get("userid"))
        add, remove = (tags_of(name, wish.validated_data[name]) for name in ("add", "remove"))
        try:
            call = change_tags(follow, add=add, remove=remove, by=request.user.label, source=TimelineEntry.Source.API)
        except DomainError as error:
            raise ValidationError({"non_field_errors": error.messages}) from error
        return Response(WriteSerializer(call).data, status=202)


def the_follow(customer: Customer, userid: str | None) -> Follow:
    """The friendship that is meant: named, or the only one alive."""
    follows = customer.follows.select_related("staff", "customer")
    if userid:
        follow = follows.filter(staff__userid_key=userid.lower()).first()
        if follow is None:
            raise ValidationError({"userid": [_("这位员工不是该客户的好友")]})
        return follow
    alive = list(follows.filter(ended_at=None)[:2])
    if len(alive) != 1:
        raise ValidationError({"userid": [_("该客户没有或有多位好友员工，请指定 userid")]})
    return alive[0]


def tags_of(field: str, ids: list[str]) -> list[Tag]:
    tags = list(Tag.objects.filter(wecom_id__in=ids, deleted_at=None).select_related("group").order_by("id"))
    if missing := set(ids) - {tag.wecom_id for tag in tags}:
        raise ValidationError({field: [_("标签不存在：%(id)s") % {"id": tag_id} for tag_id in sorted(missing)]})
    return tags


class WriteDetail(RetrieveAPIView[OutgoingCall]):
    """The fate of a write that was answered 202."""

    serializer_class = WriteSerializer
    queryset = OutgoingCall.objects.none()

    def get_queryset(self) -> QuerySet[OutgoingCall]:
        return OutgoingCall.objects.filter(tenant_id=connection.tenant.pk, context__source=TimelineEntry.Source.API)
