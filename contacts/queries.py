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

Row = TypeVar("Row", bound=models.Model, covariant=True)


class ContactsQuerySet(TenantQuerySet[Row]):
    """What the lists of this app share."""

    def _through_staff(self, operator: User, field: str) -> Self:
        seen = visible_staff(operator)
        return self if seen is None else self.filter(**{f"{field}__in": seen.values("pk")})


class FollowQuerySet(ContactsQuerySet[Row]):
    def visible_to(self, operator: User) -> Self:
        return self._through_staff(operator, "staff")

    def living(self) -> Self:
        return self.filter(ended_at=None)


class FollowUpQuerySet(ContactsQuerySet[Row]):
    def visible_to(self, operator: User) -> Self:
        """What a member of staff wrote goes by that member; what an operator wrote by the customer."""
        seen = visible_staff(operator)
        if seen is None:
            return self
        staff = seen.values("pk")
        shared = self.model._base_manager.filter(staff=None, customer__follows__staff__in=staff).values("pk")
        return self.filter(Q(staff__in=staff) | Q(pk__in=shared))

    def own(self, operator: Any) -> Self:
        """What this operator has to come back for: as a member of staff, or by name."""
        return self.filter(Q(staff__operator=operator) | Q(staff=None, by=operator.get_username()))

    def open(self) -> Self:
        """With a date to come back on."""
        return self.filter(next_at__isnull=False, next_done_at=None)


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
        rows: QuerySet[Any] = self._follow_model.objects.filter(customer=OuterRef("pk"), **facts)
        return rows if self._seen is None else rows.filter(staff__in=self._seen.values("pk"))

    @property
    def _follow_model(self) -> Any:
        return self.model._meta.get_field("follows").related_model

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
        """Tags stand on friendships: a customer has a tag when any living friendship carries it.

        The facts know of all friendships: where there is no data scope they answer, by one index for any tags.
        """
        found = self
        if self._seen is None:
            if wanted := keys_of(any_of):
                found = found.filter(facts__tag_ids__overlap=wanted)
            if wanted := keys_of(all_of):
                found = found.filter(facts__tag_ids__contains=wanted)
            if wanted := keys_of(none_of):
                found = found.exclude(facts__tag_ids__overlap=wanted)
            return found
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
        stage: Any = None,
    ) -> Self:
        """The filters of the customer list; what is said of a friendship is said of one and the same."""
        found = self.search(q or "")
        facts: dict[str, Any] = {"staff": staff, "add_way": add_way}
        facts |= {"added_at__gte": _from(added_from), "added_at__lt": _until(added_to)}
        facts = {name: value for name, value in facts.items() if value not in (None, "")}
        if facts:
            found = found._befriended(facts, state)
        if kind:
            found = found._of_kind(kind)
        if stage is not None:
            found = found.filter(stage_id=None if stage == NO_STAGE else stage)
        found = found.tagged(any_of=tags or (), all_of=tags_all or (), none_of=tags_none or ())
        if lost_from or lost_to:
            found = found.lost_between(_from(lost_from), _until(lost_to))
        if state in STATES and not (facts and state in FACTS):
            found = getattr(found, state)()
        return found

    def _befriended(self, facts: dict[str, Any], state: str) -> Self:
        """One friendship of which all this is true."""
        return self.filter(self._has(**facts, **FACTS.get(state, {})))

    def _of_kind(self, kind: int) -> Self:
        return self.filter(kind=kind)


class FactsQuerySet(CustomerQuerySet[Row]):
    """The same questions, asked of the narrow rows that stand for customers: what the arrays answer costs no join.

    Rows have the customers' keys. With a data scope the arrays, which know of all friendships, only narrow them down.
    """

    @property
    def _customers(self) -> Any:
        return self.model._meta.get_field("customer").related_model.objects

    @property
    def _follow_model(self) -> Any:
        return self._customers.model._meta.get_field("follows").related_model

    def known(self) -> Self:
        """Without those whose first event is still on its way."""
        return self.filter(added_at__isnull=False)

    def visible_to(self, operator: User) -> Self:
        seen = visible_staff(operator)
        if seen is None:
            return self
        found = self._clone()
        found._seen = seen
        return found.filter(known_by__overlap=found._staff)

    @property
    def _staff(self) -> list[int]:
        return [] if self._seen is None else list(self._seen.values_list("pk", flat=True))

    def search(self, term: str) -> Self:
        return self.filter(customer__in=self._customers.search(term)) if term.strip() else self

    def friends(self) -> Self:
        return self.filter(lost_at=None) if self._seen is None else self.filter(staff_ids__overlap=self._staff)

    def lost(self) -> Self:
        return self.exclude(lost_at=None) if self._seen is None else self.exclude(staff_ids__overlap=self._staff)

    def tagged(self, *, any_of: Iterable[Any] = (), all_of: Iterable[Any] = (), none_of: Iterable[Any] = ()) -> Self:
        wanted, every, unwanted = keys_of(any_of), keys_of(all_of), keys_of(none_of)
        found = self
        if wanted:
            found = found.filter(tag_ids__overlap=wanted)
        if every:
            found = found.filter(tag_ids__contains=every)
        if self._seen is not None:
            return super(FactsQuerySet, found).tagged(any_of=wanted, all_of=every, none_of=unwanted)
        return found.exclude(tag_ids__overlap=unwanted) if unwanted else found

    def _befriended(self, facts: dict[str, Any], state: str) -> Self:
        found, staff = self, keys_of([facts["staff"]] if "staff" in facts else [])
        if staff:
            found = found.filter(**{f"{'staff_ids' if state == 'friends' else 'known_by'}__contains": staff})
        if "add_way" in facts:
            found = found.filter(add_ways__contains=[facts["add_way"]])
        if "added_at__gte" in facts:
            found = found.filter(added_at__gte=facts["added_at__gte"])
        said_all = state not in FACTS or (state == "friends" and bool(staff))
        if self._seen is None and said_all and len(facts) == 1 and "added_at__lt" not in facts:
            return found
        return super(FactsQuerySet, found)._befriended(facts, state)

    def _of_kind(self, kind: int) -> Self:
        return self.filter(customer__kind=kind)


def keys_of(rows: Iterable[Any]) -> list[int]:
    return [getattr(row, "pk", row) for row in rows]


STATES = frozenset({"friends", "lost", "deleted_by_customer", "deleted_by_staff"})
NO_STAGE = "none"
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
