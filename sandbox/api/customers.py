"""Members with customers, customers, remarks (wecom-api.md 5.1)."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from sandbox import cursors, media
from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.corp import Corp, by_seq
from sandbox.errors import ApiError
from sandbox.objects import Customer, Follow, Staff

FOLLOWERS_IN_A_PAGE = 500


@api("GET", "externalcontact/get_follow_user_list", SELLING_KINDS)
def follow_users(ask: Ask) -> dict[str, Any]:
    return {"follow_user": [staff.userid for staff in ask.corp.visible_staff(ask.app) if staff.customer_contact]}


@api("GET", "externalcontact/list", SELLING_KINDS)
def customer_ids(ask: Ask) -> dict[str, Any]:
    staff = ask.corp.seller(ask.query.get("userid"), ask.app)
    found = [follow.external_userid for follow in ask.corp.book(staff) if not follow.one_way]
    if not found:
        raise ApiError(84061)
    return {"external_userid": found}


def customer_view(customer: Customer) -> dict[str, Any]:
    view: dict[str, Any] = {
        "external_userid": customer.external_userid,
        "name": customer.name,
        "type": customer.type,
        "avatar": "",  # a picture of nobody would be an address that leads nowhere
        "gender": customer.gender,
    }
    if customer.unionid:
        view["unionid"] = customer.unionid
    if customer.type == 2:
        view["position"] = customer.position
        view["corp_name"] = customer.corp_name
        view["corp_full_name"] = customer.corp_full_name
        view["external_profile"] = {"external_attr": [{"type": 0, "name": "业务", "text": {"value": "合作洽谈"}}]}
    return view


def follow_view(follow: Follow) -> dict[str, Any]:
    """The fields that `get` and `batch/get_by_user` share."""
    view: dict[str, Any] = {
        "userid": follow.userid,
        "remark": follow.remark,
        "description": follow.description,
        "createtime": follow.createtime,
        "remark_corp_name": follow.remark_corp_name,
        "remark_mobiles": follow.remark_mobiles,
        "add_way": follow.add_way,
        "oper_userid": follow.oper_userid,
    }
    if follow.state:
        view["state"] = follow.state
    if follow.add_way == 10:
        view["wechat_channels"] = {"nickname": "青禾生活", "source": 1}
    return view


def tags_view(corp: Corp, follow: Follow) -> list[dict[str, Any]]:
    found = []
    for tag_id in follow.tags:
        live = corp.live_tag(tag_id)
        if live is not None:
            group, tag = live
            kind = 3 if group.strategy_id else 1
            found.append({"group_name": group.group_name, "tag_name": tag.name, "tag_id": tag_id, "type": kind})
    found.extend({"group_name": "", "tag_name": name, "type": 2} for name in follow.personal_tags)
    return found


@api("GET", "externalcontact/get", SELLING_KINDS)
def customer_get(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    customer = corp.customer(ask.query.get("external_userid"))
    asked = cursors.question("get", customer.external_userid)
    (after,) = cursors.take(corp, asked, ask.query.get("cursor"), 1)
    ties = [follow for follow in customer.follows.values() if not follow.one_way and readable(ask, follow)]
    if not ties:
        raise ApiError(84061)
    ties.sort(key=by_seq)
    page = [follow for follow in ties if follow.seq > after][:FOLLOWERS_IN_A_PAGE]
    answer: dict[str, Any] = {
        "external_contact": customer_view(customer),
        "follow_user": [follow_view(follow) | {"tags": tags_view(corp, follow)} for follow in page],
    }
    if page and page[-1].seq < ties[-1].seq:
        answer["next_cursor"] = cursors.give(corp, asked, page[-1].seq)
    return answer


def readable(ask: Ask, follow: Follow) -> bool:
    staff = ask.corp.staff.get(follow.userid.lower())
    return staff is not None and staff.customer_contact and ask.corp.sees(ask.app, staff)


@api("POST", "externalcontact/batch/get_by_user", SELLING_KINDS)
def customers_of(ask: Ask) -> dict[str, Any]:
    """Pairs of the asked members in order; the cursor holds which member and after which pair of his."""
    corp = ask.corp
    userids = ask.strings("userid_list", 100)
    if not userids:
        raise ApiError(40063, "userid_list")
    limit = ask.number("limit", 1, 100, 50)
    sellers = [corp.seller(userid, ask.app) for userid in userids]
    asked = cursors.question("by_user", userids)
    at, after = cursors.take(corp, asked, ask.body.get("cursor"), 2)
    size = cursors.page_size(corp, limit, at, after)
    page, place = gather(corp, sellers, at, after, size)
    customers, tags = corp.customers, corp.tags
    rows = [
        {
            "external_contact": customer_view(customers[follow.external_userid]),
            "follow_info": follow_view(follow) | {"tag_id": [tag for tag in follow.tags if not tags[tag][1].deleted]},
        }
        for follow in page
    ]
    return {"external_contact_list": rows, "next_cursor": cursors.give(corp, asked, *place) if place else ""}


def gather(
    corp: Corp, sellers: list[Staff], at: int, after: int, size: int
) -> tuple[list[Follow], tuple[int, int] | None]:
    """Up to `size` pairs from that place on, and the place of the next page if there is one."""
    page: list[Follow] = []
    for number in range(at, len(sellers)):
        book = corp.book(sellers[number])
        start = bisect_right(book, after, key=by_seq) if number == at else 0
        for position in range(start, len(book)):
            follow = book[position]
            if follow.one_way:
                continue
            if len(page) == size:
                return page, (number, book[position - 1].seq if position else 0)
            page.append(follow)
    return page, None


@api("POST", "externalcontact/remark", SELLING_KINDS)
def remark(ask: Ask) -> dict[str, Any]:
    corp = ask.corp
    staff = corp.seller(ask.body.get("userid"), ask.app)
    follow = corp.follow(staff, ask.body.get("external_userid"))
    fields = {"remark", "description", "remark_company", "remark_mobiles", "remark_pic_mediaid"} & set(ask.body)
    if not fields:
        raise ApiError(
            40063, "remark, description, remark_company, remark_mobiles and remark_pic_mediaid are all empty"
        )
    name, description = ask.text("remark", 20, follow.remark), ask.text("description", 150, follow.description)
    company, mobiles = ask.text("remark_company", 20, follow.remark_corp_name), ask.strings("remark_mobiles", 5)
    if "remark_company" in fields and corp.customers[follow.external_userid].type != 1:
        raise ApiError(40058, "remark_company is only for wechat users")
    if ask.text("remark_pic_mediaid", 512):
        media.check(corp, ask.body["remark_pic_mediaid"], "image", ask.now)
    follow.remark, follow.description, follow.remark_corp_name = name, description, company
    if "remark_mobiles" in fields:
        follow.remark_mobiles = [mobile for mobile in mobiles if mobile]
    corp.touch("customer", follow.external_userid)
    ask.world.effects.note(corp, "remark", userid=staff.userid, external_userid=follow.external_userid, remark=name)
    ask.world.sender.customer_event(corp, "edit_external_contact", follow, by=ask.app)
    return {}
