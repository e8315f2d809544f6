"""Staff in the Open API."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import generics, serializers

from members.models import Department, Staff, StaffTag
from members.tagged import with_tags


class StaffDepartmentSerializer(serializers.ModelSerializer[Department]):
    id = serializers.IntegerField(source="wecom_id")

    class Meta:
        model = Department
        fields = ["id", "name"]


class StaffTagSerializer(serializers.ModelSerializer[StaffTag]):
    id = serializers.IntegerField(source="wecom_id")

    class Meta:
        model = StaffTag
        fields = ["id", "name"]


class StaffSerializer(serializers.ModelSerializer[Staff]):
    departments = StaffDepartmentSerializer(many=True, read_only=True)
    tags = StaffTagSerializer(many=True, read_only=True, help_text="tags of WeCom's contacts, own and by department")
    active = serializers.SerializerMethodField()

    class Meta:
        model = Staff
        fields = ["userid", "name", "alias", "position", "departments", "tags", "active", "can_follow", "left_at"]

    def get_active(self, staff: Staff) -> bool:
        return staff.left_at is None and staff.status == Staff.Status.ACTIVE


class StaffList(generics.ListAPIView[Staff]):
    """Members of the corp, also those who left."""

    serializer_class = StaffSerializer
    queryset = Staff.objects.none()

    def get_queryset(self) -> QuerySet[Staff]:
        living = Prefetch("departments", Department.objects.filter(deleted_at=None).order_by("wecom_id"))
        return Staff.objects.prefetch_related(living).order_by("id")

    def paginate_queryset(self, queryset: Any) -> Any:
        return with_tags(super().paginate_queryset(queryset) or ())
