"""People talk: customers and members with each other, in groups, and members among themselves."""

from __future__ import annotations

import time
from typing import Any

from sandbox import conversations, dialogues
from sandbox.acts import CannotAct, Scene, act
from sandbox.acts_groups import the_group
from sandbox.conversations import KINDS, Message
from sandbox.objects import Follow

REVOKE_SECONDS = 24 * 3600  # a member may take a message back for a day


def content_of(scene: Scene, default: str) -> tuple[str, dict[str, Any]]:
    """What is said: {text}, or {kind, payload} as WeCom's attachments have it."""
    kind = scene.text("kind") or "text"
    if kind not in KINDS or kind == "notice":
        raise CannotAct(f"不支持的消息类型：{kind}")
    payload = scene.wish.get("payload")
    if kind == "text" and not payload:
        return kind, {"content": scene.text("text") or default}
    if not isinstance(payload, dict) or not payload:
        raise CannotAct("请填写消息内容")
    return kind, payload


def talk(scene: Scene, follow: Follow, sender: str, receiver: str, default: str) -> dict[str, Any]:
    kind, payload = content_of(scene, default)
    follow.chat_begun = True
    scene.corp.touch("customer", follow.external_userid)
    via = "sidebar" if scene.text("via") == "sidebar" else "typed"
    message = conversations.say(scene.corp, sender, [receiver], kind, payload, via=via)
    return {"seq": message.seq, "msgid": message.id}


@act
def customer_says(scene: Scene) -> dict[str, Any]:
    """{userid, external_userid, text} or {…, kind, payload}."""
    follow = scene.follow()
    if follow.deleted_by_customer:
        raise CannotAct("对方还不是你的好友")
    return talk(scene, follow, follow.external_userid, follow.userid, "你好")


@act
def staff_says(scene: Scene) -> dict[str, Any]:
    """{userid, external_userid, text} or {…, kind, payload}; `via` "sidebar": sent by the sidebar's button."""
    follow = scene.follow()
    if follow.deleted_by_customer:
        raise CannotAct("消息未送达：对方已不是你的好友")
    return talk(scene, follow, follow.userid, follow.external_userid, "您好")


@act
def colleague_says(scene: Scene) -> dict[str, Any]:
    """{userid, to, text}: a member writes to another member."""
    staff, other = scene.staff(), scene.staff("to")
    if staff is other:
        raise CannotAct("不能给自己发消息")
    kind, payload = content_of(scene, "在吗")
    message = conversations.say(scene.corp, staff.userid, [other.userid], kind, payload)
    return {"seq": message.seq, "msgid": message.id}


@act
def group_says(scene: Scene) -> dict[str, Any]:
    """{chat_id, sender, text} or {…, kind, payload}: somebody in the group speaks."""
    group, sender = the_group(scene), scene.text("sender")
    seat = group.members.get(sender)
    if seat is None:
        raise CannotAct(f"不在群内：{sender}")
    kind, payload = content_of(scene, "大家好")
    via = "sidebar" if scene.text("via") == "sidebar" else "typed"
    message = conversations.say(scene.corp, sender, (), kind, payload, chat_id=group.chat_id, via=via)
    return {"seq": message.seq, "msgid": message.id}


@act
def talk_history(scene: Scene) -> dict[str, Any]:
    """{days?, talks?, seed?}: what members, customers and groups said over the last days, in the order of time."""
    days, talks = int(scene.wish.get("days") or 30), int(scene.wish.get("talks") or 60)
    if not 1 <= days <= 365 or not 1 <= talks <= 5000:
        raise CannotAct("days must be 1 to 365, talks 1 to 5000")
    return {"messages": dialogues.play(scene.corp, time.time(), days, talks, scene.wish.get("seed"))}


@act
def message_revoke(scene: Scene) -> dict[str, Any]:
    """{seq}: whoever sent it takes it back."""
    message: Message | None = scene.corp.conversations.messages.get(int(scene.wish.get("seq") or 0))
    if message is None or not message.sender:
        raise CannotAct("没有这条消息")
    if message.revoked_at:
        raise CannotAct("消息已撤回")
    if time.time() - message.at > REVOKE_SECONDS:
        raise CannotAct("超过 24 小时的消息不能撤回")
    conversations.revoke(scene.corp, message)
    return {"seq": message.seq, "msgid": message.id}
