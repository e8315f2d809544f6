"""Health in the Open API: what waits, what is stuck, how fresh everything is."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from callbacks.health import health_of
from tenants.current import current_tenant


class InboxHealthSerializer(serializers.Serializer[Any]):
    pending = serializers.IntegerField()
    dead = serializers.IntegerField()
    parked = serializers.IntegerField()
    oldest_at = serializers.DateTimeField(allow_null=True, help_text="when the oldest pending event was received")


class OutboxHealthSerializer(serializers.Serializer[Any]):
    pending = serializers.IntegerField()
    unknown = serializers.IntegerField()
    parked = serializers.IntegerField()
    dead = serializers.IntegerField()
    expired = serializers.IntegerField()


class HealthSerializer(serializers.Serializer[Any]):
    inbox = InboxHealthSerializer()
    outbox = OutboxHealthSerializer()
    last_event_at = serializers.DateTimeField(allow_null=True, help_text="when WeCom last called")
    last_sync_at = serializers.DateTimeField(allow_null=True, help_text="when the last full sync ended well")
    token = serializers.ChoiceField(
        choices=["ok", "broken", "unchecked"], help_text="whether WeCom accepts this company's secret"
    )


class Health(APIView):
    """What waits, what is stuck, and how fresh everything is."""

    @extend_schema(responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        return Response(HealthSerializer(health_of(current_tenant().pk)).data)
