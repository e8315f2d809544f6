"""SOP plans, who is in them, and tasks in the Open API."""

from typing import Any

from django.db.models import Count, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError

from sop.models import Enrolment, Plan, PlanVersion, StaffTask
from sop.plan_pages import latest_of
from sop.words import Vocabulary

WORDS = ", in words, in Chinese"


class StepSerializer(serializers.Serializer[Any]):
    no = serializers.IntegerField()
    title = serializers.CharField()
    day = serializers.IntegerField(allow_null=True, help_text="0 is the day of the beginning; then `at` is the hour")
    at = serializers.TimeField(allow_null=True)
    after_minutes = serializers.IntegerField(allow_null=True, help_text="after the beginning, instead of day and hour")
    valid_hours = serializers.IntegerField()


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """As its newest published version has it."""

    version = serializers.SerializerMethodField(help_text="its number; null while there is only a draft")
    trigger = serializers.SerializerMethodField(help_text="when it begins" + WORDS)
    steps = serializers.SerializerMethodField()
    active = serializers.IntegerField(help_text="customers on the way")
    done = serializers.IntegerField()
    exited = serializers.IntegerField()

    class Meta:
        model = Plan
        fields = ["id", "name", "enabled", "version", "trigger", "steps", "active", "done", "exited", "updated_at"]

    def _version(self, row: Plan) -> PlanVersion | None:
        versions = self.context.get("versions")
        found: PlanVersion | None = (versions if versions is not None else latest_of([row])).get(row.pk)
        return found if found is not None and found.published_at is not None else None

    @extend_schema_field({"type": "integer", "nullable": True})
    def get_version(self, row: Plan) -> int | None:
        version = self._version(row)
        return version.number if version else None

    def get_trigger(self, row: Plan) -> str:
        version = self._version(row)
        return Vocabulary([version]).trigger(version.trigger) if version else ""

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, row: Plan) -> Any:
        version = self._version(row)
        return StepSerializer(version.steps.order_by("no"), many=True).data if version else []


def living() -> QuerySet[Plan]:
    State = Enrolment.State  # noqa: N806
    counts = {one.value: Count("enrolments", filter=Q(enrolments__state=one)) for one in State}
    return Plan.objects.filter(archived_at=None).annotate(**counts).order_by("id")


class PlanList(generics.ListAPIView[Plan]):
    """客户SOP."""

    serializer_class = PlanSerializer
    queryset = Plan.objects.none()

    def get_queryset(self) -> QuerySet[Plan]:
        return living()


class PlanDetail(generics.RetrieveAPIView[Plan]):
    """One 客户SOP, as in the list."""

    serializer_class = PlanSerializer
    queryset = Plan.objects.none()

    def get_queryset(self) -> QuerySet[Plan]:
        return living()


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    customer = serializers.CharField(source="follow.customer.external_userid")
    userid = serializers.CharField(source="follow.staff.userid")
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = Enrolment
        fields = ["id", "customer", "userid", "version", "state", "exit_reason", "anchor_at", "ended_at"]


class EnrolmentList(generics.ListAPIView[Enrolment]):
    """Who is or was in a 客户SOP."""

    serializer_class = EnrolmentSerializer
    queryset = Enrolment.objects.none()

    def get_queryset(self) -> QuerySet[Enrolment]:
        plan = generics.get_object_or_404(living(), pk=self.kwargs["pk"])
        rows = Enrolment.objects.filter(plan=plan)
        return rows.select_related("follow__customer", "follow__staff", "version").order_by("id")


class TaskSerializer(serializers.ModelSerializer[StaffTask]):
    userid = serializers.CharField(source="staff.userid")
    customer = serializers.CharField(source="customer.external_userid", default=None, allow_null=True)
    chat_id = serializers.CharField(source="chat.chat_id", default=None, allow_null=True)
    plan = serializers.IntegerField(source="step_run.enrolment.plan_id", default=None, allow_null=True)
    assignment = serializers.IntegerField(source="assignment_id", allow_null=True)

    class Meta:
        model = StaffTask
        fields = [
            "id", "title", "userid", "customer", "chat_id", "plan", "assignment", "starts_at", "ends_at", "state",
            "proof", "skip_reason", "settled_at",
        ]  # fmt: skip


def all_tasks() -> QuerySet[StaffTask]:
    return StaffTask.objects.select_related("staff", "customer", "chat", "step_run__enrolment").order_by("id")


@extend_schema(
    parameters=[
        OpenApiParameter("state", str, enum=[one.value for one in StaffTask.State]),
        OpenApiParameter("userid", str, description="whose tasks"),
    ]
)
class TaskList(generics.ListAPIView[StaffTask]):
    """任务 of staff, from plans and from headquarters."""

    serializer_class = TaskSerializer
    queryset = StaffTask.objects.none()

    def get_queryset(self) -> QuerySet[StaffTask]:
        rows = all_tasks()
        if state := self.request.query_params.get("state"):
            if state not in StaffTask.State.values:
                raise ValidationError({"state": ", ".join(StaffTask.State.values)})
            rows = rows.filter(state=state)
        if userid := self.request.query_params.get("userid"):
            rows = rows.filter(staff__userid_key=userid.lower())
        return rows


class TaskDetail(generics.RetrieveAPIView[StaffTask]):
    """One 任务, as in the list."""

    serializer_class = TaskSerializer
    queryset = StaffTask.objects.none()

    def get_queryset(self) -> QuerySet[StaffTask]:
        return all_tasks()
