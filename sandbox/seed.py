"""Makes a plausible corp from a seed: the same seed and sizes give the same people, ids and ties."""

from __future__ import annotations

import hashlib
import math
import time
from random import Random

from sandbox import names
from sandbox.corp import Corp
from sandbox.objects import App, Customer, Department, Follow, GroupChat, GroupMember, Staff, StaffTag, Tag, TagGroup

DEFAULT_CORP = "ww5c6d7e8f90a1b2c3"
DEFAULT_AGENT = 1000002
DEFAULT_NAME = "青禾生活（演示）"
MONTHS_18 = 548 * 86_400
GROWTH = 3.0
SURNAMES, WOMEN, MEN = names.SURNAMES, names.GIVEN_WOMEN, names.GIVEN_MEN


def demo_secret(corp_id: str, what: str) -> str:
    """A secret everybody may know: 43 characters as WeCom's, the same for the same corp and app."""
    digest = hashlib.sha256(f"sandbox/{corp_id}/{what}".encode()).hexdigest()
    return f"sandbox-{what[:8]}-{digest}"[:43]


def seed_corp(
    corp_id: str = DEFAULT_CORP,
    *,
    name: str = DEFAULT_NAME,
    agent_id: int = DEFAULT_AGENT,
    secret: str = "",
    contact_secret: str = "",
    seed: int = 7,
    staff: int = 20,
    customers: int = 2000,
    groups: int = 60,
) -> Corp:
    corp = Corp(corp_id, name, seed)
    for app in (
        App(f"app:{agent_id}", "app", "客户运营", secret or demo_secret(corp_id, "app"), agent_id),
        App("contact", "contact", "客户联系", contact_secret or demo_secret(corp_id, "contact")),
        App("sync", "sync", "通讯录同步", demo_secret(corp_id, "sync"), customer_contact=False),
    ):
        corp.apps[app.key] = app
    now = int(time.time())
    make_departments(corp)
    make_staff(corp, staff)
    make_staff_tags(corp)
    make_tags(corp, now, owner=f"app:{agent_id}")
    make_customers(corp, customers, now)
    make_groups(corp, groups, now)
    corp.touch("corp", corp_id)
    return corp


def make_departments(corp: Corp) -> None:
    corp.departments[1] = Department(1, corp.name.split("（")[0], 0, 100_000_000)
    for position, (name, parent) in enumerate(names.DEPARTMENTS):
        corp.departments[position + 2] = Department(
            position + 2, name, parent + 2 if parent >= 0 else 1, 1000 - position * 10
        )
    for department in corp.departments.values():
        corp.touch("department", str(department.id))


