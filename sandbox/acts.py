"""What customers and members do in their phones: each act changes the corp and lets WeCom tell it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import conversations, seed
from sandbox.corp import Corp
from sandbox.objects import Customer, Follow, Staff, Welcome
from sandbox.world import World


class CannotAct(ValueError):
    """The act makes no sense now, in words for the person who plays."""


@dataclass(slots=True)
class Scene:
    """One act: where, and with what particulars."""

    world: World
    corp: Corp
    wish: dict[str, Any]

    def text(self, name: str, default: str = "") -> str:
        value = self.wish.get(name)
        return default if value is None else str(value)

    def staff(self, name: str = "userid") -> Staff:
        found = self.corp.staff.get(self.text(name).lower())
        if found is None:
            raise CannotAct(f"没有这个成员：{self.text(name)}")
        return found

    def customer(self, name: str = "external_userid") -> Customer:
        found = self.corp.customers.get(self.text(name))
        if found is None:
            raise CannotAct(f"没有这个客户：{self.text(name)}")
        return found

    def follow(self) -> Follow:
        staff, customer = self.staff(), self.customer()
        found = customer.follows.get(staff.userid)
        if found is None:
            raise CannotAct(f"{customer.name} 不是 {staff.name} 的好友")
        return found


Act = Callable[[Scene], dict[str, Any]]
ACTS: dict[str, Act] = {}


def act(function: Act) -> Act:
    ACTS[function.__name__] = function
    return function


def perform(world: World, corp: Corp, name: str, wish: dict[str, Any]) -> dict[str, Any]:
    played = ACTS.get(name)
    if played is None:
        raise CannotAct(f"unknown act {name}: one of {', '.join(ACTS)}")
    return played(Scene(world, corp, wish))


# -- a customer ------------------------------------------------------------------------------------------------------


def welcome_code(scene: Scene, follow: Follow) -> str | None:
    """A fresh code, unless WeCom gives none: chat begun, welcomed already, console's welcome, a WeCom user."""
    corp = scene.corp
    staff, customer = corp.staff[follow.userid.lower()], corp.customers[follow.external_userid]
    if follow.chat_begun or follow.welcomed or staff.admin_welcome or customer.type != 1:
        return None
    code = secrets.token_urlsafe(32)
    corp.welcomes[code] = Welcome(code, follow.userid, follow.external_userid, time.time())
    while len(corp.welcomes) > 50_000:
        del corp.welcomes[next(iter(corp.welcomes))]
    return code


def the_customer(scene: Scene) -> Customer:
    """The customer who acts: a known one, or a new one of that name."""
    corp = scene.corp
    if scene.text("external_userid"):
        found = corp.customers.get(scene.text("external_userid"))
        if found is not None:
            return found
        customer = Customer(scene.text("external_userid"), scene.text("name", "新客户"))
    else:
        customer = seed.make_customer(corp)
        while customer.type != 1:
            customer = seed.make_customer(corp)
        customer.name = scene.text("name") or customer.name
    if scene.text("corp_full_name"):  # a WeCom user of another corp
        customer.type, customer.corp_full_name = 2, scene.text("corp_full_name")
        customer.corp_name = customer.corp_full_name[:6]
        customer.external_userid = "wo" + customer.external_userid[2:]
    if scene.wish.get("gender") is not None:
        customer.gender = int(scene.wish["gender"])
    corp.customers[customer.external_userid] = customer
    return customer


