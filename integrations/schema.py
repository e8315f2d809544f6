"""What every operation of the OpenAPI document has in common: the key of a write and the errors."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from integrations.authentication import ApiKeyAuthentication

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="a text of your own, up to 128 characters: for seven days a repeat with the same key and body is"
    " answered the same and does nothing more",
)


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error of the API."""

    code = serializers.CharField(help_text="for programs: a word that does not change")
    message = serializers.CharField(help_text="for people, in Chinese")
    message_en = serializers.CharField(help_text="for people, in English")
    field_errors = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), help_text="what is wrong, by field"
    )
    request_id = serializers.CharField(help_text="names this request in our log")


class Schema(AutoSchema):
    """Adds the error answers to each operation, so that a client generator knows them."""

    def get_override_parameters(self) -> list[Any]:
        return [IDEMPOTENCY_KEY] if self.method in WRITES else []

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for code, text in self._errors().items():
            body = self._get_response_for_code(ErrorSerializer, code, media_types=["application/json"])
            bodies.setdefault(code, {**body, "description": text})
        return bodies

    def _errors(self) -> dict[str, str]:
        errors = {
            "401": "no valid API key of this tenant",
            "403": "the key may not do this",
            "406": "only JSON is answered",
            "405": "the method is not supported here",
            "429": "too many requests: wait as long as Retry-After says",
            "500": "our fault; report the request_id",
        }
        writes = self.method in WRITES
        if writes or self._is_list_view():
            errors["400"] = "the request is wrong: see field_errors"
        if writes:
            errors["413"] = "the body is too large"
            errors["415"] = "the body must be application/json"
            errors["422"] = "the Idempotency-Key was used with another request"
        if "{" in self.path:
            errors["404"] = "unknown id"
        return dict(sorted(errors.items()))


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