def make_staff(corp: Corp, count: int) -> None:
    """Four fifths of the members sell; the others have no 客户联系 right, as in a real corp."""
    rng = corp.random
    places = [
        names.SELLING[i % len(names.SELLING)] if i % 6 != 5 else names.OTHER[i // 6 % len(names.OTHER)]
        for i in range(count)
    ]
    for place in places:
        gender = rng.choice((1, 2))
        surname, given = rng.choice(SURNAMES), rng.choice(WOMEN if gender == 2 else MEN)
        stem = userid = surname[1] + given[1]
        number = 2
        while userid in corp.staff:
            userid, number = f"{stem}{number}", number + 1
        department = corp.departments[place + 2]
        member = Staff(userid, surname[0] + given[0], [department.id], names.POSITIONS[place], gender=gender)
        member.mobile = f"13{rng.randrange(10**9):09d}"
        member.customer_contact = place in names.SELLING or place == 8
        if not department.leaders:
            department.leaders.append(userid)
            member.leader_in.append(department.id)
            member.position = names.LEADERS.get(place, member.position)
        else:
            member.direct_leader.append(department.leaders[0])
        corp.staff[userid.lower()] = member
        corp.books[userid.lower()] = []
        corp.touch("staff", userid)


def make_staff_tags(corp: Corp) -> None:
    """Tags of contacts as an admin would keep them: by name, and by whole departments."""
    places = {department.name: department.id for department in corp.departments.values()}
    for number, (name, (inside, few, whole)) in enumerate(names.STAFF_TAGS.items(), 1):
        members = [one.userid for one in corp.staff.values() if not inside or places[inside] in one.departments]
        users = members[few] if few is not None else []
        corp.staff_tags[number] = StaffTag(number, name, users, [places[one] for one in whole])
        corp.touch("staff_tag", str(number))


def make_tags(corp: Corp, now: int, owner: str) -> None:
    """Most groups are made in the console, one by the app itself: only that one the app may change."""
    for position, (group_name, tags) in enumerate(names.TAG_GROUPS.items()):
        made = now - MONTHS_18 + position * 3600
        group = TagGroup(corp.new_id("et"), group_name, made, 100 - position * 10)
        if group_name == "跟进阶段":
            group.owner = owner
        group.tags = [Tag(corp.new_id("et"), tag, made, len(tags) - i) for i, tag in enumerate(tags)]
        corp.add_tag_group(group)


def nickname(rng: Random, gender: int) -> str:
    roll = rng.random()
    if roll < 0.30:
        given = rng.choice(WOMEN if gender == 2 else MEN)[0]
        return rng.choice(SURNAMES)[0] + given
    if roll < 0.62:
        return rng.choice(names.NICKNAMES)
    if roll < 0.74:
        return rng.choice(names.LATIN_NAMES) + (rng.choice(names.EMOJI) if rng.random() < 0.3 else "")
    if roll < 0.86:
        return rng.choice(names.NICKNAMES) + rng.choice(names.EMOJI)
    if roll < 0.94:
        return rng.choice(SURNAMES)[0] + rng.choice(names.TITLES)
    return f"A{rng.choice(names.CITIES)}{rng.choice(names.TRADES)}-{rng.choice(SURNAMES)[0]}{rng.choice(names.TITLES)}"


def make_customer(corp: Corp) -> Customer:
    rng = corp.random
    gender = rng.choice((0, 1, 1, 2, 2, 2))
    if rng.random() < 0.03:
        company = rng.choice(names.COMPANIES)
        full = f"{rng.choice(names.CITIES)}{company}{rng.choice(names.INDUSTRIES)}有限公司"
        name = rng.choice(SURNAMES)[0] + rng.choice(MEN if gender == 1 else WOMEN)[0]
        return Customer(corp.new_id("wo"), name, 2, gender or 1, "", rng.choice(names.JOBS), company, full)
    customer = Customer(corp.new_id("wm"), nickname(rng, gender), 1, gender)
    if rng.random() < 0.4:
        customer.unionid = "o" + "".join(rng.choices("ABCDEFGHabcdefghijklmnop0123456789_-", k=27))
    return customer


def age_of(luck: float) -> float:
    """A share of the 18 months: one day is like the next, and the last months are the busiest."""
    return -math.log1p(luck * math.expm1(-GROWTH)) / GROWTH


def make_customers(corp: Corp, count: int, now: int) -> None:
    """Customers of the last 18 months, a little more each month; some are shared by two or three members."""
    sellers = [staff for staff in corp.staff.values() if staff.customer_contact]
    if not sellers:
        return
    rng = corp.random
    tags = list(corp.tags)
    shares = [0.4 + rng.random() for _ in sellers]
    owners = rng.choices(sellers, shares, k=count)
    ages = sorted((age_of(rng.random()) for _ in range(count)), reverse=True)
    for owner, age in zip(owners, ages, strict=True):
        customer = make_customer(corp)
        corp.customers[customer.external_userid] = customer
        ties = [owner] if rng.random() < 0.92 else rng.sample(sellers, min(len(sellers), rng.choice((2, 2, 3))))
        at = now - 600 - int(age * MONTHS_18)
        for staff in ties:
            follow = make_follow(corp, customer, staff, at, tags)
            customer.follows[staff.userid] = follow
            corp.books[staff.userid.lower()].append(follow)
            later, left = rng.randrange(3600, 3_000_000), now - 60 - at
            at += later if later < left else later * left // 3_000_000
        corp.touch("customer", customer.external_userid)


def make_follow(corp: Corp, customer: Customer, staff: Staff, at: int, tags: list[str]) -> Follow:
    rng = corp.random
    follow = Follow(
        staff.userid,
        customer.external_userid,
        corp.next_seq(),
        at,
        rng.choice(names.ADD_WAYS),
        chat_begun=True,
        welcomed=True,
    )
    follow.oper_userid = customer.external_userid
    if follow.add_way in (2, 5, 6):
        follow.oper_userid = staff.userid
    elif follow.add_way == 202:
        follow.oper_userid = "admin"
    if follow.add_way in (1, 16):
        follow.state = rng.choice(names.STATES)
    if rng.random() < 0.45:
        follow.remark = f"{customer.name[:8]}-{rng.choice(names.CITIES)}"
    if rng.random() < 0.2:
        follow.description = rng.choice(names.DESCRIPTIONS)
    if rng.random() < 0.15:
        follow.remark_mobiles = [f"13{rng.randrange(10**9):09d}"]
    if rng.random() < 0.55 and tags:
        follow.tags = rng.sample(tags, rng.choice((1, 1, 2, 3)))
    if rng.random() < 0.05:
        follow.personal_tags = ["爱喝茶"]
    return follow


def make_groups(corp: Corp, count: int, now: int) -> None:
    sellers = [staff for staff in corp.staff.values() if staff.customer_contact]
    people = list(corp.customers.values())
    if not sellers:
        return
    rng = corp.random
    for number in range(count):
        owner = rng.choice(sellers)
        born = now - 14 * 86_400 - int(rng.random() * MONTHS_18)
        name = f"{rng.choice(names.CITIES)}{rng.choice(names.GROUP_NAMES)}{number + 1}" if rng.random() > 0.06 else ""
        group = GroupChat(
            corp.new_id("wr"),
            name,
            owner.userid,
            born,
            rng.choice(names.NOTICES),
            version=f"{rng.getrandbits(128):032x}",
        )
        group.members[owner.userid] = GroupMember(owner.userid, 1, born, 1, owner.name)
        for helper in rng.sample(sellers, min(len(sellers), rng.randrange(0, 3))):
            group.members.setdefault(
                helper.userid, GroupMember(helper.userid, 1, born + 30, 1, helper.name, invitor=owner.userid)
            )
            group.admins = [helper.userid] if helper.userid != owner.userid else group.admins
        for customer in rng.sample(people, min(len(people), rng.randrange(6, 46))):
            later, left = rng.randrange(60, 86_400 * 60), now - 60 - born
            joined = born + (later if later < left else later * left // (86_400 * 60))
            seat = GroupMember(
                customer.external_userid, 2, joined, rng.choice((1, 2, 3, 3)), customer.name, unionid=customer.unionid
            )
            if seat.join_scene == 3:
                seat.state = "grp_a"
            else:
                seat.invitor = owner.userid
            group.members[seat.userid] = seat
        for _ in range(rng.randrange(0, 3)):  # people in the group who are nobody's customers
            stranger = GroupMember(
                corp.new_id("wm"), 2, min(now - 60, born + 7200), 2, rng.choice(names.NICKNAMES), invitor=owner.userid
            )
            group.members[stranger.userid] = stranger
        corp.groups[group.chat_id] = group
        corp.touch("group", group.chat_id)
