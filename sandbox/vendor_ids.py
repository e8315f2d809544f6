"""Ids as a vendor sees them: members and customers have others for each vendor and corp (wecom-api.md 11.1)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sandbox.corp import ALPHABET, Corp
from sandbox.names import words
from sandbox.suites import mixed

MEMBER_KEYS = frozenset(
    words("""
    userid userids user users user_list userid_list useridlist userlist follow_user owner oper_userid open_userid
    creator creator_userid sender touser direct_leader department_leader invaliduser unlicenseduser allow_user UserID
    NewUserID FromUserName UserId userId userIds MemChangeList DirectLeader
    """)
)
SEVERAL = re.compile(r"([|;])")  # `touser` and the client's calls name several people in one string
Turn = Callable[[str, str], str]


class VendorIds:
    """Translates what a vendor's app is told of one corp, and what it asks."""

    def __init__(self, provider_corp_id: str, corp: Corp) -> None:
        self.corp = corp
        self.seed = f"{provider_corp_id}/{corp.corp_id}"
        self.member_mark = "wo" + mixed(f"{self.seed}/member", 5) + "AAA"
        self.person_mark = mixed(f"{self.seed}/person", 5) + "AAA"
        self.there, self.back = tables(self.seed)

    def member(self, userid: str) -> str:
        return self.member_mark + userid.translate(self.there)

    def customer(self, external_userid: str) -> str:
        return external_userid[:2] + self.person_mark + external_userid[2:].translate(self.there)

    def outward(self, told: Any) -> Any:
        """The same answer or event with the vendor's ids, and without unionids, which vendors are not given."""
        return without_unionids(turned(told, self.hide, ""))

    def inward(self, asked: Any) -> Any:
        """The same question with the corp's own ids; those it holds already are nobody's for a vendor."""
        return turned(asked, self.show, "")

    def hide(self, key: str, text: str) -> str:
        if self.own_customer(text):
            return self.customer(text)
        if key in MEMBER_KEYS:
            staff = self.corp.staff.get(text.lower()) or self.corp.left.get(text.lower())
            return self.member(staff.userid) if staff else text
        return text

    def show(self, key: str, text: str) -> str:
        if text.startswith(self.member_mark):
            return text.removeprefix(self.member_mark).translate(self.back)
        if text.startswith(self.person_mark, 2):
            return text[:2] + text[2 + len(self.person_mark) :].translate(self.back)
        if self.own_customer(text) or (key in MEMBER_KEYS and text.lower() in self.corp.staff):
            return f"{text}?"
        return text

    def own_customer(self, text: str) -> bool:
        return text.startswith((f"wm{self.corp.mark}", f"wo{self.corp.mark}"))


@lru_cache(maxsize=1000)
def tables(seed: str) -> tuple[dict[int, int], dict[int, int]]:
    letters = list(ALPHABET)
    random.Random(seed).shuffle(letters)
    mixed_up = "".join(letters)
    return str.maketrans(ALPHABET, mixed_up), str.maketrans(mixed_up, ALPHABET)


def turned(value: Any, turn: Turn, key: str) -> Any:
    if isinstance(value, str):
        several = key in MEMBER_KEYS and SEVERAL.search(value)
        return "".join(turn(key, part) for part in SEVERAL.split(value)) if several else turn(key, value)
    if isinstance(value, list | tuple):
        return type(value)(turned(one, turn, key) for one in value)
    if isinstance(value, dict):
        return {name: turned(one, turn, name) for name, one in value.items()}
    return value


def nameless(value: Any) -> Any:
    """Third-party suites get a member's userid in place of his name (wecom-api.md 4.4)."""
    if isinstance(value, list):
        return [nameless(one) for one in value]
    if isinstance(value, dict):
        member = {"userid", "name", "department"} <= set(value)
        value = value | {"name": value["userid"]} if member else value
        return {name: nameless(one) for name, one in value.items()}
    return value


def without_unionids(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(without_unionids(one) for one in value)
    if isinstance(value, dict):
        return {name: without_unionids(one) for name, one in value.items() if name != "unionid"}
    return value
