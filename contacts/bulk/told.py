"""What WeCom and its events told about customers, brought into the shape of our rows and hashed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from contacts.friendship import News
from wecom.objects import ExternalContact, FollowInfo

OWN = b"own:"  # instead of a hash: we changed the friendship ourselves, and nothing read before that counts
OF_A_RULE_GROUP = 3  # the type of a tag (wecom-api.md 5.1)


def own_change(at: datetime) -> bytes:
    """What stands as a friendship's hash after WeCom confirmed a change of ours."""
    return OWN + int(at.timestamp() * 1000).to_bytes(8, "big")


def is_older(read_at: datetime | None, raw_hash: bytes) -> bool:
    """Whether WeCom was read before it confirmed the change of ours that the hash stands for."""
    if read_at is None or bytes(raw_hash[:4]) != OWN:
        return False
    return read_at.timestamp() < int.from_bytes(raw_hash[4:], "big") / 1000


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
    tag_names: dict[str, str] = field(default_factory=dict)  # of tags that no listing names
    read_at: datetime | None = None  # when WeCom was asked for the first of it

    def add_contact(self, contact: ExternalContact) -> None:
        self.contacts[contact.external_userid] = contact_of(contact)

    def add_listed(self, external_userid: str, follow: FollowInfo) -> None:
        one = listed_of(external_userid, follow)
        self.listed[one.pair] = one
        self.userids.setdefault(follow.userid.lower(), follow.userid)
        for tag in follow.tags:
            if tag.type == OF_A_RULE_GROUP:
                self.tag_names[tag.id] = tag.name

    def add_heard(self, external_userid: str, userid: str, heard: Heard) -> None:
        """What is heard of a pair that WeCom does not list is known to be missed."""
        pair = external_userid, userid.lower()
        self.heard.setdefault(pair, []).append(heard)
        self.userids.setdefault(pair[1], userid)
        if pair not in self.listed:
            self.missed.add(pair)

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
