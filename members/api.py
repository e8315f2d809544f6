"""Staff in the Open API."""

from django.db.models import Prefetch, QuerySet
from rest_framework import generics, serializers

from members.models import Department, Staff


class StaffDepartmentSerializer(serializers.ModelSerializer[Department]):
    id = serializers.IntegerField(source="wecom_id")

    class Meta:
        model = Department
        fields = ["id", "name"]


class StaffSerializer(serializers.ModelSerializer[Staff]):
    departments = StaffDepartmentSerializer(many=True, read_only=True)
    active = serializers.SerializerMethodField()

    class Meta:
        model = Staff
        fields = ["userid", "name", "alias", "position", "departments", "active", "can_follow", "left_at"]

    def get_active(self, staff: Staff) -> bool:
        return staff.left_at is None and staff.status == Staff.Status.ACTIVE


class StaffList(generics.ListAPIView[Staff]):
    """Members of the corp, also those who left."""

    serializer_class = StaffSerializer
    queryset = Staff.objects.none()

    def get_queryset(self) -> QuerySet[Staff]:
        living = Prefetch("departments", Department.objects.filter(deleted_at=None).order_by("wecom_id"))
        return Staff.objects.prefetch_related(living).order_by("id")
