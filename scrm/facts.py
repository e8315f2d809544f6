"""News of other apps as facts for the rules of 自动标签; connected in `wiring`."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.utils import timezone

from archive.models import ArchivedMessage, Conversation
from contacts.models import Follow, TimelineEntry
from content.models import LinkOpen, Material
from tagging import rules, triggers
from tagging.triggers import Fact

JUST_NOW = timedelta(minutes=5)


def friends_came(follow_ids: list[int], source: str, **_: object) -> None:
    """New friendships, not those that a first sync finds."""
    if source != TimelineEntry.Source.SYNC:
        rules.fire("added", _added(follow_ids))


def _added(follow_ids: list[int]) -> Iterator[Fact]:
    for row in Follow.objects.filter(pk__in=follow_ids).values("pk", "staff_id", "state", "added_at"):
        yield triggers.added(row)


def stage_was_reached(customer_ids: list[int], stage_id: int | None, **_: object) -> None:
    facts = triggers.moves(timezone.now() - JUST_NOW, customer_ids)
    rules.fire("stage", [fact for fact in facts if fact.values["stage"] == stage_id])


def links_were_opened(open_ids: list[int], **_: object) -> None:
    opens = list(LinkOpen.objects.filter(pk__in=open_ids, link__customer__isnull=False).select_related("link"))
    follows = triggers.follows_of(one.link.customer_id for one in opens if one.link.customer_id)
    facts = []
    for one in opens:
        of_customer = follows.get(one.link.customer_id or 0, {})
        staff = one.link.staff_id
        chosen = [of_customer[staff]] if staff in of_customer else [] if staff else list(of_customer.values())
        facts += [Fact(pk, f"opened:{one.pk}", one.at, {"material": one.link.material_id}) for pk in chosen]
    rules.fire("opened", facts)


def messages_came(message_ids: list[int], **_: object) -> None:
    rules.fire("message", _said(message_ids))


def _said(message_ids: list[int]) -> Iterator[Fact]:
    """Asked for only if there is a rule: to filter by thousands of ids takes the ORM milliseconds."""
    yield from _facts_of(ArchivedMessage.objects.filter(pk__in=message_ids))


def messages_since(since: datetime) -> Iterator[Fact]:
    """What was said between one customer and one of the staff, newest first."""
    rows = ArchivedMessage.objects.filter(at__gte=since).order_by("-pk")
    return islice(_facts_of(rows), triggers.MOST_FACTS)


def _facts_of(messages: Any) -> Iterator[Fact]:
    spoken = messages.filter(conversation__kind=Conversation.Kind.CUSTOMER, conversation__customer_id__isnull=False)
    spoken = spoken.exclude(text="").values(
        "pk", "at", "text", "from_customer", "conversation__customer_id", "conversation__staff_ids"
    )
    rows = list(spoken[: triggers.MOST_FACTS])
    follows = triggers.follows_of(row["conversation__customer_id"] for row in rows)
    for row in rows:
        of_customer = follows.get(row["conversation__customer_id"], {})
        for staff in row["conversation__staff_ids"]:
            if staff in of_customer:
                values = {"text": row["text"], "from_customer": row["from_customer"], "staff": staff}
                yield Fact(of_customer[staff], f"message:{row['pk']}", row["at"], values)


def material_names(keys: Collection[int] | None) -> dict[int, str]:
    """Titles of the links that are tracked: those of these ids, or all in use."""
    rows: Iterable[tuple[int, str]] = Material.objects.filter(
        **({"kind": Material.Kind.LINK, "archived_at": None} if keys is None else {"pk__in": list(keys)})
    ).values_list("pk", "title")
    return dict(rows)
