"""到时间提醒: whoever agreed to come back to a customer is told when the time has come."""

import hashlib
from collections.abc import Iterable

from django.utils import timezone
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import override

from contacts.models import FollowUp
from members import reach
from tenants import due

DUE = "contacts.follow_up"
"""The kind of the due rows; their ref is the follow-up."""

NAMED = 5


def remind(row: FollowUp) -> None:
    """At the row's next date, unless that is over by now or nobody of the staff wrote it."""
    if row.staff_id is not None and row.next_at is not None and row.next_at > timezone.now():
        due.put(DUE, {row.pk: row.next_at})


def forget(rows: Iterable[int]) -> None:
    due.drop(DUE, rows)


def fall_due(ids: list[int]) -> None:
    """The handler of the due index: one card for each, about what is still open at this moment."""
    rows = FollowUp.objects.open().filter(pk__in=ids, next_at__lte=timezone.now()).exclude(staff=None)
    waiting: dict[int, list[FollowUp]] = {}
    for row in rows.select_related("staff", "customer").order_by("next_at", "id"):
        waiting.setdefault(row.staff_id or 0, []).append(row)
    with override("zh-hans"):
        for own in waiting.values():
            _tell(own)


def _tell(rows: list[FollowUp]) -> None:
    if rows[0].staff is None:
        return
    one = len(rows) == 1
    title = (
        _("该跟进客户「%(customer)s」了") % {"customer": rows[0].customer}
        if one
        else _("%(count)d 位客户该跟进了") % {"count": len(rows)}
    )
    lines = [
        _("%(at)s %(customer)s：%(text)s")
        % {"at": f"{localtime(row.next_at):%H:%M}", "customer": row.customer, "text": row.text[:40]}
        for row in rows[:NAMED]
    ]
    if len(rows) > NAMED:
        lines.append(_("还有 %(more)d 位") % {"more": len(rows) - NAMED})
    facts = ",".join(f"{row.pk}:{row.next_at}" for row in rows)
    key = f"{rows[0].staff_id}:{hashlib.sha256(facts.encode()).hexdigest()[:24]}"
    url = reach.page_for(rows[0].staff, customer=rows[0].customer_id if one else None)
    reach.tell([rows[0].staff], title=title, text="\n".join(lines), url=url, key=key, kind="follow_up")
