"""任务看板 in numbers: tasks by state, by member of staff and by department, cut by the data scope."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, QuerySet

from members.models import Department, Staff, StaffDepartment
from members.scope import visible_staff
from sop.models import StaffTask

State = StaffTask.State
COUNTED = (State.OPEN, State.DONE, State.SKIPPED, State.EXPIRED)  # what was cancelled nobody had to do


def tasks_of(operator: Any) -> QuerySet[StaffTask]:
    """The tasks of the staff that the operator may see."""
    seen = visible_staff(operator)
    rows = StaffTask.objects.exclude(state=State.CANCELLED)
    return rows if seen is None else rows.filter(staff__in=seen.values("pk"))


@dataclass
class Numbers:
    """What was to be done, and what became of it."""

    name: str = ""
    pk: int = 0
    open: int = 0
    done: int = 0
    skipped: int = 0
    expired: int = 0
    people: int = 0
    reachable: bool = True
    of: list["Numbers"] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.open + self.done + self.skipped + self.expired

    @property
    def rate(self) -> int:
        return self.done * 100 // self.total if self.total else 0

    def add(self, other: "Numbers") -> None:
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.people += 1


def sum_of(rows: QuerySet[StaffTask]) -> Numbers:
    counts = dict(rows.order_by().values_list("state").annotate(number=Count("pk")))
    return Numbers(**{name.value: counts.get(name.value, 0) for name in COUNTED})


def by_staff(rows: QuerySet[StaffTask]) -> list[Numbers]:
    """Whose rate is lowest first: that is whom a manager looks for."""
    found: dict[int, Numbers] = {}
    for staff, state, number in rows.order_by().values_list("staff_id", "state").annotate(number=Count("pk")):
        if state in COUNTED:
            setattr(found.setdefault(staff, Numbers(pk=staff)), state, number)
    people = Staff.objects.in_bulk(found)
    for pk, one in found.items():
        staff = people[pk]
        one.name, one.people = str(staff), 1
        one.reachable = staff.visible and staff.left_at is None and staff.status == Staff.Status.ACTIVE
    return sorted(found.values(), key=lambda one: (one.rate, -one.total, one.pk))


def by_department(rows: QuerySet[StaffTask]) -> list[Numbers]:
    """Each member counts in one department, so that the sum is the whole."""
    staff = by_staff(rows)
    places = department_of(one.pk for one in staff)
    found: dict[int, Numbers] = {}
    for one in staff:
        found.setdefault(places.get(one.pk, 0), Numbers(pk=places.get(one.pk, 0))).add(one)
    names = {one.pk: one.name for one in Department.objects.filter(pk__in=found)}
    for pk, department in found.items():
        department.name = names.get(pk, "")
    return sorted(found.values(), key=lambda one: (one.rate, -one.total, one.pk))


def department_of(staff_ids: Iterable[int]) -> dict[int, int]:
    """By member the main department, or the first one where WeCom names none."""
    ids = list(staff_ids)
    rows = StaffDepartment.objects.filter(staff__in=ids, department__deleted_at=None).order_by("-id")
    found = dict(rows.values_list("staff_id", "department_id"))
    main = Staff.objects.filter(pk__in=ids, main_department__deleted_at=None).exclude(main_department=None)
    return found | dict(main.values_list("pk", "main_department_id"))


def staff_in(department: Department) -> list[int]:
    """Those whom `by_department` counts there."""
    near = Staff.objects.filter(main_department=department) | Staff.objects.filter(departments=department)
    ids = list(near.values_list("pk", flat=True))
    return [pk for pk, place in department_of(ids).items() if place == department.pk]
