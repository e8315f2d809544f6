"""Many acts at once, for load and for faults: a mix of kinds, all by the corp's own dice."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

from sandbox import acts_admin, acts_app, acts_codes, acts_groups, acts_mass, acts_talk  # noqa: F401 - imported for the acts they register
from sandbox.acts import ACTS, CannotAct, perform
from sandbox.corp import Corp
from sandbox.world import World

DEFAULT_MIX = {
    "customer_adds": 4.0,
    "staff_edits": 4.0,
    "customer_deletes_staff": 1.0,
    "staff_deletes_customer": 0.5,
    "group_join": 1.0,
}
SLICE = 200


async def burst(world: World, corp: Corp, wish: dict[str, Any]) -> dict[str, Any]:
    """Plays `count` acts as fast as it goes, or `rate` of them a second."""
    mix = {str(kind): float(weight) for kind, weight in (wish.get("mix") or DEFAULT_MIX).items()}
    unknown = set(mix) - set(ACTS)
    if unknown:
        raise CannotAct(f"unknown acts: {', '.join(sorted(unknown))}")
    rng = Random(wish["seed"]) if wish.get("seed") is not None else corp.random
    pairs = [
        (follow.external_userid, follow.userid) for follow in corp.follows() if follow.userid.lower() in corp.staff
    ]
    count, rate = int(wish.get("count") or 100), float(wish.get("rate") or 0)
    done: Counter[str] = Counter()
    events_before = world.sender.counts[corp.corp_id]["events"]
    added: list[dict[str, Any]] = []
    for number in range(count):
        kind = rng.choices(list(mix), list(mix.values()))[0]
        try:
            result = perform(world, corp, kind, particulars(corp, rng, kind, pairs, wish))
            done[kind] += 1
            if kind == "customer_adds" or result.get("result") in ("added", "one_way"):
                pairs.append((result["external_userid"], result["userid"]))
                added.append(result)
        except CannotAct:
            done["skipped"] += 1
        if rate:
            await asyncio.sleep(1 / rate)
        elif number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    events = world.sender.counts[corp.corp_id]["events"] - events_before
    return {"acts": dict(done), "events": events, "added": added[:20_000]}


def particulars(
    corp: Corp, rng: Random, kind: str, pairs: list[tuple[str, str]], wish: dict[str, Any]
) -> dict[str, Any]:
    """Who and what one act of a burst is about."""
    sellers = [staff.userid for staff in corp.staff.values() if staff.customer_contact]
    userids = wish.get("userids") or sellers
    if kind == "customer_adds":
        return {"userid": rng.choice(userids), "state": wish.get("state", ""), "half": wish.get("half", False)}
    if kind == "customer_scans":
        if not corp.contact_ways:
            raise CannotAct("no contact ways")
        return {"config_id": rng.choice(list(corp.contact_ways)), "half": wish.get("half", False)}
    if kind.startswith("group_"):
        chats = [group.chat_id for group in corp.groups.values() if not group.dismissed]
        owner = rng.choice(sellers)
        chat = rng.choice(chats) if chats else ""
        members = [member for member in corp.groups[chat].members if member != corp.groups[chat].owner] if chat else []
        leaver = rng.choice(members) if members and kind in ("group_leave", "group_kick") else ""
        name = "" if kind == "group_join" else f"群{rng.randrange(10**6)}"
        return {
            "chat_id": chat,
            "owner": owner,
            "external_userid": leaver,
            "name": name,
            "notice": f"公告{rng.randrange(10**6)}",
        }
    if kind.startswith(("tag_", "department_")) or kind in ("staff_joins", "staff_updates"):
        groups = [group.group_id for group in corp.tag_groups.values() if not group.deleted]
        tags = [tag_id for tag_id in corp.tags if corp.live_tag(tag_id)]
        name = f"批量{rng.randrange(10**8)}"
        joined = f"burst{rng.randrange(10**8)}" if kind == "staff_joins" else rng.choice(sellers)
        return {
            "group_id": rng.choice(groups or [""]),
            "tag_id": rng.choice(tags or [""]),
            "name": name,
            "userid": joined,
        }
    if not pairs:
        raise CannotAct("no pairs left")
    external_userid, userid = rng.choice(pairs)
    tag = rng.choice(list(corp.tags)) if corp.tags else ""
    return {
        "external_userid": external_userid,
        "userid": userid,
        "remark": f"备注{rng.randrange(10**8)}",
        "add_tags": [tag],
    }
