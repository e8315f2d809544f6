"""SOP plans and tasks in the Open API."""

from typing import Any

from django.db.models import Count, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

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
    workdays_only = serializers.BooleanField(help_text="put off to the next workday")
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


class TaskQuery(serializers.Serializer[Any]):
    state = serializers.ChoiceField(required=False, choices=StaffTask.State.choices)
    userid = serializers.CharField(required=False, max_length=64, help_text="whose tasks")

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """An empty parameter is none."""
        values: dict[str, Any] = super().to_internal_value({name: value for name, value in data.items() if value})
        return values


def all_tasks() -> QuerySet[StaffTask]:
    return StaffTask.objects.select_related("staff", "customer", "chat", "step_run__enrolment").order_by("id")


class TaskList(generics.ListAPIView[StaffTask]):
    """任务 of staff, from plans and from headquarters."""

    serializer_class = TaskSerializer
    queryset = StaffTask.objects.none()

    @extend_schema(parameters=[TaskQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[StaffTask]:
        given = TaskQuery(data=self.request.query_params)
        given.is_valid(raise_exception=True)
        wanted, rows = given.validated_data, all_tasks()
        if "state" in wanted:
            rows = rows.filter(state=wanted["state"])
        if "userid" in wanted:
            rows = rows.filter(staff__userid_key=wanted["userid"].lower())
        return rows


class TaskDetail(generics.RetrieveAPIView[StaffTask]):
    """One 任务, as in the list."""

    serializer_class = TaskSerializer
    queryset = StaffTask.objects.none()

    def get_queryset(self) -> QuerySet[StaffTask]:
        return all_tasks()
