"""Message cards: their parts, and replacing one after an answer (wecom-api.md 6.1)."""

from __future__ import annotations

import re
from typing import Any

from sandbox.api import Ask, api
from sandbox.errors import ApiError
from sandbox.objects import AppMessage

NOTICES = ("text_notice", "news_notice")
INTERACTIVE = ("button_interaction", "vote_interaction", "multiple_interaction")
TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")
RESPONSE_SECONDS = 72 * 3600


def check_card(card: dict[str, Any]) -> None:
    try:
        check_parts(card)
    except (AttributeError, TypeError) as error:  # a part of another shape
        raise ApiError(40058, "template_card") from error


def check_parts(card: dict[str, Any]) -> None:
    kind = card.get("card_type")
    if kind not in (*NOTICES, *INTERACTIVE):
        raise ApiError(42031)
    named = kind in INTERACTIVE or card.get("action_menu") or card.get("task_id")
    if named and not TASK_ID.fullmatch(str(card.get("task_id") or "")):
        raise ApiError(42014)
    if not (card.get("main_title") or {}).get("title") and not card.get("sub_title_text"):
        raise ApiError(42033)
    check_rows(card)
    if kind in NOTICES:
        check_action(card.get("card_action") or {})
    if kind == "news_notice" and not (card.get("card_image") or card.get("image_text_area")):
        raise ApiError(42044)
    if kind == "button_interaction":
        check_buttons(card.get("button_list"))
    elif kind == "vote_interaction":
        check_question(card.get("checkbox") or {}, 20)
        check_submit(card)
    elif kind == "multiple_interaction":
        questions = card.get("select_list")
        if not isinstance(questions, list) or not 1 <= len(questions) <= 3:
            raise ApiError(42047)
        for question in questions:
            check_question(question, 10)
        check_submit(card)


def check_rows(card: dict[str, Any]) -> None:
    for name, most, code in (
        ("horizontal_content_list", 6, 42035),
        ("vertical_content_list", 4, 42036),
        ("jump_list", 3, 42042),
    ):
        if len(card.get(name) or ()) > most:
            raise ApiError(code)
    for row in card.get("horizontal_content_list") or ():
        if not row.get("keyname"):
            raise ApiError(42027)
        needed = {1: ("url", 42028), 2: ("media_id", 42029), 3: ("userid", 42050)}.get(row.get("type") or 0)
        if needed and not row.get(needed[0]):
            raise ApiError(needed[1])
    for row in card.get("jump_list") or ():
        if not row.get("title"):
            raise ApiError(42033)
        if row.get("type") in (1, 2):
            check_action(row)


def check_action(action: dict[str, Any]) -> None:
    """A page or a mini program opens when it is pressed."""
    if action.get("type") not in (1, 2):
        raise ApiError(42045)
    if action["type"] == 1 and not action.get("url"):
        raise ApiError(42028)
    if action["type"] == 2 and not action.get("appid"):
        raise ApiError(42030)


def check_buttons(buttons: Any) -> None:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 6:
        raise ApiError(42038)
    for button in buttons:
        if not button.get("text"):
            raise ApiError(42038)
        if not button.get("key") and button.get("type") != 1:
            raise ApiError(42039)


def check_question(question: dict[str, Any], most: int) -> None:
    if not question.get("question_key"):
        raise ApiError(42043)
    options = question.get("option_list")
    if not isinstance(options, list) or not 1 <= len(options) <= most:
        raise ApiError(42037)
    for option in options:
        if not option.get("id"):
            raise ApiError(42040)
        if not option.get("text"):
            raise ApiError(42041)


def check_submit(card: dict[str, Any]) -> None:
    button = card.get("submit_button") or {}
    if not button.get("text"):
        raise ApiError(42049)
    if not button.get("key"):
        raise ApiError(42046)


@api("POST", "message/update_template_card", frozenset({"app"}))
def card_update(ask: Ask) -> dict[str, Any]:
    """Replaces a card with the code of the sending or of an answer: once, within 72 hours."""
    if ask.body.get("agentid") != ask.app.agent_id:
        raise ApiError(301002 if ask.body.get("agentid") else 41011)
    message = by_code(ask, ask.text("response_code", 256))
    asked = ask.strings("userids", 1000)
    users = message.users if ask.body.get("atall") == 1 else [userid for userid in asked if userid in message.users]
    card, button = ask.body.get("template_card"), ask.body.get("button")
    if isinstance(card, dict):
        check_card(card)
    elif not isinstance(button, dict) or not button.get("replace_name"):
        raise ApiError(40063, "button and template_card are both empty")
    if not users:
        raise ApiError(81013)
    del message.response_codes[ask.body["response_code"]]
    for userid in users:
        message.replaced[userid] = card or button or {}
    ask.corp.touch("app_message", message.msgid)
    ask.world.effects.note(ask.corp, "card_updated", msgid=message.msgid, userids=users, content=card or button)
    return {"invaliduser": [userid for userid in asked if userid not in message.users]}


def by_code(ask: Ask, code: str) -> AppMessage:
    for message in ask.corp.app_messages.values():
        given = message.response_codes.get(code)
        if given is not None and message.app_key == ask.app.key and ask.now - given <= RESPONSE_SECONDS:
            return message
    raise ApiError(60140)
