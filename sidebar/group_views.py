"""The panel of a customer group."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from contacts.daily import start_of
from contacts.models import GroupChat, GroupMember
from members.models import Staff
from sidebar.access import seller_required

SHOWN = 200


def own_groups(staff: Staff) -> QuerySet[GroupChat]:
    """Groups the member owns or is in."""
    stays = GroupMember.objects.filter(member_id=staff.userid, left_at=None).values("chat")
    return GroupChat.objects.filter(Q(owner=staff) | Q(pk__in=stays))


@require_GET
@seller_required
def card(request: HttpRequest, staff: Staff, chat_id: str) -> HttpResponse:
    chat = own_groups(staff).filter(chat_id=chat_id).select_related("owner").first()
    context: dict[str, Any] = {"chat": chat, "chat_id": chat_id, "own": chat is not None and chat.owner_id == staff.pk}
    if chat is not None:
        today = start_of(timezone.localdate())
        stays = chat.stays.select_related("customer").order_by("-joined_at")
        context |= {
            "joined": chat.stays.filter(joined_at__gte=today).count(),
            "left": chat.stays.filter(left_at__gte=today).count(),
            "members": with_friends(list(stays.filter(left_at=None)[:SHOWN]), staff),
        }
    return render(request, "sidebar/group.html", context, status=200 if chat else 404)


def with_friends(stays: list[GroupMember], staff: Staff) -> list[GroupMember]:
    """Who of them is this member's customer already."""
    friends = set(
        staff.follows.filter(customer__in=[stay.customer_id for stay in stays], ended_at=None).values_list(
            "customer_id", flat=True
        )
    )
    for stay in stays:
        stay.is_friend = stay.customer_id in friends  # type: ignore[attr-defined]
    return stays
