"""What a rule of 自动标签 may react to. A trigger is one declaration in `TRIGGERS`: words, conditions, and its past.

Facts are made by scrm/wiring.py from the signals of others; the past is asked here or, for apps above, by `PAST`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from contacts.models import Customer, Follow, TimelineEntry
from tagging.rule_conditions import Condition, KeywordIs, MaterialIs, SpokenBy, StaffIs, StageIs, StateIs, TimeOfDay

Text = Any  # str or a lazy translation
Values = Mapping[str, Any]
MOST_FACTS = 50_000
"""So many facts of the past a dry run looks at, the newest."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a friendship. `cause` names it for good: told twice, it is the same fact."""

    follow: int
    cause: str
    at: datetime
    values: Values = field(default_factory=dict)


Past = Callable[[datetime], Iterable[Fact]]
PAST: dict[str, Past] = {}
"""By trigger: facts since a moment, newest first, of apps above this one; filled by scrm/wiring.py."""


@dataclass(frozen=True)
class Trigger:
    """One thing to react to."""

    key: str
    label: Text
    help: Text
    conditions: tuple[Condition, ...]
    past: Past | None = None

    def lately(self, since: datetime) -> Iterator[Fact]:
        past = self.past or PAST.get(self.key)
        return iter(past(since) if past is not None else ())

    def fields(self, operator: Any, conditions: Values | None = None) -> dict[str, forms.Field]:
        found: dict[str, forms.Field] = {}
        for one in self.conditions:
            found |= one.fields(operator, (conditions or {}).get(one.key))
        return found

    def stored(self, cleaned: Values) -> dict[str, Any]:
        """What a rule keeps of its form: conditions that were left open are none."""
        kept = {one.key: one.stored(cleaned) for one in self.conditions}
        return {key: value for key, value in kept.items() if value not in (None, "", [], {})}

    def initial(self, conditions: Values) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in self.conditions:
            if one.key in conditions:
                found |= one.initial(conditions[one.key])
        return found

    def meets(self, conditions: Values, fact: Fact) -> dict[str, Any] | None:
        """What of the fact met each condition; None when one was not met."""
        reason: dict[str, Any] = {}
        for one in self.conditions:
            if one.key not in conditions:
                continue
            met = one.met(conditions[one.key], fact)
            if met is None:
                return None
            reason[one.key] = met
        return reason

    def in_words(self, conditions: Values) -> str:
        parts = [one.in_words(conditions[one.key]) for one in self.conditions if one.key in conditions]
        return _now("，").join([str(self.label), *parts])

    def because(self, reason: Values) -> str:
        """Why a rule was hit, for its log."""
        return _now("，").join(one.because(reason[one.key]) for one in self.conditions if one.key in reason)


# -- the past, as far as the apps below know it ------------------------------------------------------------------------


def additions(since: datetime) -> Iterator[Fact]:
    rows = Follow.objects.filter(added_at__gte=since).order_by("-added_at")
    for row in rows.values("pk", "staff_id", "state", "added_at")[:MOST_FACTS]:
        yield added(row)


def added(row: Values) -> Fact:
    at: datetime = row["added_at"]
    values = {"staff": row["staff_id"], "state": row["state"]}
    return Fact(row["pk"], f"added:{row['pk']}:{at.timestamp():.0f}", at, values)


def moves(since: datetime, customer_ids: Collection[int] | None = None) -> Iterator[Fact]:
    """Of all customers, or of these."""
    for entry in _entries(TimelineEntry.Kind.STAGE_CHANGED, since, customer_ids):
        for follow in entry["follows"]:
            yield Fact(follow, f"stage:{entry['pk']}", entry["at"], {"stage": entry["payload"].get("stage")})


def openings(since: datetime) -> Iterator[Fact]:
    for entry in _entries(TimelineEntry.Kind.LINK_OPENED, since):
        for follow in entry["follows"]:
            values = {"material": entry["payload"].get("material_id")}
            yield Fact(follow, entry["key"], entry["at"], values)


def _entries(kind: str, since: datetime, customers: Collection[int] | None = None) -> Iterator[dict[str, Any]]:
    """Entries of a kind with the friendships that they concern: that of their staff member, or all living ones."""
    rows = TimelineEntry.objects.filter(kind=kind, at__gte=since, customer__isnull=False).order_by("-pk")
    if customers is not None:
        rows = rows.filter(customer__in=customers)
    entries = list(rows.values("pk", "key", "at", "payload", "customer_id", "staff_id")[:MOST_FACTS])
    follows = follows_of({entry["customer_id"] for entry in entries})
    for entry in entries:
        of_customer = follows.get(entry["customer_id"], {})
        staff = entry["staff_id"]
        chosen = [of_customer[staff]] if staff in of_customer else [] if staff else list(of_customer.values())
        yield {**entry, "follows": chosen}


def follows_of(customer_ids: Iterable[int]) -> dict[int, dict[int, int]]:
    """Living friendships: by customer, the friendship with each member of staff."""
    found: dict[int, dict[int, int]] = {}
    rows = Follow.objects.living().filter(customer__in=Customer.objects.filter(pk__in=set(customer_ids)))
    for customer, staff, pk in rows.values_list("customer", "staff", "pk"):
        found.setdefault(customer, {})[staff] = pk
    return found


TRIGGERS: dict[str, Trigger] = {
    trigger.key: trigger
    for trigger in (
        Trigger(
            "added",
            _("添加好友时"),
            _("按添加的员工、渠道活码和时间段打标签"),
            (StaffIs(), StateIs(), TimeOfDay()),
            additions,
        ),
        Trigger("stage", _("进入阶段时"), _("客户被移到选中的阶段时打标签"), (StageIs(),), moves),
        Trigger("opened", _("打开链接时"), _("客户打开员工发出的轨迹链接时打标签"), (MaterialIs(),), openings),
        Trigger(
            "message",
            _("消息命中关键词时"),
            _("会话存档中的单聊消息包含关键词时打标签，需要开通会话存档"),
            (KeywordIs(), SpokenBy(), StaffIs()),
        ),
    )
}
