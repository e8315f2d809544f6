"""An alert ends at a named person: the manager of who is concerned, told in WeCom, with a page to settle it on."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.models import Operator
from archive.models import Alert, ArchivedMessage
from members import reach
from members.models import Staff

TITLES = {Alert.Kind.WORD: _("会话中出现敏感词"), Alert.Kind.OVERDUE: _("客户等待回复超时")}
TOLD_ONE_BY_ONE = 5  # more alerts of one moment for the same person are one message
BEFORE, AFTER = 2, 3

_AROUND_OPEN = """
SELECT shown.id FROM archive_alert a JOIN archive_archivedmessage m ON m.id = a.message_id
CROSS JOIN LATERAL (
    (SELECT o.id FROM archive_archivedmessage o WHERE o.conversation_id = a.conversation_id AND o.at < m.at
        ORDER BY o.at DESC, o.id DESC LIMIT %(before)s)
    UNION ALL
    (SELECT o.id FROM archive_archivedmessage o WHERE o.conversation_id = a.conversation_id AND o.at > m.at
        ORDER BY o.at, o.id LIMIT %(after)s)
    UNION ALL SELECT m.id
) shown WHERE a.conversation_id = ANY(%(talks)s) AND a.state = 'open'
"""


@transaction.atomic
def put_up(alerts: Sequence[Alert]) -> list[Alert]:
    """New alerts, assigned and told. The same cause alerts once, however often it is found."""
    there = set(Alert.objects.filter(key__in=[one.key for one in alerts]).values_list("key", flat=True))
    fresh = [one for one in alerts if one.key not in there]
    if not fresh:
        return []
    assign(fresh)
    Alert.objects.bulk_create(fresh, ignore_conflicts=True)
    kept = list(
        Alert.objects.filter(key__in=[one.key for one in fresh]).select_related(
            "staff", "assigned_to__operator", "conversation"
        )
    )
    tell(kept)
    return kept


def assign(alerts: Iterable[Alert]) -> None:
    """To the manager; where nobody leads, to a member who runs the console, so that no alert is nobody's."""
    rows = list(alerts)
    staff = Staff.objects.in_bulk({one.staff_id for one in rows if one.staff_id})
    managers = reach.managers_of(staff.values())
    heads = Staff.objects.filter(operator__role__in=["owner", "admin"], operator__is_active=True, left_at=None)
    # the owner before other administrators, then the oldest account
    head = sorted(heads.select_related("operator"), key=lambda one: (one.operator.role != "owner", one.pk))
    for one in rows:
        one.assigned_to = managers.get(one.staff_id or 0) or (head[0] if head else staff.get(one.staff_id or 0))


def tell(alerts: Sequence[Alert]) -> None:
    by_person: dict[tuple[int, str], list[Alert]] = {}
    for one in alerts:
        if one.assigned_to_id:
            by_person.setdefault((one.assigned_to_id, one.kind), []).append(one)
    with override("zh-hans"):
        for (_person, kind), rows in by_person.items():
            first = rows[0]
            if len(rows) > TOLD_ONE_BY_ONE:
                url = reverse("archive:alerts") + f"?kind={kind}"
                text = _now("有 {n} 条会话需要处理").format(n=len(rows))
                send(first, text, url, f"{first.key}+{len(rows)}")
                continue
            for row in rows:
                send(row, words(row), reverse("archive:alert", args=[row.pk]), row.key)


def send(alert: Alert, text: str, url: str, key: str) -> None:
    if alert.assigned_to is not None:
        own = alert.conversation.customer_id if alert.assigned_to_id == alert.staff_id else None
        url = reach.page_for(alert.assigned_to, url, customer=own)
        reach.tell(
            [alert.assigned_to], title=TITLES[Alert.Kind(alert.kind)], text=text, url=url, key=key[:100], kind="archive"
        )


def words(alert: Alert) -> str:
    """Without the message itself: an app message leaves the archive's scope and its read audit."""
    who = str(alert.staff or _now("未知员工"))
    title = alert.conversation.title or _now("客户")
    if alert.kind == Alert.Kind.WORD:
        return _now("{staff} 与 {customer} 的会话命中敏感词「{word}」").format(
            staff=who, customer=title, word=alert.word
        )
    return _now("{customer} 发给 {staff} 的消息还没有回复").format(customer=title, staff=who)


def around(alert: Alert) -> list[ArchivedMessage]:
    """What its page shows: the message with two before and three after it."""
    rows, at = ArchivedMessage.objects.filter(conversation=alert.conversation_id), alert.message.at
    before = rows.filter(at__lt=at).order_by("-at", "-id")[:BEFORE]
    after = rows.filter(at__gt=at).order_by("at", "id")[:AFTER]
    return [*list(before)[::-1], alert.message, *after]


def around_open(talks: Iterable[int]) -> set[int]:
    """What the pages of all open alerts of these conversations show, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_AROUND_OPEN, {"talks": list(talks), "before": BEFORE, "after": AFTER})
        return {pk for (pk,) in cursor.fetchall()}


def settle(alert: Alert, *, state: str, note: str, by: Operator) -> bool:
    """Once: who comes second sees who was first."""
    values: dict[str, Any] = {
        "state": state,
        "note": note[:200],
        "handled_by": str(by)[:80],
        "handled_at": timezone.now(),
    }
    return bool(Alert.objects.filter(pk=alert.pk, state=Alert.State.OPEN).update(**values))
