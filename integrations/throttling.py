"""How often one key may call. Without Redis nobody is refused: the limit protects us, it is not a fee."""

from typing import TYPE_CHECKING

from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports this module while it loads


class PerKey(SimpleRateThrottle):
    """Callers without a key, where they are let in, share the rate of their address."""

    def get_rate(self) -> str:
        return str(settings.API_RATE)

    def get_cache_key(self, request: Request, view: "APIView") -> str:
        key = getattr(request.auth, "prefix", None)
        return f"throttle:api:{key}" if key else f"throttle:api:from:{request.META.get('REMOTE_ADDR', '')}"

    def allow_request(self, request: Request, view: "APIView") -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError:
            return True
