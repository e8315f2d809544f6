"""Broadcasts in the Open API: made as drafts, checked, sent once, and followed to each receiver."""

from typing import Any

from django.core.exceptions import ValidationError as DomainError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from broadcasts import audience, sending
from broadcasts.forms import FARTHEST
from broadcasts.models import Broadcast, Delivery
from broadcasts.monitor import progress_of
from broadcasts.pages import words_of
from broadcasts.sending import use_of
from contacts.models import Customer, GroupChat
from content import messages
from members.models import Staff
from tagging.conditions import clean
from tagging.models import Segment
from tagging.segment_api import CONDITIONS, inward

ONE_KEY = OpenApiParameter(
    "Idempotency-Key", OpenApiTypes.STR, OpenApiParameter.HEADER, required=True, description="the same key sends once"
)


class ContentSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(allow_blank=True, required=False, default="", max_length=4000)
    materials = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False, default=list)


class ProgressSerializer(serializers.Serializer[Any]):
    staff_asked = serializers.IntegerField(source="asked")
    staff_confirmed = serializers.IntegerField(source="confirmed")
    staff_failed = serializers.IntegerField(source="failed", help_text="or stopped")
    receivers = serializers.IntegerField(source="total")
    sent = serializers.IntegerField()
    waiting = serializers.IntegerField()
    not_friend = serializers.IntegerField()
    at_limit = serializers.IntegerField()
    refused = serializers.IntegerField()
    not_asked = serializers.IntegerField(help_text="their staff member was not asked, or it was stopped before")


class BroadcastSerializer(serializers.ModelSerializer[Broadcast]):
    """A mass message to customers, or to customer groups."""

    kind = serializers.CharField(help_text="customers or groups")
    segment = serializers.IntegerField(source="segment_id", allow_null=True)
    audience = serializers.SerializerMethodField(help_text="to whom, as a sentence in Chinese")
    content = ContentSerializer()
    state = serializers.CharField(help_text="draft, scheduled, planning, sending, stopped, ended, failed; may grow")
    reason = serializers.CharField(help_text="why it failed; else empty")
    results_at = serializers.DateTimeField(source="polled_at", allow_null=True, help_text="how fresh the results are")

    class Meta:
        model = Broadcast
        fields = [
            *("id", "kind", "title", "segment", "audience", "content", "state", "reason", "send_at"),
            *("created_at", "sent_at", "results_at", "ended_at"),
        ]

    def get_audience(self, row: Broadcast) -> str:
        return words_of(row)


class BroadcastDetailSerializer(BroadcastSerializer):
    progress = serializers.SerializerMethodField()

    class Meta(BroadcastSerializer.Meta):
        fields = [*BroadcastSerializer.Meta.fields, "progress"]

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, row: Broadcast) -> Any:
        return ProgressSerializer(progress_of(row.senders.all())).data


class NewBroadcastSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(choices=Broadcast.Kind.values, default=Broadcast.Kind.CUSTOMERS.value)
    segment = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2**53)
    conditions = serializers.JSONField(required=False, help_text=CONDITIONS)
    staff = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, help_text="userids: only through these"
    )
    content = ContentSerializer()
    send_at = serializers.DateTimeField(required=False, allow_null=True)


class SentToSerializer(serializers.Serializer[Any]):
    userid = serializers.CharField(source="staff.userid")
    receivers = serializers.IntegerField(source="total")


class UnableSerializer(serializers.Serializer[Any]):
    userid = serializers.CharField(source="staff.userid")
    friends = serializers.IntegerField(help_text="friends in the audience, or groups owned")
    reason = serializers.CharField(help_text="in Chinese")


class PreflightSerializer(serializers.Serializer[Any]):
    """matched = receivers + deleted + no_sender + at_limit; crowded are some of the receivers"""

    matched = serializers.IntegerField()
    friendships = serializers.IntegerField()
    deleted = serializers.SerializerMethodField()
    no_sender = serializers.SerializerMethodField()
    at_limit = serializers.SerializerMethodField()
    receivers = serializers.IntegerField()
    crowded = serializers.IntegerField(
        help_text="may not get it: other mass messages wait for their staff, and the limit"
    )
    staff = SentToSerializer(source="senders", many=True)
    unable_staff = UnableSerializer(source="unable", many=True)

    def get_deleted(self, found: audience.Preflight) -> int:
        return found.left_out.get("deleted", 0)

    def get_no_sender(self, found: audience.Preflight) -> int:
        return found.left_out.get("no_sender", 0)

    def get_at_limit(self, found: audience.Preflight) -> int:
        return found.left_out.get("at_limit", 0)


class ResultSerializer(serializers.Serializer[Any]):
    external_userid = serializers.SerializerMethodField()
    chat_id = serializers.SerializerMethodField()
    userid = serializers.CharField(source="sender.staff.userid")
    state = serializers.CharField(help_text="sent, not_friend, at_limit or refused; may grow")
    at = serializers.DateTimeField(allow_null=True)

    def get_external_userid(self, row: Delivery) -> str | None:
        found: str | None = getattr(row, "external_userid", None)
        return found

    def get_chat_id(self, row: Delivery) -> str | None:
        found: str | None = getattr(row, "chat_id", None)
        return found


