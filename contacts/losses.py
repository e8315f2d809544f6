"""流失提醒: friendships that were ended by one side are told to the staff member and to who leads them."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import override

from contacts.models import Follow, LossAlert
from members import reach
from members.models import Staff

FRESH = timedelta(days=2)
"""What a comparison finds long after it happened is no news; it stands on the page."""
LATELY = timedelta(days=7)
NAMED = 5
ENDED_BY = Follow.EndedBy


def loss_alert() -> LossAlert:
    """The company's settings; those of a company that never looked at them are the defaults."""
    return LossAlert.objects.first() or LossAlert()


def lately(follows: QuerySet[Follow], *, by: Collection[str]) -> QuerySet[Follow]:
    """Friendships that one of these sides ended in the last days, the newest first."""
    ended = follows.filter(ended_by__in=by, ended_at__gte=timezone.now() - LATELY)
    return ended.select_related("customer", "staff").order_by("-ended_at")


def follows_ended(follow_ids: Sequence[int], **_more: Any) -> None:
    """For the signal `follow_ended`: one message for each receiver, however many friendships ended together."""
    told = loss_alert()
    sides = [ENDED_BY.CUSTOMER] if told.on_deleted_by_customer else []
    sides += [ENDED_BY.STAFF] if told.on_deleted_by_staff else []
    if not sides or not (told.to_staff or told.to_manager):
        return
    recent = Follow.objects.filter(pk__in=follow_ids, ended_by__in=sides, ended_at__gte=timezone.now() - FRESH)
    lost = list(recent.select_related("customer", "staff__operator").order_by("staff_id", "ended_at", "id"))
    if not lost:
        return
    receivers: dict[int, tuple[Staff, list[Follow]]] = {}
    managers = reach.managers_of({follow.staff for follow in lost}) if told.to_manager else {}
    for follow in lost:
        if told.to_staff and follow.ended_by == ENDED_BY.CUSTOMER:  # who deleted somebody knows it
            receivers.setdefault(follow.staff_id, (follow.staff, []))[1].append(follow)
        if (manager := managers.get(follow.staff_id)) is not None:
            receivers.setdefault(manager.pk, (manager, []))[1].append(follow)
    with override("zh-hans"):
        for receiver, follows in receivers.values():
            _tell(receiver, follows)


def _tell(receiver: Staff, follows: list[Follow]) -> None:
    facts = ",".join(f"{follow.pk}:{follow.ended_at and int(follow.ended_at.timestamp())}" for follow in follows)
    reach.tell(
        [receiver],
        title=title_of(receiver, follows),
        text=text_of(receiver, follows),
        url=url_of(receiver, follows),
        key=f"{receiver.pk}:{hashlib.sha256(facts.encode()).hexdigest()[:24]}",
        kind="loss",
    )


def title_of(receiver: Staff, follows: list[Follow]) -> str:
    if len(follows) > 1:
        return _("流失提醒：%(count)d 位客户") % {"count": len(follows)}
    return _("流失提醒：%(what)s") % {"what": what_happened(follows[0], receiver)}


def text_of(receiver: Staff, follows: list[Follow]) -> str:
    lines = [
        f"{localtime(follow.ended_at):%m-%d %H:%M} {what_happened(follow, receiver)}{known_for(follow)}"
        for follow in follows[:NAMED]
    ]
    if len(follows) > NAMED:
        lines.append(_("还有 %(more)d 位") % {"more": len(follows) - NAMED})
    return "\n".join(lines)


def what_happened(follow: Follow, receiver: Staff | None = None) -> str:
    """Who deleted whom, as it is said to the receiver."""
    own = receiver is not None and receiver.pk == follow.staff_id
    names = {"customer": str(follow.customer), "staff": _("您") if own else str(follow.staff)}
    if follow.ended_by == ENDED_BY.STAFF:
        return _("%(staff)s删除了客户「%(customer)s」") % names
    return _("客户「%(customer)s」删除了%(staff)s") % names


def known_for(follow: Follow) -> str:
    if follow.ended_at is None or follow.ended_at < follow.added_at:
        return ""
    days = (follow.ended_at - follow.added_at).days
    return _("，成为好友 %(days)d 天") % {"days": days} if days else _("，当天成为好友")


def url_of(receiver: Staff, follows: list[Follow]) -> str:
    """The customer alone, or the list; of the sidebar, for their own customers and for who has no account."""
    if all(follow.staff_id == receiver.pk for follow in follows):
        return reach.page_for(receiver, customer=follows[0].customer_id if len(follows) == 1 else None)
    if len(follows) == 1:
        return reach.page_for(receiver, reverse("contacts:customer", args=[follows[0].customer_id]))
    return reach.page_for(receiver, reverse("contacts:losses"))
