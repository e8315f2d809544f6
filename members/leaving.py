"""Members who leave the company or get another id. Their rows stay: customers, groups and the past hang on them."""

from datetime import datetime

from members.models import Staff
from members.signals import staff_left


def has_left(userid: str, *, at: datetime) -> None:
    """The member is gone from WeCom's contacts. Told again, or for someone nobody knows, it changes nothing."""
    staff = Staff.objects.select_for_update().filter(userid_key=userid.lower()).first()
    if staff is None or staff.left_at is not None:
        return
    staff.left_at, staff.status, staff.can_follow, staff.visible = at, Staff.Status.LEFT, False, False
    staff.save(update_fields=["left_at", "status", "can_follow", "visible"])
    if staff.operator is not None and staff.operator.is_active:
        staff.operator.is_active = False
        staff.operator.save(update_fields=["is_active"])
    staff_left.send(Staff, staff_ids=[staff.pk])


def rename(old: str, new: str) -> None:
    """WeCom gave the member another userid: the row keeps its customers under the new one."""
    if Staff.objects.filter(userid_key=new.lower()).exists():
        return  # a row under the new id came first, by another event or a sync
    Staff.objects.filter(userid_key=old.lower()).update(userid=new, userid_key=new.lower())
