"""Members who open the sidebar: the first time takes a seat, an administrator may turn it off, leaving frees it."""

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import seats
from console import audit
from members.models import Staff

SIDEBAR = seats.Holders(
    _("侧边栏员工"),
    "SELECT s.id::text FROM members_staff s LEFT JOIN accounts_operator o ON o.id = s.operator_id AND o.is_active "
    "WHERE s.sidebar = 'on' AND s.left_at IS NULL AND o.id IS NULL",
    "members:staff",
    "sidebar=seat",
)
REFUSED = seats.Holders(
    _("因席位不足未能进入侧边栏"),
    "SELECT id FROM members_staff WHERE sidebar = 'refused' AND left_at IS NULL",
    "members:staff",
    "sidebar=refused",
)


class TurnedOff(Exception):
    """An administrator has turned the sidebar off for this member."""


def seated(rows: QuerySet[Staff]) -> QuerySet[Staff]:
    """The same as SIDEBAR counts: who signs in to the console too has the seat of that account."""
    of_operator = Q(operator__isnull=False, operator__is_active=True)
    return rows.filter(sidebar=Staff.Sidebar.ON, left_at=None).exclude(of_operator)


def take(staff: Staff) -> None:
    """The member is about to look: seated before, seated now, or refused, which the list of staff tells."""
    if staff.sidebar == Staff.Sidebar.ON:
        return
    if staff.sidebar == Staff.Sidebar.OFF:
        raise TurnedOff
    waiting = Staff.objects.filter(pk=staff.pk, sidebar__in=[Staff.Sidebar.NEVER, Staff.Sidebar.REFUSED])
    try:
        with seats.changing():
            waiting.update(sidebar=Staff.Sidebar.ON, sidebar_at=timezone.now())
    except seats.NoSeat:
        waiting.update(sidebar=Staff.Sidebar.REFUSED, sidebar_at=timezone.now())
        raise


def turn_off(request: HttpRequest, staff: Staff) -> None:
    with seats.changing():
        Staff.objects.filter(pk=staff.pk).update(sidebar=Staff.Sidebar.OFF, sidebar_at=timezone.now())
        audit.record(request, "staff.sidebar_off", staff.userid)


def turn_on(request: HttpRequest, staff: Staff) -> None:
    with seats.changing():
        Staff.objects.filter(pk=staff.pk).update(sidebar=Staff.Sidebar.ON, sidebar_at=timezone.now())
        audit.record(request, "staff.sidebar_on", staff.userid)
