"""Keeps the corps in one SQLite file: what changed is written within a second, all of it on a clean stop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import orjson

from sandbox import archive, archive_files, mass, media, moments
from sandbox.contact_ways import ContactWay
from sandbox.conversations import Message
from sandbox.corp import Corp, by_seq
from sandbox.objects import (
    App,
    AppMessage,
    Customer,
    Delivery,
    Department,
    Follow,
    Grant,
    GroupChat,
    GroupMember,
    GroupWelcome,
    Limits,
    Receiver,
    Staff,
    StaffTag,
    Tag,
    TagGroup,
)
from sandbox.world import World

FORMAT = 1
EVERY = 1.0
SLICE = 5000
TABLE = "CREATE TABLE IF NOT EXISTS records (corp TEXT, kind TEXT, key TEXT, body BLOB, UNIQUE (corp, kind, key))"
# a record keeps its place when it changes, so that a restart brings everything back in the order it had
PUT = "INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"
Row = tuple[str, str, str, bytes | None]
log = logging.getLogger("sandbox")


class BrokenStore(RuntimeError):
    """The file cannot be used; the message says which and why."""


class Store:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "sandbox.sqlite3"
        try:
            self.db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            version = self.db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, FORMAT):
                raise BrokenStore(
                    f"{self.path} has format {version}, this sandbox writes {FORMAT}: delete the file to start anew"
                )
            self.db.execute(TABLE)
            self.db.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.DatabaseError as error:
            raise BrokenStore(f"{self.path}: {error}") from error

    # -- writing -----------------------------------------------------------------------------------------------------

    async def keep(self, world: World) -> None:
        """Saves again and again until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.save(world)
            except sqlite3.Error as error:
                log.warning("sandbox: cannot save to %s: %s", self.path, error)

    async def save(self, world: World) -> None:
        doomed, world.doomed = world.doomed, set()
        rows: list[Row] = []
        taken: list[tuple[Corp, dict[tuple[str, str], None]]] = []
        for corp in list(world.corps.values()):
            changed, corp.dirty = corp.dirty, {}
            taken.append((corp, changed))
            for kind, key in changed:
                rows.append((corp.corp_id, kind, key, pack(corp, kind, key)))
                if len(rows) % SLICE == 0:
                    await asyncio.sleep(0)
        grants = orjson.dumps({token: asdict(grant) for token, grant in world.grants.items()})
        rest = {"grants": grants, "tickets": orjson.dumps(world.tickets.record())}
        rest["vendors"] = orjson.dumps(world.vendors.record())
        try:
            await asyncio.to_thread(self.write, doomed, rows, rest)
        except sqlite3.Error:
            world.doomed |= doomed
            for corp, changed in taken:
                corp.dirty = changed | corp.dirty
            raise

    def write(self, doomed: set[str], rows: list[Row], rest: dict[str, bytes]) -> None:
        self.db.execute("BEGIN")
        try:
            for corp_id in doomed:
                self.db.execute("DELETE FROM records WHERE corp = ?", (corp_id,))
            self.db.executemany(PUT, (row for row in rows if row[3] is not None))
            gone = [row[:3] for row in rows if row[3] is None]
            self.db.executemany("DELETE FROM records WHERE corp = ? AND kind = ? AND key = ?", gone)
            self.db.executemany(PUT, [("", kind, "", body) for kind, body in rest.items()])
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self.db.close()

    # -- reading -----------------------------------------------------------------------------------------------------

    def load(self, world: World) -> None:
        found = self.db.execute(
            "SELECT corp, body FROM records WHERE kind = 'corp' AND corp != '' ORDER BY rowid"
        ).fetchall()
        for corp_id, body in found:
            corp = open_corp(orjson.loads(body))
            for kind, key, record in self.db.execute(
                "SELECT kind, key, body FROM records WHERE corp = ? ORDER BY rowid", (corp_id,)
            ):
                if kind in READERS:
                    READERS[kind](corp, key, orjson.loads(record))
            settle(corp)
            world.add(corp)
        row = self.db.execute("SELECT body FROM records WHERE kind = 'tickets'").fetchone()
        world.tickets.restore(orjson.loads(row[0]) if row else [])
        row = self.db.execute("SELECT body FROM records WHERE kind = 'vendors'").fetchone()
        world.vendors.restore(orjson.loads(row[0]) if row else {})
        row = self.db.execute("SELECT body FROM records WHERE kind = 'grants'").fetchone()
        for token, grant in (orjson.loads(row[0]) if row else {}).items():
            world.grants[token] = Grant(**grant)
            if not grant["revoked"]:
                world.current[grant["corp_id"], grant["app_key"]] = token


