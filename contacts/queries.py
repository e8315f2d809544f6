"""Questions that lists, counts, searches, exports and the API ask of customers and groups, the data scope included."""

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, Self, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import make_aware

from contacts.search import ZhBigrams
from members.models import Staff
from members.scope import visible_staff
from tenants.models import TenantQuerySet

User = AbstractBaseUser | AnonymousUser
COUNTED = 10_001
"""Counting goes no further: a list says "more than 10,000" rather than making its reader wait."""


Row = TypeVar("Row", bound=models.Model, covariant=True)


class ContactsQuerySet(TenantQuerySet[Row]):
    """What the lists of this app share."""

    def capped_count(self, limit: int = COUNTED) -> int:
        return self.order_by()[:limit].count()

    def _through_staff(self, operator: User, field: str) -> Self:
        seen = visible_staff(operator)
        return self if seen is None else self.filter(**{f"{field}__in": seen.values("pk")})


class FollowQuerySet(ContactsQuerySet[Row]):
    def visible_to(self, operator: User) -> Self:
        return self._through_staff(operator, "staff")

    def living(self) -> Self:
        return self.filter(ended_at=None)


class GroupChatQuerySet(ContactsQuerySet[Row]):
    def visible_to(self, operator: User) -> Self:
        """Groups go by their owner."""
        return self._through_staff(operator, "owner")

    def search(self, term: str) -> Self:
        return self.filter(Q(name__icontains=term.strip()) | Q(chat_id=term.strip()))


class TimelineQuerySet(ContactsQuerySet[Row]):
    def visible_to(self, operator: User) -> Self:
        """What concerns a friendship goes by its staff; the rest by the customer or the group it stands at."""
        seen = visible_staff(operator)
        if seen is None:
            return self
        staff = seen.values("pk")
        shared = Q(staff=None) & (Q(customer__follows__staff__in=staff) | Q(chat__owner__in=staff))
        return self.filter(Q(staff__in=staff) | Q(pk__in=self.model._base_manager.filter(shared).values("pk")))


class CustomerQuerySet(ContactsQuerySet[Row]):
    """Customers, seen through the friendships that an operator may see."""

    _seen: QuerySet[Staff] | None = None

    def _clone(self) -> Self:
        clone = super()._clone()
        clone._seen = self._seen
        return clone

    def visible_to(self, operator: User) -> Self:
        """Customers with a friendship in the operator's range, ended ones too; later filters look at these alone."""
        seen = visible_staff(operator)
        if seen is None:
            return self
        found = self._clone()
        found._seen = seen
        return found.filter(found._has())

    def _follows(self, **facts: Any) -> QuerySet[Any]:
        follow: Any = self.model._meta.get_field("follows").related_model
        rows: QuerySet[Any] = follow.objects.filter(customer=OuterRef("pk"), **facts)
        return rows if self._seen is None else rows.filter(staff__in=self._seen.values("pk"))

    def _has(self, **facts: Any) -> Exists:
        return Exists(self._follows(**facts))

    def search(self, term: str) -> Self:
        """Part of the name, a remark or the company's name, from one character on; or a whole external_userid."""
        term = term.strip()
        if not term:
            return self
        words = Q(search_text__icontains=term)
        if any(unicodedata.category(char)[0] in "LNM" or unicodedata.category(char) == "So" for char in term):
            words &= Q(grams__zh=term)  # by index; the comparison above makes it exact
        return self.alias(grams=ZhBigrams("search_text")).filter(words | Q(external_userid=term))

    def friends(self) -> Self:
        return self.filter(active_follows__gt=0) if self._seen is None else self.filter(self._has(ended_at=None))

    def lost(self) -> Self:
        """No friendship is left, of those one may see."""
        return self.exclude(lost_at=None) if self._seen is None else self.filter(~self._has(ended_at=None))

    def lost_between(self, start: datetime | None, end: datetime | None) -> Self:
        """Whose last friendship, of those one may see, ended at that time."""
        found = self.lost()
        if self._seen is None:
            wanted = {"lost_at__gte": start, "lost_at__lt": end}
            return found.filter(**{name: value for name, value in wanted.items() if value is not None})
        if start is not None:
            found = found.filter(found._has(ended_at__gte=start))
        return found if end is None else found.filter(~found._has(ended_at__gte=end))

    def deleted_by_customer(self) -> Self:
        return self.filter(self._has(deleted_by_customer_at__isnull=False))

    def deleted_by_staff(self) -> Self:
        return self.filter(self._has(deleted_by_staff_at__isnull=False))

    def tagged(self, *, any_of: Iterable[Any] = (), all_of: Iterable[Any] = (), none_of: Iterable[Any] = ()) -> Self:
        """Tags stand on friendships: a customer has a tag when any living friendship carries it."""
        found = self
        if wanted := list(any_of):
            found = found.filter(self._has(ended_at=None, tag_links__tag__in=wanted))
        for tag in all_of:
            found = found.filter(self._has(ended_at=None, tag_links__tag=tag))
        if unwanted := list(none_of):
            found = found.filter(~self._has(ended_at=None, tag_links__tag__in=unwanted))
        return found

    def matching(
        self,
        *,
        q: str = "",
        staff: Any = None,
        state: str = "",
        tags: Iterable[Any] | None = None,
        tags_all: Iterable[Any] | None = None,
        tags_none: Iterable[Any] | None = None,
        added_from: date | datetime | None = None,
        added_to: date | datetime | None = None,
        lost_from: date | datetime | None = None,
        lost_to: date | datetime | None = None,
        add_way: int | None = None,
        kind: int | None = None,
    ) -> Self:
        """The filters of the customer list; what is said of a friendship is said of one and the same."""
        found = self.search(q or "")
        facts: dict[str, Any] = {"staff": staff, "add_way": add_way}
        facts |= {"added_at__gte": _from(added_from), "added_at__lt": _until(added_to)}
        facts = {name: value for name, value in facts.items() if value not in (None, "")}
        if facts:
            found = found.filter(found._has(**facts, **FACTS.get(state, {})))
        if kind:
            found = found.filter(kind=kind)
        found = found.tagged(any_of=tags or (), all_of=tags_all or (), none_of=tags_none or ())
        if lost_from or lost_to:
            found = found.lost_between(_from(lost_from), _until(lost_to))
        if state in STATES and not (facts and state in FACTS):
            found = getattr(found, state)()
        return found


STATES = frozenset({"friends", "lost", "deleted_by_customer", "deleted_by_staff"})
FACTS: dict[str, dict[str, Any]] = {
    "friends": {"ended_at": None},
    "deleted_by_customer": {"deleted_by_customer_at__isnull": False},
    "deleted_by_staff": {"deleted_by_staff_at__isnull": False},
}
"""States that one friendship has by itself: asked together with a staff member or a time, they mean the same one."""


def _from(value: date | datetime | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return make_aware(datetime.combine(value, time.min))


def _until(value: date | datetime | None) -> datetime | None:
    """A day is meant to its end."""
    if value is None or isinstance(value, datetime):
        return value
    return make_aware(datetime.combine(value + timedelta(days=1), time.min))
