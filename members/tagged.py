"""Who is in a tag of contacts: members named by it, and all who are placed in its departments or below."""

from collections import defaultdict
from collections.abc import Iterable

from django.db import connection
from django.db.models import Q

from members.models import Staff, StaffDepartment, StaffTag, StaffTagDepartment, StaffTagMember

_TAGS_OF = """
SELECT l.staff_id, t.id, t.wecom_id, t.name
FROM members_stafftagmember l JOIN members_stafftag t ON t.id = l.tag_id AND t.deleted_at IS NULL
WHERE l.staff_id = ANY(%(staff)s)
UNION
SELECT p.staff_id, t.id, t.wecom_id, t.name FROM members_staffdepartment p
JOIN members_staff m ON m.id = p.staff_id AND m.left_at IS NULL
JOIN members_department d ON d.id = p.department_id AND d.deleted_at IS NULL
JOIN members_department above ON above.wecom_id = ANY(d.path) AND above.deleted_at IS NULL
JOIN members_stafftagdepartment l ON l.department_id = above.id
JOIN members_stafftag t ON t.id = l.tag_id AND t.deleted_at IS NULL
WHERE p.staff_id = ANY(%(staff)s)
ORDER BY 4, 3
"""


def with_tags(staff: Iterable[Staff]) -> list[Staff]:
    """The same rows, each with its `tags`: one statement, however many they are."""
    rows = list(staff)
    found: dict[int, list[StaffTag]] = defaultdict(list)
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_TAGS_OF, {"staff": [row.pk for row in rows]})
            for staff_id, pk, wecom_id, name in cursor.fetchall():
                found[staff_id].append(StaffTag(pk, wecom_id=wecom_id, name=name))
    for row in rows:
        row.tags = found[row.pk]
    return rows


def carrying(tag: StaffTag) -> Q:
    """A condition on Staff."""
    named = StaffTagMember.objects.filter(tag=tag).values("staff")
    inside = StaffTagDepartment.objects.filter(tag=tag, department__deleted_at=None)
    roots = list(inside.values_list("department__wecom_id", flat=True))
    places = StaffDepartment.objects.filter(department__path__overlap=roots, department__deleted_at=None)
    return Q(pk__in=named) | Q(pk__in=places.values("staff"), left_at=None)
