"""Stages, custom fields and 跟进记录 in the Open API, with the same validation as everywhere."""

from typing import Any

from django.core.exceptions import ValidationError as DomainError
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.api import CustomerDetail, CustomerSerializer, MomentField, known_customers, with_follows
from contacts.models import Customer, CustomField, FollowUp, Stage, TimelineEntry
from contacts.profile import change_fields, living_fields, write_follow_up
from contacts.stages import living_stages, move_to_stage, stage_named
from members.models import Staff

API = TimelineEntry.Source.API


def told(error: DomainError, under: str = "") -> ValidationError:
    """A refusal in the shape of the API; `under` names the part of the body that holds the values."""
    known = hasattr(error, "error_dict")
    words: dict[str, Any] = error.message_dict if known else {"non_field_errors": error.messages}
    return ValidationError({under: words} if under else words)


class CustomerChangeSerializer(serializers.Serializer[Any]):
    stage = serializers.CharField(
        required=False, allow_null=True, max_length=20, help_text="name of a stage; null takes the customer out of all"
    )
    fields_ = serializers.DictField(
        required=False,
        help_text="values of custom fields by `key` or name; null empties one; those not named stay. Numbers are"
        " numbers, dates YYYY-MM-DD, choices one of `choices`",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`fields` is a name of the serializer itself, so the field is declared under another."""
        found = super().get_fields()
        found["fields"] = found.pop("fields_")
        return found


class CustomerProfile(CustomerDetail):
    """One customer, as in the list; its stage and custom fields can be changed."""

    @extend_schema(request=CustomerChangeSerializer, responses={200: CustomerSerializer})
    def patch(self, request: Request, external_userid: str) -> Response:
        """Change the stage, some of the custom fields, or both; all of it or nothing."""
        customer = get_object_or_404(known_customers(), external_userid=external_userid)
        wish = CustomerChangeSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        if not wish.validated_data:
            raise ValidationError({"non_field_errors": [_("请给出 stage 或 fields")]})
        with transaction.atomic():
            if "fields" in wish.validated_data:
                try:
                    change_fields(customer, wish.validated_data["fields"], by=request.user.label, source=API)
                except DomainError as error:
                    raise told(error, "fields") from error
            if "stage" in wish.validated_data:
                self.move(customer, wish.validated_data["stage"], request.user.label)
        changed = with_follows(known_customers()).get(pk=customer.pk)
        return Response(CustomerSerializer(changed, context=self.get_serializer_context()).data)

    @staticmethod
    def move(customer: Customer, name: str | None, by: str) -> None:
        try:
            move_to_stage([customer.pk], stage_named(name) if name else None, by=by, source=API)
        except DomainError as error:
            raise told(error) from error


class StageSerializer(serializers.ModelSerializer[Stage]):
    customers = serializers.IntegerField(source="inside", help_text="customers who are in it")

    class Meta:
        model = Stage
        fields = ["id", "name", "outcome", "customers"]


class StageList(generics.ListAPIView[Stage]):
    """The stages that customers go through, in their order: `open`, or an end (`won`, `lost`)."""

    serializer_class = StageSerializer
    queryset = Stage.objects.none()

    def get_queryset(self) -> QuerySet[Stage]:
        customers = known_customers().filter(stage=OuterRef("pk")).order_by()
        count = customers.values("stage").annotate(n=Count("pk")).values("n")
        return living_stages().annotate(inside=Coalesce(Subquery(count), 0))


class CustomFieldSerializer(serializers.ModelSerializer[CustomField]):
    class Meta:
        model = CustomField
        fields = ["key", "name", "kind", "choices"]


class CustomFieldList(generics.ListAPIView[CustomField]):
    """The company's own fields on its customers; `key` never changes."""

    serializer_class = CustomFieldSerializer
    queryset = CustomField.objects.none()

    def get_queryset(self) -> QuerySet[CustomField]:
        return living_fields()


class FollowUpSerializer(serializers.ModelSerializer[FollowUp]):
    userid = serializers.CharField(source="staff.userid", default=None, help_text="who wrote it; null for an operator")

    class Meta:
        model = FollowUp
        fields = ["id", "text", "userid", "by", "next_at", "next_done_at", "created_at"]


class NewFollowUpSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=2000)
    next_at = MomentField(required=False, allow_null=True, help_text="when to come back to the customer")
    userid = serializers.CharField(required=False, max_length=64, help_text="the staff member who wrote it")


class FollowUps(generics.ListAPIView[FollowUp]):
    """跟进记录 of one customer, newest first; a new one can be written."""

    serializer_class = FollowUpSerializer
    queryset = FollowUp.objects.none()

    def customer(self) -> Customer:
        return get_object_or_404(known_customers(), external_userid=self.kwargs["external_userid"])

    def get_queryset(self) -> QuerySet[FollowUp]:
        return FollowUp.objects.filter(customer=self.customer()).select_related("staff").order_by("-created_at", "-id")

    @extend_schema(request=NewFollowUpSerializer, responses={201: FollowUpSerializer})
    def post(self, request: Request, external_userid: str) -> Response:
        """Write what was said or agreed."""
        customer = self.customer()
        wish = NewFollowUpSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        values = wish.validated_data
        try:
            row = write_follow_up(
                customer,
                text=values["text"],
                next_at=values.get("next_at"),
                staff=writer(values.get("userid")),
                by=request.user.label,
                source=API,
            )
        except DomainError as error:
            raise told(error) from error
        return Response(FollowUpSerializer(row).data, status=201)


def writer(userid: str | None) -> Staff | None:
    if not userid:
        return None
    staff = Staff.objects.filter(userid_key=userid.lower()).first()
    if staff is None:
        raise ValidationError({"userid": [_("没有这位员工")]})
    return staff
