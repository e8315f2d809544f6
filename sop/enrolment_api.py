"""Who is in a plan, in the Open API: read, put into it by another system, taken out again."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.models import Customer, Follow
from sop import enrol, exits
from sop.models import Enrolment, Plan, PlanVersion


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    customer = serializers.CharField(source="follow.customer.external_userid")
    userid = serializers.CharField(source="follow.staff.userid")
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = Enrolment
        fields = ["id", "customer", "userid", "version", "state", "exit_reason", "anchor_at", "ended_at"]


class EnterSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField(max_length=64, help_text="external_userid")
    userid = serializers.CharField(
        required=False, max_length=64, help_text="by whose friendship; the newest one's when left out"
    )


def living() -> QuerySet[Plan]:
    return Plan.objects.filter(archived_at=None)


def enrolments() -> QuerySet[Enrolment]:
    return Enrolment.objects.select_related("follow__customer", "follow__staff", "version", "plan")


class EnrolmentList(generics.ListAPIView[Enrolment]):
    """Who is or was in a 客户SOP."""

    serializer_class = EnrolmentSerializer
    queryset = Enrolment.objects.none()

    def get_queryset(self) -> QuerySet[Enrolment]:
        return enrolments().filter(plan=get_object_or_404(living(), pk=self.kwargs["pk"])).order_by("id")

    @extend_schema(request=EnterSerializer, responses={201: EnrolmentSerializer, 200: EnrolmentSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Put a customer into the plan, whatever it begins by; 200 with the run that goes on, when there is one."""
        plan = get_object_or_404(living(), pk=pk)
        wish = EnterSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        customer = Customer.objects.filter(external_userid=wish.validated_data["customer"]).first()
        if customer is None:
            raise ValidationError({"customer": [_("没有这位客户")]})
        version = enrol.newest(plan)
        if version is None or not plan.enabled:
            raise ValidationError({"non_field_errors": [_("这个 SOP 没有启用")]})
        now = timezone.now()
        begin = enrol.Begin(
            friendship(version, customer, wish.validated_data.get("userid")), f"api:{now.timestamp():.6f}", now
        )
        with transaction.atomic():
            made = enrol.begin(version, [begin])
            own = {"cause": begin.cause} if made else {"state": Enrolment.State.ACTIVE}
            row = enrolments().filter(plan=plan, follow__customer=customer, **own).first()
        if row is None:  # the run that was in the way, or the friendship, ended at this moment
            raise ValidationError({"customer": [_("客户没有可以发送的好友员工")]})
        return Response(EnrolmentSerializer(row).data, status=201 if made else 200)


def friendship(version: PlanVersion, customer: Customer, userid: str | None) -> int:
    """The one that is named, or the newest with somebody who can write and whom the plan is for."""
    if not userid:
        found = enrol.friends_of([customer.pk], version)
        if customer.pk not in found:
            raise ValidationError({"customer": [_("客户没有可以发送的好友员工")]})
        return found[customer.pk]
    rows = Follow.objects.living().filter(enrol.able("staff__"), customer=customer, half=False)
    follow = rows.filter(staff__userid_key=userid.lower()).first()
    if follow is None:
        raise ValidationError({"userid": [_("这位员工不是该客户的好友，或不能发送")]})
    if not enrol.for_staff(version, follow.staff_id):
        raise ValidationError({"userid": [_("这个 SOP 不对这位员工的客户生效")]})
    return follow.pk


class CustomerOfPlan(APIView):
    """One customer in a 客户SOP."""

    @extend_schema(responses={200: EnrolmentSerializer})
    def delete(self, request: Request, pk: int, external_userid: str) -> Response:
        """Take the customer out; tasks that are open are cancelled. 404 when the customer is not on the way in it."""
        active = enrolments().filter(plan__archived_at=None, state=Enrolment.State.ACTIVE)
        row = get_object_or_404(active, plan=pk, follow__customer__external_userid=external_userid)
        exits.leave({row.pk: "api"}, by=request.user.label)
        return Response(EnrolmentSerializer(enrolments().get(pk=row.pk)).data)
