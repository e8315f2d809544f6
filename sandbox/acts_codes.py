"""Customers scan the codes of contact ways, and members confirm those who asked first."""

from __future__ import annotations

import time
from typing import Any

from sandbox import contact_ways, conversations
from sandbox.acts import CannotAct, Scene, act, customer_adds, the_customer
from sandbox.contact_ways import ContactWay
from sandbox.objects import Customer, Staff


def the_way(scene: Scene) -> ContactWay:
    way = scene.corp.contact_ways.get(scene.text("config_id"))
    if way is None:
        raise CannotAct("该二维码已失效")
    if way.is_temp and way.created_at + way.expires_in < time.time():
        raise CannotAct("该二维码已过期")
    return way


def led_to(scene: Scene, way: ContactWay, customer: Customer) -> Staff:
    """Whom WeCom leads this customer to: a friend among the members first, then his corp's member, then by lot."""
    candidates = contact_ways.reachable(scene.corp, way)
    if not candidates:
        raise CannotAct("该二维码暂无可添加的成员")
    asked = scene.text("userid").lower()
    if asked:
        found = next((staff for staff in candidates if staff.userid.lower() == asked), None)
        if found is None:
            raise CannotAct(f"{scene.text('userid')} 不在该二维码的使用成员中")
        return found
    friends = [staff for staff in candidates if staff.userid in customer.follows]
    if way.is_exclusive and customer.corp_full_name:
        friends += [staff for staff in candidates if staff.userid == way.led.get(customer.corp_full_name)]
    return friends[0] if friends else scene.corp.random.choice(candidates)


@act
def customer_scans(scene: Scene) -> dict[str, Any]:
    """{config_id, external_userid? | name?, userid?, half?}: one more friend, with the state of the way."""
    corp, way = scene.corp, the_way(scene)
    customer = the_customer(scene)
    if way.unionid and customer.unionid != way.unionid:
        raise CannotAct("该二维码只限指定客户使用")
    staff = led_to(scene, way, customer)
    told = {"config_id": way.config_id, "userid": staff.userid, "external_userid": customer.external_userid}
    corp.touch("contact_way", way.config_id)
    corp.touch("customer", customer.external_userid)
    if way.is_temp:
        way.temps[customer.external_userid] = (staff.userid, time.time() + way.chat_expires_in)
        conversations.notice(corp, [customer.external_userid, staff.userid], "临时会话已开始")
        return told | {"result": "temp_chat"}
    follow = customer.follows.get(staff.userid)
    if follow is not None and not follow.deleted_by_customer and not follow.one_way:
        return told | {"result": "already_friends"}
    if customer.corp_full_name:
        way.led.setdefault(customer.corp_full_name, staff.userid)
    if not way.skip_verify:
        way.requests[customer.external_userid] = staff.userid
        return told | {"result": "requested"}
    return told | befriend(scene, way, told, bool(scene.wish.get("half")))


def befriend(scene: Scene, way: ContactWay, told: dict[str, Any], half: bool) -> dict[str, Any]:
    way.added[told["userid"]] = way.added.get(told["userid"], 0) + 1
    wish = told | {"state": way.state, "add_way": 1, "half": half}
    added = customer_adds(Scene(scene.world, scene.corp, wish))
    return added | {"result": "one_way" if half else "added"}


@act
def staff_accepts_request(scene: Scene) -> dict[str, Any]:
    """{userid, external_userid}: the member confirms a customer who scanned a code that asks for it."""
    external_userid, staff = scene.text("external_userid"), scene.staff()
    for way in scene.corp.contact_ways.values():
        if way.requests.get(external_userid) == staff.userid:
            del way.requests[external_userid]
            scene.corp.touch("contact_way", way.config_id)
            return befriend(scene, way, {"userid": staff.userid, "external_userid": external_userid}, False)
    raise CannotAct("没有这个好友申请")


@act
def way_deleted_in_wecom(scene: Scene) -> dict[str, Any]:
    """{config_id}: the code stops working though no app deleted it; WeCom tells nobody."""
    way = the_way(scene)
    del scene.corp.contact_ways[way.config_id]
    scene.corp.touch("contact_way", way.config_id)
    return {}
