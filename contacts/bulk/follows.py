"""One set of news about friendships, judged and written in a handful of statements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection, transaction

from contacts.bulk.customers import SUBJECT, write_customers
from contacts.bulk.fresh import Friend, copy_customers
from contacts.bulk.tags import known_tags, name_tags, write_follow_tags
from contacts.bulk.timeline import Entry, copy_timeline, write_timeline
from contacts.bulk.told import Heard, Listed, Pair, Told, is_older
from contacts.friendship import EndedBy, Friendship, News
from contacts.models.timeline import TimelineEntry
from members.bulk import staff_ids
from tenants.current import current_tenant
from tenants.keys import seal
from tenants.staging import copy, ids_for, numbers, one_writer, stage

Kind = TimelineEntry.Kind
SAME_ADDING = timedelta(seconds=60)
"""The event of an adding and WeCom's createtime differ by seconds and are one fact."""

_COLUMNS = {
    "id": "bigint",
    "customer_id": "bigint",
    "staff_id": "bigint",
    "added_at": "timestamptz",
    "opened_at": "timestamptz",
    "half": "boolean",
    "deleted_by_staff_at": "timestamptz",
    "deleted_by_customer_at": "timestamptz",
    "ended_at": "timestamptz",
    "ended_by": "text",
    "last_event_at": "timestamptz",
    "remark": "text",
    "description": "text",
    "remark_corp_name": "text",
    "mobiles_sealed": "bytea",
    "add_way": "integer",
    "state": "text",
    "oper_userid": "text",
    "raw_hash": "bytea",
}
_STATE = tuple(_COLUMNS)[3:11]
# what a row holds of a friendship that WeCom does not list: a known one keeps what it has, a new one begins empty
_UNSAID = (None,) * 8
_EMPTY = ("", "", "", None, None, "", "", b"")
# the ids twice: without them as a list, Postgres reads a whole table that it has no statistics of
_UPDATE = f"""
UPDATE contacts_follow f SET {", ".join(f"{name} = s.{name}" for name in _STATE)},
    mobiles_sealed = CASE WHEN s.raw_hash IS NULL THEN f.mobiles_sealed ELSE s.mobiles_sealed END,
    add_way = COALESCE(s.add_way, f.add_way), remark = COALESCE(s.remark, f.remark),
    description = COALESCE(s.description, f.description), state = COALESCE(s.state, f.state),
    remark_corp_name = COALESCE(s.remark_corp_name, f.remark_corp_name),
    oper_userid = COALESCE(s.oper_userid, f.oper_userid), raw_hash = COALESCE(s.raw_hash, f.raw_hash)
FROM pg_temp.stage_follow s WHERE f.id = s.id AND f.id = ANY(%s)
"""
_KNOWN = f"""
SELECT c.external_userid, c.id, c.raw_hash, f.staff_id,
    f.id, f.raw_hash, f.remark, {", ".join(f"f.{name}" for name in _STATE)}
FROM contacts_customer c LEFT JOIN contacts_follow f ON f.customer_id = c.id WHERE c.external_userid = ANY(%s)
"""
_UNSAY = """
DELETE FROM contacts_timelineentry t
USING unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS e(customer, staff, at)
WHERE t.customer_id = e.customer AND t.staff_id = e.staff AND t.at >= e.at AND t.kind = 'follow_vanished'
"""


@dataclass(slots=True)
class Written:
    """What a set changed."""

    customers_new: int = 0
    customers_changed: int = 0
    follows_new: int = 0
    follows_changed: int = 0
    unchanged: int = 0
    listed: list[int] = field(default_factory=list)  # ids of all listed follows, changed or not
    added: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    retagged: list[int] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, Any]:
        return {
            "customers_new": self.customers_new,
            "customers_changed": self.customers_changed,
            "follows_new": self.follows_new,
            "follows_changed": self.follows_changed,
            "follows_ended": len(self.ended),
            "follows_unchanged": self.unchanged,
        }


@dataclass(slots=True)
class _Stored:
    """A follow as it stood before, and as it stands then."""

    friendship: Friendship = field(default_factory=Friendship)
    added_at: datetime | None = None
    last_event_at: datetime | None = None
    remark: str = ""

    @property
    def is_alive(self) -> bool:
        one = self.friendship
        return one.is_known and not one.half and one.ending[0] is None


