"""Members who leave the company or get another id. Their rows stay: customers, groups and the past hang on them."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ForeignObjectRel

from accounts import seats
from members.models import Staff, StaffTagMember
from members.signals import staff_left, staff_merging


def has_left(userid: str, *, at: datetime) -> None:
    """The member is gone from WeCom's contacts. Told again, or for someone nobody knows, it changes nothing."""
    staff = Staff.objects.select_for_update().filter(userid_key=userid.lower()).first()
    if staff is None or staff.left_at is not None:
        return
    staff.left_at, staff.status, staff.can_follow, staff.visible = at, Staff.Status.LEFT, False, False
    staff.sidebar = Staff.Sidebar.NEVER  # whoever comes back asks for a seat again
    staff.save(update_fields=["left_at", "status", "can_follow", "visible", "sidebar"])
    StaffTagMember.objects.filter(staff=staff).delete()  # WeCom sends no update_tag for it
    if staff.operator is not None and staff.operator.is_active:
        staff.operator.is_active = False
        staff.operator.save(update_fields=["is_active"])
    transaction.on_commit(seats.recount, robust=True)
    staff_left.send(Staff, staff_ids=[staff.pk])


def rename(old: str, new: str) -> None:
    """WeCom gave the member another userid: the row keeps its customers under the new one."""
    rows = {row.userid_key: row for row in Staff.objects.filter(userid_key__in=[old.lower(), new.lower()])}
    kept, gone = rows.get(old.lower()), rows.get(new.lower())
    if kept is None:
        return
    if gone is not None:  # it came first, by another event or a sync
        merge(kept, gone)
    Staff.objects.filter(pk=kept.pk).update(userid=new, userid_key=new.lower())
    Staff.objects.filter(direct_leader=old.lower()).update(direct_leader=new.lower())


@transaction.atomic
def merge(kept: Staff, gone: Staff) -> None:
    """One member, two rows: the older one stays, as the past hangs on it, and takes what the newer one has."""
    staff_merging.send(Staff, kept=kept.pk, gone=gone.pk)
    for relation in Staff._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel) and not relation.many_to_many:
            _move(relation.related_model, relation.field.attname, gone.pk, kept.pk)
    operator_id = kept.operator_id or gone.operator_id
    sidebar = kept.sidebar or gone.sidebar
    newer = ("name", "pinyin", "status", "main_department_id", "can_follow", "visible", "left_at", "synced_at")
    facts = {name: getattr(gone, name) for name in newer if getattr(gone, name) not in ("", None)}
    gone.delete()
    Staff.objects.filter(pk=kept.pk).update(
        **facts | {"left_at": gone.left_at, "operator_id": operator_id, "sidebar": sidebar}
    )


def _move(model: Any, column: str, gone: int, kept: int) -> None:
    """Row by row only where a row of the kept one stands in the way: that one counts, and the other goes."""
    rows = model._base_manager.filter(**{column: gone})
    try:
        with transaction.atomic():
            rows.update(**{column: kept})
        return
    except IntegrityError:
        pass
    for pk in list(rows.values_list("pk", flat=True)):
        with suppress(IntegrityError), transaction.atomic():
            model._base_manager.filter(pk=pk).update(**{column: kept})