class BroadcastList(generics.ListAPIView[Broadcast]):
    """群发; a new one is made as a draft."""

    serializer_class = BroadcastSerializer
    queryset = Broadcast.objects.none()

    def get_queryset(self) -> QuerySet[Broadcast]:
        return Broadcast.objects.select_related("segment").order_by("id")

    @extend_schema(request=NewBroadcastSerializer, responses={201: BroadcastSerializer})
    def post(self, request: Request) -> Response:
        """Draft one; nothing is sent yet."""
        wish = NewBroadcastSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        row = drafted(wish.validated_data, by=request.user.label)
        return Response(BroadcastSerializer(row).data, status=201)


def refuse_unheard(values: dict[str, Any]) -> None:
    """What would be taken for said and is not looked at: it would go to more people than were meant."""
    given = [name for name in ("segment", "conditions") if values.get(name)]
    if values["kind"] == Broadcast.Kind.GROUPS and given:
        raise ValidationError({given[0]: [_("客户群群发只能用 staff 指定群主，不能按客户筛选")]})
    if len(given) > 1:
        raise ValidationError({"conditions": [_("请提供 segment 或 conditions 其中之一")]})


def drafted(values: dict[str, Any], *, by: str) -> Broadcast:
    refuse_unheard(values)
    row = Broadcast(kind=values["kind"], title=values["title"].strip(), created_by=by, send_at=values.get("send_at"))
    try:
        row.content = messages.clean(values["content"], use=use_of(row))
        row.tree = clean(inward(values.get("conditions") or {}))
    except DomainError as error:
        raise ValidationError({"content" if not row.content else "conditions": error.messages}) from error
    if values.get("segment"):
        row.segment = Segment.objects.filter(pk=values["segment"], archived_at=None).first()
        if row.segment is None:
            raise ValidationError({"segment": [_("人群包不存在")]})
    if row.send_at is not None and not timezone.now() < row.send_at < timezone.now() + FARTHEST:
        raise ValidationError({"send_at": [_("请选择将来 90 天内的时间")]})
    wanted = {one.lower() for one in values.get("staff") or []}
    known = dict(Staff.objects.filter(userid_key__in=wanted).values_list("userid_key", "pk"))
    if unknown := [one for one in values.get("staff") or [] if one.lower() not in known]:
        raise ValidationError({"staff": [_("不存在：%(id)s") % {"id": one} for one in unknown[:20]]})
    row.staff_ids = sorted(known.values())
    row.save()
    messages.want(row.content)
    return row


class BroadcastDetail(generics.RetrieveAPIView[Broadcast]):
    """One 群发 with how far it has come."""

    serializer_class = BroadcastDetailSerializer
    queryset = Broadcast.objects.select_related("segment")


class BroadcastPreflight(APIView):
    """Who would get it now, through whom, and who would not; nothing is sent."""

    @extend_schema(request=None, responses={200: PreflightSerializer})
    def post(self, request: Request, pk: int) -> Response:
        row = generics.get_object_or_404(Broadcast.objects.select_related("segment"), pk=pk)
        return Response(PreflightSerializer(audience.preflight(row)).data)


class BroadcastSend(APIView):
    """Send a draft, now or at its `send_at`: its staff are asked to confirm."""

    @extend_schema(request=None, parameters=[ONE_KEY], responses={202: BroadcastSerializer})
    def post(self, request: Request, pk: int) -> Response:
        row = generics.get_object_or_404(Broadcast.objects.select_related("segment"), pk=pk)
        if not request.headers.get("Idempotency-Key"):
            raise ValidationError({"Idempotency-Key": [_("发送群发必须带上 Idempotency-Key")]})
        try:
            sending.send(row, by=request.user.label, scope=None)
        except DomainError as error:
            raise ValidationError({"state": error.messages}) from error
        return Response(BroadcastSerializer(row).data, status=202)


class BroadcastResults(generics.ListAPIView[Delivery]):
    """What became of each receiver, as far as WeCom told."""

    serializer_class = ResultSerializer
    queryset = Delivery.objects.none()

    def get_queryset(self) -> QuerySet[Delivery]:
        found = generics.get_object_or_404(Broadcast, pk=self.kwargs["pk"])
        return Delivery.objects.filter(sender__broadcast=found).select_related("sender__staff").order_by("id")

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset) or []
        groups = Broadcast.objects.filter(pk=self.kwargs["pk"], kind=Broadcast.Kind.GROUPS).exists()
        model, name = (GroupChat, "chat_id") if groups else (Customer, "external_userid")
        keys = dict(model.objects.filter(pk__in=[row.receiver for row in rows]).values_list("pk", name))
        for row in rows:
            setattr(row, name, keys.get(row.receiver))
        return rows
