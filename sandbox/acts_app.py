"""Members answer the cards that apps sent them."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sandbox.acts import CannotAct, Scene, act
from sandbox.api.cards import INTERACTIVE
from sandbox.objects import AppMessage


def the_card(scene: Scene) -> AppMessage:
    message = scene.corp.app_messages.get(scene.text("msgid"))
    if message is None or message.kind != "template_card" or message.content.get("card_type") not in INTERACTIVE:
        raise CannotAct("没有这张可以作答的卡片")
    if message.recalled_at:
        raise CannotAct("消息已撤回")
    return message


@act
def staff_presses_card(scene: Scene) -> dict[str, Any]:
    """{userid, msgid, key, options?: {question: [ids]}}: a button of the card; the app hears of it."""
    corp, staff, message = scene.corp, scene.staff(), the_card(scene)
    if staff.userid not in message.users:
        raise CannotAct(f"{staff.name} 没有收到这条消息")
    if staff.userid in message.answers:
        raise CannotAct("已经作答")
    key = scene.text("key")
    card = message.content
    submit = (card.get("submit_button") or {}).get("key")
    keys = {button.get("key") for button in card.get("button_list") or ()} | ({submit} if submit else set())
    if key not in keys:
        raise CannotAct(f"没有这个按钮：{key}")
    code = secrets.token_urlsafe(32)
    message.answers[staff.userid] = key
    message.response_codes[code] = time.time()
    corp.touch("app_message", message.msgid)
    chosen = tuple(
        {"QuestionKey": question, "OpitonIds": {"OpitonId": tuple(str(one) for one in options)}}
        for question, options in (scene.wish.get("options") or {}).items()
    )
    scene.world.sender.app_event(
        corp,
        corp.apps[message.app_key],
        "template_card_event",
        staff.userid,
        EventKey=key,
        TaskId=card.get("task_id") or "",
        CardType=card["card_type"],
        ResponseCode=code,
        AgentID=corp.apps[message.app_key].agent_id,
        SelectedItems={"SelectedItem": chosen} if chosen else None,
    )
    return {"response_code": code}
