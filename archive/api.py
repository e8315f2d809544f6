"""Archived messages in the Open API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from archive.models import ArchivedMessage
from contacts.api import MomentField
from contacts.models import Customer
from members.models import Staff


class ConversationSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    kind = serializers.CharField(help_text="customer, colleague or group")
    chat_id = serializers.CharField(help_text="of a group")


class ArchivedMessageSerializer(serializers.ModelSerializer[ArchivedMessage]):
    id = serializers.IntegerField(help_text="grows with the order of arrival")
    type = serializers.CharField(source="kind", help_text="WeCom's msgtype, also one that is not known yet")
    conversation = ConversationSerializer()
    text = serializers.CharField(help_text="what of it can be read and searched")
    content = serializers.JSONField(source="payload", help_text="the message as WeCom's library gave it")
    revoked_at = serializers.DateTimeField(allow_null=True, help_text="when it was taken back; the text stays")

    class Meta:
        model = ArchivedMessage
        fields = [
            "id",
            "msgid",
            "seq",
            "type",
            "conversation",
            "sender",
            "from_customer",
            "at",
            "text",
            "content",
            "revoked_at",
        ]


class MessageQuery(serializers.Serializer[Any]):
    """To follow the archive, ask with `id_after`, the greatest id that was seen."""

    id_after = serializers.IntegerField(required=False, min_value=0, max_value=2**62, help_text="of a greater id only")

    staff = serializers.CharField(required=False, max_length=64, help_text="userid of a member who takes part")
    customer = serializers.CharField(required=False, max_length=64, help_text="external_userid of a customer")
    chat = serializers.CharField(required=False, max_length=64, help_text="chat_id of a group")
    type = serializers.CharField(required=False, max_length=32)
    at_from = MomentField(required=False, help_text="said at or after this time")
    at_to = MomentField(required=False, end=True, help_text="said before this time; of a date, before its end")

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """An empty parameter is none."""
        values: dict[str, Any] = super().to_internal_value({name: value for name, value in data.items() if value})
        return values


class MessageList(generics.ListAPIView[ArchivedMessage]):
    """会话存档: messages in the order of arrival."""

    serializer_class = ArchivedMessageSerializer
    queryset = ArchivedMessage.objects.none()  # names the model for the schema

    @extend_schema(parameters=[MessageQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ArchivedMessage]:
        given = MessageQuery(data=self.request.query_params)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        rows = ArchivedMessage.objects.select_related("conversation").order_by("id")
        if "staff" in wanted:
            ids = list(Staff.objects.filter(userid_key=wanted["staff"].lower()).values_list("pk", flat=True))
            rows = rows.filter(conversation__staff_ids__contains=ids) if ids else rows.none()
        if "customer" in wanted:
            customers = Customer.objects.filter(external_userid=wanted["customer"]).values("pk")
            rows = rows.filter(conversation__customer_id__in=customers)
        if "chat" in wanted:
            rows = rows.filter(conversation__chat_id=wanted["chat"])
        plain = {"id_after": "id__gt", "type": "kind", "at_from": "at__gte", "at_to": "at__lt"}
        return rows.filter(**{field: wanted[name] for name, field in plain.items() if name in wanted})