class _Row(NamedTuple):
    """A follow's row, as far as it is compared."""

    id: int
    raw_hash: bytes = b""
    remark: str = ""
    added_at: datetime | None = None
    opened_at: datetime | None = None
    half: bool = False
    deleted_by_staff_at: datetime | None = None
    deleted_by_customer_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str = ""
    last_event_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether WeCom's listing it says nothing new: it is alive, or ended by the customer alone."""
        if self.half:
            return False
        return self.ended_at is None or (self.ended_by == EndedBy.CUSTOMER and self.deleted_by_staff_at is None)

    @property
    def before(self) -> _Stored:
        return _Stored(Friendship.stored(*self[4:10]), self.added_at, self.last_event_at, self.remark)


@transaction.atomic(savepoint=False)
def write_told(told: Told, *, at: datetime, source: str) -> Written:
    """Write what was told. `at` is the time of the reading; running it again changes nothing."""
    if not told.pairs:
        return Written()
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        return _Set(cursor, told, at, source).write()


class _Set:
    """The work on one set; keeps what its steps share."""

    def __init__(self, cursor: Any, told: Told, at: datetime, source: str) -> None:
        self.cursor, self.told, self.at, self.source = cursor, told, at, source
        self.staff = staff_ids(told.userids.values())
        self.pairs = told.pairs
        self.customers: dict[str, tuple[int, bytes]] = {}
        self.ids: dict[str, int] = {}
        self.follows: dict[tuple[int, int], _Row] = {}
        self.rows: list[tuple[Any, ...]] = []
        self.touched: dict[str, int] = {}
        self.tags: dict[int, list[str]] = {}
        self.new: set[int] = set()
        self.entries: list[Entry] = []
        self.fresh_entries: list[Entry] = []  # of follows that are new
        self.places: dict[int, tuple[int, int]] = {}  # customer and staff of a follow that is judged
        self.explained: list[tuple[int, int, datetime]] = []  # vanishings whose reason came late
        self.done = Written()

    def write(self) -> Written:
        self._read()
        judged = self._judged()
        self._give_ids(judged)
        for pair in judged:
            self._judge(pair)
        for external, contact in self.told.contacts.items():
            if external in self.customers and self.customers[external][1] != contact.raw_hash:
                self.touched[external] = self.ids[external]
        inserted = [row for row in self.rows if row[0] in self.new]
        changed = [row for row in self.rows if row[0] not in self.new]
        if inserted:
            copy(self.cursor, "contacts_follow", _COLUMNS, inserted)
        if changed:
            stage(self.cursor, "stage_follow", _COLUMNS, changed)
            self.cursor.execute(_UPDATE, [numbers(row[0] for row in changed)])
        if names := self.told.tag_names:
            known_tags(self.cursor, names)
            name_tags(names)
        tags = known_tags(self.cursor, {tag_id for tag_ids in self.tags.values() for tag_id in tag_ids})
        if self.tags:
            self._write_tags(tags)
        self._write_customers(tags)
        if self.explained:
            self.cursor.execute(_UNSAY, [list(column) for column in zip(*self.explained, strict=True)])
        copy_timeline(self.cursor, self.fresh_entries, source=self.source)
        write_timeline(self.entries, source=self.source)
        fresh = sum(1 for external in self.touched if external not in self.customers)
        self.done.customers_new, self.done.customers_changed = fresh, len(self.touched) - fresh
        self.done.follows_new, self.done.follows_changed = len(self.new), len(self.rows) - len(self.new)
        return self.done

    # -- who must be looked at ---------------------------------------------------------------------------------------

    def _read(self) -> None:
        wanted = {external for external, _ in self.pairs} | self.told.contacts.keys()
        self.cursor.execute(_KNOWN, [list(wanted)])
        for external, customer_id, customer_hash, staff_id, pk, raw_hash, *rest in self.cursor.fetchall():
            self.customers[external] = customer_id, bytes(customer_hash)  # the driver's views equal no bytes
            self.ids[external] = customer_id
            if staff_id is not None:
                self.follows[customer_id, staff_id] = _Row(pk, bytes(raw_hash), *rest)

    def _judged(self) -> list[Pair]:
        """Pairs whose row may change; for the others the comparison of hashes was all."""
        told = self.told
        judged = []
        for pair in self.pairs:
            known = self.follows.get((self.ids.get(pair[0], 0), self.staff[pair[1]]))
            listed = told.listed.get(pair)
            if known and listed and known.raw_hash == listed.raw_hash and known.is_settled and pair not in told.heard:
                self.done.listed.append(known.id)
                self.done.unchanged += 1
            else:
                judged.append(pair)
        return sorted(judged)

    def _give_ids(self, judged: Iterable[Pair]) -> None:
        """Ids for all that is new, so that follows, tags and entries can point at rows not inserted yet."""
        unknown = sorted({external for external, _ in judged if external not in self.ids})
        fresh = [pair for pair in judged if (self.ids.get(pair[0]), self.staff[pair[1]]) not in self.follows]
        ids = ids_for(self.cursor, {"contacts_customer": len(unknown), "contacts_follow": len(fresh)})
        self.ids.update(zip(unknown, ids["contacts_customer"], strict=True))
        for (external, userid), pk in zip(fresh, ids["contacts_follow"], strict=True):
            self.follows[self.ids[external], self.staff[userid]] = _Row(pk)
            self.new.add(pk)

    # -- one friendship ----------------------------------------------------------------------------------------------

    def _judge(self, pair: Pair) -> None:
        told = self.told
        customer_id, staff_id = self.ids[pair[0]], self.staff[pair[1]]
        row, listed = self.follows[customer_id, staff_id], told.listed.get(pair)
        pk, before = row.id, row.before
        heard = sorted(told.heard.get(pair, ()), key=attrgetter("at"))
        after = _Stored(before.friendship.copy(), before.added_at, before.last_event_at)
        for one in heard:
            after.friendship.hear(one.news, one.at)
            after.last_event_at = max(after.last_event_at or one.at, one.at)
        if listed:
            after.friendship.see(listed.created_at)
        elif pair in told.missed:
            after.friendship.miss(self.at)
        if not after.friendship.is_known:
            if not listed:  # only hints at a friendship that neither we nor WeCom know
                self.new.discard(pk)
                return
            after.friendship.opened_at = self.at
        self.places[pk] = customer_id, staff_id
        after.added_at = _added_at(before, after.friendship, listed)
        if listed and is_older(told.read_at, row.raw_hash):  # its words and tags are from before our own change
            listed = told.listed[pair] = listed._replace(remark=before.remark, raw_hash=row.raw_hash)
        self._note(pk, pair, before, after, heard)
        told_anew = listed is not None and (listed.raw_hash != row.raw_hash or pk in self.new)
        moved = (after.friendship, after.added_at) != (before.friendship, before.added_at)
        if listed:
            self.done.listed.append(pk)
            if told_anew:
                self.tags[pk] = listed.tag_ids
        if moved or told_anew:
            self.touched[pair[0]] = customer_id
        elif after.last_event_at == before.last_event_at:
            self.done.unchanged += 1
            return
        self.rows.append(self._row(pk, customer_id, staff_id, after, listed if told_anew else None))

    def _row(self, pk: int, customer_id: int, staff_id: int, after: _Stored, listed: Listed | None) -> tuple[Any, ...]:
        one = after.friendship
        state = (pk, customer_id, staff_id, after.added_at, one.opened_at, one.half)
        ends = (one.deleted_by_staff_at, one.left_at, *one.ending, after.last_event_at)
        if listed is None:
            return (*state, *ends, *(_EMPTY if pk in self.new else _UNSAID))
        sealed = None
        if listed.mobiles:
            name = f"contacts_follow|mobiles_sealed|{pk}"
            sealed = seal(current_tenant().pk, name, "\n".join(listed.mobiles))
        words = (listed.remark, listed.description, listed.remark_corp_name, sealed, listed.add_way)
        return (*state, *ends, *words, listed.state, listed.oper_userid, listed.raw_hash)

    # -- what it means to others -------------------------------------------------------------------------------------

    def _note(self, pk: int, pair: Pair, before: _Stored, after: _Stored, heard: list[Heard]) -> None:
        """Entries of the timeline and who is to hear of it."""
        listed = self.told.listed.get(pair)
        created_at = listed.created_at if listed else None
        for one in heard:
            if one.kind:
                self._enter(one.kind, pk, _told_at(one, created_at), **_payload(one, listed))
        opened_before = before.friendship.opened_at
        if created_at and (opened_before is None or created_at > opened_before):
            self._enter(Kind.FOLLOW_ADDED, pk, created_at, **_payload(None, listed))
        if after.friendship.gone_by == EndedBy.VANISHED and before.friendship.ending[0] is None:
            self._enter(Kind.FOLLOW_VANISHED, pk, self.at)
        if pk not in self.new and any(one.news in (News.DELETED_BY_STAFF, News.TRANSFERRED) for one in heard):
            self.explained.append((*self.places[pk], heard[0].at))
        if listed and pk not in self.new and before.remark != listed.remark:
            at = heard[-1].at if heard else self.at
            self._enter(Kind.REMARK_CHANGED, pk, at, remark=listed.remark, before=before.remark)
        was_alive, is_alive = before.is_alive, after.is_alive
        if is_alive and not was_alive:
            self.done.added.append(pk)
        elif was_alive and not is_alive:
            self.done.ended.append(pk)

    def _enter(self, kind: str, pk: int, at: datetime, **payload: Any) -> None:
        customer_id, staff_id = self.places[pk]
        key = f"{kind}:{pk}:{int(at.timestamp())}"
        entries = self.fresh_entries if pk in self.new else self.entries
        entries.append(Entry(key, kind, at, customer_id, None, staff_id, "", payload))

    def _write_customers(self, tags: Mapping[str, tuple[int, str]]) -> None:
        fresh = {external: pk for external, pk in self.touched.items() if external not in self.customers}
        known = {external: pk for external, pk in self.touched.items() if external in self.customers}
        if fresh:
            friends: dict[int, list[Friend]] = {pk: [] for pk in fresh.values()}
            for row in self.rows:
                if row[1] in friends:
                    friends[row[1]].append(self._friend(row, tags))
            copy_customers(self.cursor, fresh, self.told.contacts, friends)
        if known:
            write_customers(self.cursor, known, self.customers, self.told.contacts)

    def _friend(self, row: tuple[Any, ...], tags: Mapping[str, tuple[int, str]]) -> Friend:
        pk, _, staff_id, added_at, *_, ended_at, _, _ = row[:11]
        remark, _, remark_corp_name, _, add_way, state = row[11:17]
        tag_ids = [tags[tag_id][0] for tag_id in self.tags.get(pk, ())]
        return Friend(pk, staff_id, added_at, ended_at, (remark, remark_corp_name), add_way, state, tag_ids)

    def _write_tags(self, tags: Mapping[str, tuple[int, str]]) -> None:
        diff = write_follow_tags(self.cursor, self.tags, self.new, tags)
        self.done.retagged.extend(diff)
        for pk, (added, removed) in diff.items():
            customer_id, staff_id = self.places[pk]
            key = f"{Kind.TAGS_CHANGED}:{pk}:{self.at.timestamp()}"
            payload = {"added": added, "removed": removed}
            self.entries.append(Entry(key, Kind.TAGS_CHANGED, self.at, customer_id, None, staff_id, "", payload))


def _added_at(before: _Stored, friendship: Friendship, listed: Listed | None) -> datetime | None:
    """WeCom's createtime; for a pair that it does not list, the newest adding we heard of."""
    if listed and listed.created_at:
        return listed.created_at
    if before.added_at is None or before.friendship.opened_at != friendship.opened_at:
        return friendship.opened_at or friendship.ending[0]
    return before.added_at


def _told_at(one: Heard, created_at: datetime | None) -> datetime:
    if one.news is News.ADDED and created_at and abs(created_at - one.at) <= SAME_ADDING:
        return created_at
    return one.at


def _payload(one: Heard | None, listed: Listed | None) -> dict[str, Any]:
    payload: dict[str, Any] = dict(one.fields) if one else {}
    if listed and (one is None or one.news is News.ADDED):
        payload["add_way"] = listed.add_way
        if listed.state:
            payload["state"] = listed.state
    return payload