def pack(corp: Corp, kind: str, key: str) -> bytes | None:
    """The record as it is now; None when it is gone."""
    if kind == "corp":
        return orjson.dumps(corp_head(corp))
    record: Any = None
    if kind == "department":
        record = corp.departments.get(int(key))
    elif kind == "staff_tag":
        record = corp.staff_tags.get(int(key))
    elif kind == "media":
        file = corp.media.get(key)
        record = None if file is None else media.record(file)
    elif kind == "message":
        record = corp.conversations.messages.get(int(key))
    elif kind == "archive":
        record = corp.archive.entries.get(int(key))
    elif kind == "archive_file":
        kept = corp.archive.files.get(key)
        record = None if kept is None else archive_files.record(kept)
    elif kind == "staff":
        record = corp.staff.get(key.lower())
    else:
        shelves: dict[str, dict[str, Any]] = {
            "left": corp.left,
            "customer": corp.customers,
            "tags": corp.tag_groups,
            "group": corp.groups,
            "contact_way": corp.contact_ways,
            "moment": corp.moments,
            "group_welcome": corp.group_welcomes,
            "app_message": corp.app_messages,
            "mass": corp.mailings.messages,
            "received": corp.mailings.received,
        }
        record = shelves[kind].get(key)
    return None if record is None else orjson.dumps(record)


def corp_head(corp: Corp) -> dict[str, Any]:
    return {
        "corp_id": corp.corp_id,
        "name": corp.name,
        "seed": corp.seed,
        "mark": corp.mark,
        "created_at": corp.created_at,
        "status": corp.status,
        "cursor_epoch": corp.cursor_epoch,
        "apps": corp.apps,
        "receivers": corp.receivers,
        "limits": corp.limits,
        "delivery": corp.delivery,
        "archive": archive.head(corp.archive),
        "habits": corp.mailings.habits,
    }


def open_corp(head: dict[str, Any]) -> Corp:
    corp = Corp(head["corp_id"], head["name"], head["seed"])
    corp.random = Random(f"{corp.corp_id}/{corp.seed}/{time.time()}")
    corp.mark, corp.created_at, corp.status = head["mark"], head["created_at"], head["status"]
    corp.cursor_epoch = head["cursor_epoch"]
    corp.apps = {key: App(**app) for key, app in head["apps"].items()}
    corp.receivers = {key: Receiver(**receiver) for key, receiver in head["receivers"].items()}
    corp.limits, corp.delivery = Limits(**head["limits"]), Delivery(**head["delivery"])
    archive.restore(corp.archive, head.get("archive", {}))
    corp.mailings.habits = {key: mass.Habit(**habit) for key, habit in head.get("habits", {}).items()}
    return corp


def read_customer(corp: Corp, key: str, record: dict[str, Any]) -> None:
    customer = Customer(**record | {"follows": {}})
    corp.customers[key] = customer
    for userid, row in record["follows"].items():
        follow = Follow(**row)
        follow.external_userid = customer.external_userid
        customer.follows[userid] = follow
        corp.books.setdefault(userid.lower(), []).append(follow)


def read_tags(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.add_tag_group(TagGroup(**record | {"tags": [Tag(**tag) for tag in record["tags"]]}))


def read_group(corp: Corp, key: str, record: dict[str, Any]) -> None:
    members = {userid: GroupMember(**row) for userid, row in record["members"].items()}
    corp.groups[key] = GroupChat(**record | {"members": members})


def read_department(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.departments[int(key)] = Department(**record)


def read_staff_tag(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.staff_tags[int(key)] = StaffTag(**record)


def read_staff(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.staff[key.lower()] = Staff(**record)


def read_left(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.left[key] = Staff(**record)


def read_contact_way(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.contact_ways[key] = ContactWay(**record)


def read_mass(corp: Corp, key: str, record: dict[str, Any]) -> None:
    mass.bring_back(corp, mass.opened(record))


def read_received(corp: Corp, key: str, record: list[float]) -> None:
    corp.mailings.received[key] = record


def read_app_message(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.app_messages[key] = AppMessage(**record)


def read_group_welcome(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.group_welcomes[key] = GroupWelcome(**record)


def read_moment(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.moments[key] = moments.opened(record)


def read_media(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.media[key] = media.opened(record)


def read_message(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.conversations.put(Message(**record))


def read_archive(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.archive.put(archive.Entry(**record))


def read_archive_file(corp: Corp, key: str, record: dict[str, Any]) -> None:
    corp.archive.files[key] = archive_files.opened(record)


READERS: dict[str, Callable[[Corp, str, Any], None]] = {
    "customer": read_customer,
    "tags": read_tags,
    "group": read_group,
    "department": read_department,
    "staff": read_staff,
    "staff_tag": read_staff_tag,
    "left": read_left,
    "message": read_message,
    "mass": read_mass,
    "received": read_received,
    "app_message": read_app_message,
    "group_welcome": read_group_welcome,
    "moment": read_moment,
    "media": read_media,
    "contact_way": read_contact_way,
    "archive": read_archive,
    "archive_file": read_archive_file,
}


def settle(corp: Corp) -> None:
    """Puts the books of members in order again, and goes on counting where they end."""
    for staff in corp.staff.values():
        corp.books.setdefault(staff.userid.lower(), [])
    for book in corp.books.values():
        book.sort(key=by_seq)
    corp.seq = max((book[-1].seq for book in corp.books.values() if book), default=0)
    corp.dirty.clear()
