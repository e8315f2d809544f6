"""One corp: its people, customers, tags and groups, and the questions the API asks of them."""

from __future__ import annotations

import random
import time
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any

from sandbox.archive import Archive
from sandbox.contact_ways import ContactWay
from sandbox.conversations import Conversations
from sandbox.errors import ApiError
from sandbox.mass import Mailings
from sandbox.media import Media
from sandbox.moments import Moment
from sandbox.objects import (
    App,
    AppMessage,
    Customer,
    Delivery,
    Department,
    Follow,
    GroupChat,
    GroupWelcome,
    Limits,
    Receiver,
    Staff,
    StaffTag,
    Tag,
    TagGroup,
    Welcome,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def by_seq(follow: Follow) -> int:
    return follow.seq


class Corp:
    """All of a corp in memory, with a list of what changed since the last save."""

    def __init__(self, corp_id: str, name: str, seed: int) -> None:
        self.corp_id = corp_id
        self.name = name
        self.seed = seed
        self.random = random.Random(f"{corp_id}/{seed}")
        self.mark = "".join(self.random.choices(ALPHABET, k=5)) + "AAAA"
        self.created_at = int(time.time())
        self.status = "normal"
        self.seq = 0
        self.cursor_epoch = 1
        self.apps: dict[str, App] = {}
        self.departments: dict[int, Department] = {}
        self.staff: dict[str, Staff] = {}  # by lower-cased userid: WeCom compares userids so
        self.left: dict[str, Staff] = {}
        self.staff_tags: dict[int, StaffTag] = {}
        self.customers: dict[str, Customer] = {}
        self.books: dict[str, list[Follow]] = {}  # by lower-cased userid, in order of seq
        self.groups: dict[str, GroupChat] = {}
        self.tag_groups: dict[str, TagGroup] = {}
        self.tags: dict[str, tuple[TagGroup, Tag]] = {}
        self.receivers: dict[str, Receiver] = {}
        self.limits = Limits()
        self.delivery = Delivery()
        self.welcomes: dict[str, Welcome] = {}
        self.conversations = Conversations()
        self.archive = Archive()
        self.mailings = Mailings()
        self.moments: dict[str, Moment] = {}
        self.group_welcomes: dict[str, GroupWelcome] = {}
        self.app_messages: dict[str, AppMessage] = {}
        self.media: dict[str, Media] = {}
        self.contact_ways: dict[str, ContactWay] = {}  # by config_id
        self.dirty: dict[tuple[str, str], None] = {}  # in order, as a restart brings it back

    # -- ids ---------------------------------------------------------------------------------------------------------

    def new_id(self, prefix: str, length: int = 32) -> str:
        size = length - len(prefix) - len(self.mark)
        return prefix + self.mark + "".join(self.random.choices(ALPHABET, k=size))

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def touch(self, kind: str, key: str) -> None:
        """Notes that this record must be saved."""
        self.dirty[kind, key] = None

    # -- people ------------------------------------------------------------------------------------------------------

    def member(self, userid: Any, app: App | None = None) -> Staff:
        """The member, if he is there and inside the app's visible range."""
        if not userid:
            raise ApiError(41009)
        if not isinstance(userid, str) or len(userid.encode()) > 64:
            raise ApiError(40003)
        staff = self.staff.get(userid.lower())
        if staff is None or (app is not None and not self.sees(app, staff)):
            raise ApiError(60111, f"userid: {userid}")
        return staff

    def seller(self, userid: Any, app: App) -> Staff:
        """A member who may have customers the app may read."""
        staff = self.member(userid, app)
        if not staff.customer_contact:
            raise ApiError(84074, f"userid: {userid}")
        return staff

    def sees(self, app: App, staff: Staff) -> bool:
        if app.kind != "app" or 1 in app.visible_parties:
            return True
        if staff.userid in app.visible_users:
            return True
        parties = self.subtree(app.visible_parties)
        return any(department in parties for department in staff.departments)

    def visible_staff(self, app: App) -> list[Staff]:
        return [staff for staff in self.staff.values() if self.sees(app, staff)]

    def visible_departments(self, app: App) -> set[int]:
        if app.kind != "app" or 1 in app.visible_parties:
            return set(self.departments)
        return self.subtree(app.visible_parties)

    def subtree(self, roots: list[int]) -> set[int]:
        found = {root for root in roots if root in self.departments}
        grown = True
        while grown:
            more = {d.id for d in self.departments.values() if d.parentid in found and d.id not in found}
            found |= more
            grown = bool(more)
        return found

    # -- customers ---------------------------------------------------------------------------------------------------

    def customer(self, external_userid: Any) -> Customer:
        if not isinstance(external_userid, str) or external_userid not in self.customers:
            raise ApiError(40096)
        return self.customers[external_userid]

    def follow(self, staff: Staff, external_userid: Any) -> Follow:
        """The tie of that pair; one-way friendship is none yet (84061)."""
        follow = self.customer(external_userid).follows.get(staff.userid)
        if follow is None or follow.one_way:
            raise ApiError(84061)
        return follow

    def book(self, staff: Staff) -> list[Follow]:
        return self.books.setdefault(staff.userid.lower(), [])

    def add_follow(self, follow: Follow) -> None:
        self.customers[follow.external_userid].follows[follow.userid] = follow
        insort(self.books.setdefault(follow.userid.lower(), []), follow, key=by_seq)
        self.touch("customer", follow.external_userid)

    def drop_follow(self, follow: Follow) -> None:
        self.customers[follow.external_userid].follows.pop(follow.userid, None)
        book = self.books.get(follow.userid.lower(), [])
        at = bisect_left(book, follow.seq, key=by_seq)
        if at < len(book) and book[at] is follow:
            del book[at]
        self.touch("customer", follow.external_userid)

    def follows(self) -> Iterator[Follow]:
        for customer in self.customers.values():
            yield from customer.follows.values()

    # -- tags --------------------------------------------------------------------------------------------------------

    def add_tag_group(self, group: TagGroup) -> None:
        self.tag_groups[group.group_id] = group
        for tag in group.tags:
            self.tags[tag.id] = (group, tag)
        self.touch("tags", group.group_id)

    def add_tag(self, group: TagGroup, tag: Tag) -> None:
        group.tags.append(tag)
        self.tags[tag.id] = (group, tag)
        self.touch("tags", group.group_id)

    def live_tag(self, tag_id: Any) -> tuple[TagGroup, Tag] | None:
        found = self.tags.get(tag_id) if isinstance(tag_id, str) else None
        return None if found is None or found[1].deleted else found

    def delete_tag(self, group: TagGroup, tag: Tag) -> bool:
        """Removes a tag; says whether its group went with it, being empty now."""
        tag.deleted = True
        self.touch("tags", group.group_id)
        if not group.live():
            group.deleted = True
        return group.deleted

    def live_tags(self) -> int:
        return sum(1 for _, tag in self.tags.values() if not tag.deleted)

    def counts(self) -> dict[str, int]:
        return {
            "departments": len(self.departments),
            "staff": len(self.staff),
            "customers": len(self.customers),
            "follows": sum(len(book) for book in self.books.values()),
            "groups": sum(1 for group in self.groups.values() if not group.dismissed),
            "tags": self.live_tags(),
            "contact_ways": len(self.contact_ways),
            "mass_messages": len(self.mailings.messages),
            "messages": len(self.conversations.messages),
        }
