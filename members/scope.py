"""数据范围: the one place that decides whose customers and groups an operator may see."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import Operator
from members.models import Department, Staff, StaffDepartment


def visible_staff(operator: AbstractBaseUser | AnonymousUser) -> QuerySet[Staff] | None:
    """The staff whose data the operator may see, those who left included. None: everyone's, and what is nobody's.

    An operator who is no member of the company sees nothing, unless the whole company is in the range.
    """
    if not isinstance(operator, Operator) or not operator.is_active:
        return Staff.objects.none()
    if operator.scope == Operator.Scope.ALL:
        return None
    own = Staff.objects.filter(operator=operator).first()
    if own is None:
        return Staff.objects.none()
    if operator.scope == Operator.Scope.SELF:
        return Staff.objects.filter(pk=own.pk)
    departments = Department.objects.filter(placements__staff=own, deleted_at=None)
    if operator.scope == Operator.Scope.SUBTREE:
        roots = list(departments.values_list("wecom_id", flat=True))
        departments = Department.objects.filter(path__overlap=roots, deleted_at=None)
    colleagues = StaffDepartment.objects.filter(department__in=departments).values("staff")
    return Staff.objects.filter(pk__in=colleagues) | Staff.objects.filter(pk=own.pk)


def led_by(leader: Staff) -> QuerySet[Staff]:
    """Whom this member leads: as 部门负责人 all in their departments and in those below, as 直属上级 by name."""
    own = Department.objects.filter(placements__staff=leader, placements__is_leader=True, deleted_at=None)
    roots = list(own.values_list("wecom_id", flat=True))
    places = StaffDepartment.objects.filter(department__path__overlap=roots, department__deleted_at=None)
    people = Staff.objects.filter(left_at=None, status=Staff.Status.ACTIVE).exclude(pk=leader.pk)
    return people.filter(Q(pk__in=places.values("staff")) | Q(direct_leader=leader.userid_key))


def leads(staff: Staff) -> bool:
    if staff.placements.filter(is_leader=True, department__deleted_at=None).exists():
        return True
    return Staff.objects.filter(direct_leader=staff.userid_key, left_at=None).exists()
