"""What WeCom and its events told about customers, brought into the shape of our rows and hashed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from contacts.friendship import News
from wecom.events import Event
from wecom.objects import ExternalContact, FollowInfo


class Contact(NamedTuple):
    """A customer as WeCom has it now."""

    external_userid: str
    name: str
    kind: int
    gender: int
    avatar: str
    unionid: str
    position: str
    corp_name: str
    raw_hash: bytes


class Listed(NamedTuple):
    """A friendship as WeCom has it now."""

    external_userid: str
    userid: str
    remark: str
    description: str
    remark_corp_name: str
    mobiles: list[str]
    add_way: int
    state: str
    oper_userid: str
    created_at: datetime | None
    tag_ids: list[str]
    raw_hash: bytes

    @property
    def pair(self) -> "Pair":
        return self.external_userid, self.userid.lower()


Pair = tuple[str, str]  # external_userid, lower-case userid


class Heard(NamedTuple):
    """One event about one friendship."""

    news: News
    at: datetime
    fields: Mapping[str, Any]
    kind: str = ""  # of its entry on the timeline; empty for none


@dataclass(slots=True)
class Told:
    """All that one set is written from."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    listed: dict[Pair, Listed] = field(default_factory=dict)
    missed: set[Pair] = field(default_factory=set)  # asked for and not listed
    heard: dict[Pair, list[Heard]] = field(default_factory=dict)
    userids: dict[str, str] = field(default_factory=dict)  # as WeCom writes them, by lower case

    def add_contact(self, contact: ExternalContact) -> None:
        self.contacts[contact.external_userid] = contact_of(contact)

    def add_listed(self, external_userid: str, follow: FollowInfo) -> None:
        one = listed_of(external_userid, follow)
        self.listed[one.pair] = one
        self.userids.setdefault(follow.userid.lower(), follow.userid)

    def add_heard(self, event: Event, heard: Heard) -> None:
        pair = event.external_user_id, event.user_id.lower()
        self.heard.setdefault(pair, []).append(heard)
        self.userids.setdefault(pair[1], event.user_id)

    @property
    def pairs(self) -> set[Pair]:
        return self.listed.keys() | self.heard.keys() | self.missed


def _hash(row: tuple[object, ...]) -> bytes:
    return hashlib.sha1(orjson.dumps(row), usedforsecurity=False).digest()


def contact_of(raw: ExternalContact) -> Contact:
    row = (
        raw.external_userid,
        raw.name[:128],
        raw.type if raw.type in (1, 2) else 1,
        raw.gender if raw.gender in (0, 1, 2) else 0,
        raw.avatar[:500],
        raw.unionid[:64],
        raw.position[:128],
        raw.corp_name[:128],
    )
    return Contact(*row, _hash(row))


def listed_of(external_userid: str, raw: FollowInfo) -> Listed:
    row = (
        external_userid,
        raw.userid,
        raw.remark[:64],
        raw.description[:500],
        raw.remark_corp_name[:64],
        raw.remark_mobiles,
        raw.add_way,
        raw.state[:64],
        raw.oper_userid[:64],
        raw.created_at,
        sorted(set(raw.tag_ids)),
    )
    return Listed(*row, _hash(row))
