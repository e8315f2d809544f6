"""What of the archive an operator may see: conversations in which someone of their range takes part."""

from typing import Any

from django.db.models import Q, QuerySet

from archive.models import Alert, ArchivedMessage, Consent, Conversation
from members.models import Staff
from members.scope import visible_staff


def seen_ids(operator: Any) -> list[int] | None:
    """None: all."""
    seen = visible_staff(operator)
    return None if seen is None else list(seen.values_list("pk", flat=True))


def conversations_of(operator: Any) -> QuerySet[Conversation]:
    ids = seen_ids(operator)
    return Conversation.objects.all() if ids is None else Conversation.objects.filter(staff_ids__overlap=ids)


def messages_of(operator: Any) -> QuerySet[ArchivedMessage]:
    if seen_ids(operator) is None:
        return ArchivedMessage.objects.all()
    return ArchivedMessage.objects.filter(conversation__in=conversations_of(operator))


def alerts_of(operator: Any) -> QuerySet[Alert]:
    """Those of one's range, and those that were given to oneself."""
    seen = visible_staff(operator)
    if seen is None:
        return Alert.objects.all()
    mine = Staff.objects.filter(operator=operator)
    return Alert.objects.filter(Q(staff__in=seen.values("pk")) | Q(assigned_to__in=mine))


def consents_of(operator: Any) -> QuerySet[Consent]:
    """With a staff member: of one's range. In groups: of the groups that one sees."""
    seen = visible_staff(operator)
    if seen is None:
        return Consent.objects.all()
    chats = conversations_of(operator).exclude(chat_id="").values("chat_id")
    return Consent.objects.filter(Q(userid__in=seen.values("userid")) | Q(userid="", chat_id__in=chats))