@act
def customer_adds(scene: Scene) -> dict[str, Any]:
    """A customer adds a member; `half`: without verification, the member has yet to accept."""
    corp, staff, half = scene.corp, scene.staff(), bool(scene.wish.get("half"))
    customer = the_customer(scene)
    follow = customer.follows.get(staff.userid)
    if follow is not None and not follow.deleted_by_customer and (half or not follow.one_way):
        raise CannotAct(f"{customer.name} 已经是 {staff.name} 的好友")
    state = scene.text("state")
    if follow is None:
        follow = Follow(
            staff.userid,
            customer.external_userid,
            corp.next_seq(),
            int(time.time()),
            oper_userid=customer.external_userid,
        )
        follow.add_way = int(scene.wish.get("add_way") or 1)
        follow.state, follow.one_way = state, half
        corp.add_follow(follow)
    else:
        follow.one_way = half
        follow.deleted_by_customer = False
        follow.state = state or follow.state
    corp.touch("customer", customer.external_userid)
    change_type = "add_half_external_contact" if half else "add_external_contact"
    code = welcome_code(scene, follow)
    people = [customer.external_userid, staff.userid]
    conversations.notice(corp, people, f"你已添加了{staff.name}，现在可以开始聊天了")
    scene.world.sender.customer_event(corp, change_type, follow, State=follow.state or None, WelcomeCode=code)
    return {
        "external_userid": customer.external_userid,
        "userid": staff.userid,
        "name": customer.name,
        "welcome_code": code,
    }


@act
def staff_accepts(scene: Scene) -> dict[str, Any]:
    """The member accepts a one-way friend."""
    follow = scene.follow()
    if not follow.one_way:
        raise CannotAct("双方已是好友")
    follow.one_way = False
    scene.corp.touch("customer", follow.external_userid)
    code = welcome_code(scene, follow)
    scene.world.sender.customer_event(
        scene.corp, "add_external_contact", follow, State=follow.state or None, WelcomeCode=code
    )
    return {"welcome_code": code}


@act
def customer_deletes_staff(scene: Scene) -> dict[str, Any]:
    """The customer deletes the member: the pair stays readable for the corp."""
    follow = scene.follow()
    if follow.deleted_by_customer:
        raise CannotAct("客户已经删除了该成员")
    follow.deleted_by_customer = True
    scene.corp.touch("customer", follow.external_userid)
    scene.world.sender.customer_event(scene.corp, "del_follow_user", follow)
    return {}


@act
def staff_deletes_customer(scene: Scene) -> dict[str, Any]:
    """The member deletes the customer: the pair is gone (84061 from now on)."""
    follow = scene.follow()
    scene.corp.drop_follow(follow)
    source = "DELETE_BY_TRANSFER" if scene.wish.get("transfer") else None
    scene.world.sender.customer_event(scene.corp, "del_external_contact", follow, Source=source)
    return {}


@act
def transfer_fails(scene: Scene) -> dict[str, Any]:
    follow = scene.follow()
    scene.world.sender.customer_event(
        scene.corp, "transfer_fail", follow, FailReason=scene.text("reason", "customer_refused")
    )
    return {}


@act
def customer_renames(scene: Scene) -> dict[str, Any]:
    """A customer changes the WeChat nickname: WeCom tells nobody."""
    customer = scene.customer()
    customer.name = scene.text("name") or seed.nickname(scene.corp.random, customer.gender)
    scene.corp.touch("customer", customer.external_userid)
    return {"name": customer.name}


# -- a member, in the client -----------------------------------------------------------------------------------------


@act
def staff_edits(scene: Scene) -> dict[str, Any]:
    """Remark, description, mobiles or tags changed in the client; a change of mobiles alone is not told."""
    corp, follow, wish = scene.corp, scene.follow(), scene.wish
    before = (follow.remark, follow.description, list(follow.tags), list(follow.personal_tags))
    follow.remark = scene.text("remark", follow.remark)[:20]
    follow.description = scene.text("description", follow.description)[:150]
    follow.remark_mobiles = [str(mobile) for mobile in wish.get("remark_mobiles", follow.remark_mobiles)]
    removed = set(wish.get("remove_tags") or ())
    wanted = [tag for tag in (wish.get("add_tags") or ()) if corp.live_tag(tag)]
    follow.tags = list(dict.fromkeys([*(tag for tag in follow.tags if tag not in removed), *wanted]))
    follow.personal_tags = list(wish.get("personal_tags", follow.personal_tags))
    corp.touch("customer", follow.external_userid)
    if before != (follow.remark, follow.description, follow.tags, follow.personal_tags):
        scene.world.sender.customer_event(corp, "edit_external_contact", follow)
    return {"remark": follow.remark, "tags": follow.tags}
