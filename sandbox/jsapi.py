"""What the client does when a page calls it through the JS-SDK (wecom-api.md 8.2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import media
from sandbox.acts import CannotAct, perform
from sandbox.corp import Corp
from sandbox.errors import ApiError
from sandbox.objects import App, Staff
from sandbox.pages import JsFail
from sandbox.visitors import Visitor
from sandbox.world import World

SINGLE = ("contact_profile", "single_chat_tools")
CHATS = ("single_chat_tools", "group_chat_tools", "chat_attachment")
MOST_SHARED, MOST_ATTACHED, LONGEST_SHARED = 20_000, 9, 4000


@dataclass(slots=True)
class JsCall:
    """One call of a page: who, where, what, and what the person chose when the client asked."""

    world: World
    corp: Corp
    app: App
    staff: Staff
    visitor: Visitor
    params: dict[str, Any]
    choice: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.params.get(name)
        return value if isinstance(value, str) else ""


Handler = Callable[[JsCall], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class JsApi:
    handler: Handler
    entries: tuple[str, ...]  # where it may be called; empty: anywhere
    selling: bool  # the member needs 客户联系, and so does the app


JS_APIS: dict[str, JsApi] = {}
# Calls that only move the client's own window: allowed anywhere, with or without agentConfig.
HARMLESS = frozenset(
    {
        "closeWindow",
        "getNetworkType",
        "hideAllNonBaseMenuItem",
        "hideMenuItems",
        "hideOptionMenu",
        "onHistoryBack",
        "setShareAttr",
        "showAllNonBaseMenuItem",
        "showMenuItems",
        "showOptionMenu",
    }
)


def js(name: str, *entries: str, selling: bool = False) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        JS_APIS[name] = JsApi(handler, entries, selling)
        return handler

    return register


# -- where am I ------------------------------------------------------------------------------------------------------


@js("getContext")
def get_context(call: JsCall) -> dict[str, Any]:
    return {"entry": call.visitor.entry, "shareTicket": ""}


@js("getCurExternalContact", *SINGLE, selling=True)
def current_customer(call: JsCall) -> dict[str, Any]:
    if call.visitor.peer not in call.corp.customers:
        raise JsFail("no_context")
    return {"userId": call.visitor.peer}


@js("getCurExternalChat", "group_chat_tools", selling=True)
def current_group(call: JsCall) -> dict[str, Any]:
    group = call.corp.groups.get(call.visitor.chat_id)
    if group is None or group.dismissed or call.staff.userid not in group.members:
        raise JsFail("no_context")
    return {"chatId": group.chat_id}


# -- sending ---------------------------------------------------------------------------------------------------------


def card(call: JsCall, item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A message of the JS-SDK in the words of WeCom's attachments; media must be alive."""
    kind = str(item.get("msgtype") or "")
    given = item.get(kind)
    if not isinstance(given, dict):
        raise JsFail("fail", f"invalid {kind or 'msgtype'}")
    if kind == "text":
        if not isinstance(given.get("content"), str) or not given["content"]:
            raise JsFail("fail", "content is empty")
        return "text", {"content": given["content"]}
    if kind in ("image", "video", "file"):
        if kind == "image" and given.get("imgUrl") and not given.get("mediaid"):
            return "image", {"pic_url": given["imgUrl"]}
        try:
            found = media.check(call.corp, given.get("mediaid"), kind, time.time())
        except ApiError as error:
            raise JsFail("invalid_media") from error
        return kind, {"media_id": found.media_id, "filename": found.filename}
    if kind in ("news", "link"):
        url = given.get("link") or given.get("url")
        if not url or not given.get("title"):
            raise JsFail("fail", "link or title is empty")
        return "link", {
            "title": given["title"],
            "desc": given.get("desc") or "",
            "url": url,
            "picurl": given.get("imgUrl") or "",
        }
    if kind == "miniprogram":
        page = str(given.get("page") or "")
        if not given.get("appid") or not page.split("?", maxsplit=1)[0].endswith(".html"):
            raise JsFail("fail", "miniprogram page must end with .html")
        return "miniprogram", {name: given.get(name) or "" for name in ("appid", "title", "imgUrl", "page")}
    raise JsFail("fail", f"msgtype {kind}")


@js("sendChatMessage", *CHATS, selling=True)
def send_chat_message(call: JsCall) -> dict[str, Any]:
    """Into the open chat, as if the member had typed it."""
    kind, payload = card(call, call.params)
    wish: dict[str, Any] = {"kind": kind, "payload": payload, "via": "sidebar"}
    visitor = call.visitor
    try:
        if visitor.chat_id:
            perform(call.world, call.corp, "group_says", wish | {"chat_id": visitor.chat_id, "sender": visitor.person})
        else:
            people = {"userid": call.staff.userid, "external_userid": visitor.peer}
            perform(call.world, call.corp, "staff_says", wish | people)
    except CannotAct as error:
        raise JsFail("fail", "not friend") from error
    return {}


def shared(call: JsCall) -> list[tuple[str, dict[str, Any]]]:
    """The content of a mass message that a page prepares."""
    text, attachments = call.params.get("text"), call.params.get("attachments") or []
    cards: list[tuple[str, dict[str, Any]]] = []
    content = text.get("content") if isinstance(text, dict) else text
    if content:
        if len(str(content)) > LONGEST_SHARED:
            raise JsFail("fail", "text too long")
        cards.append(("text", {"content": str(content)}))
    if call.text("link"):  # the older form: one link
        attachments = [{"msgtype": "link", "link": call.params | {"url": call.text("link")}}]
    if not isinstance(attachments, list) or len(attachments) > MOST_ATTACHED:
        raise JsFail("fail", "too many attachments")
    cards += [card(call, item) for item in attachments]
    if not cards:
        raise JsFail("fail", "text and attachments are both empty")
    return cards


def asked_ids(call: JsCall, name: str) -> list[str]:
    """The people a page names, narrowed to those the member left ticked; joined by `;` in some calls."""
    given = call.choice.get("ids") if isinstance(call.choice.get("ids"), list) else call.params.get(name)
    if isinstance(given, str):
        given = [part for part in given.split(";") if part]
    return [str(one) for one in given] if isinstance(given, list) else []


@js("shareToExternalContact", selling=True)
def share_to_customers(call: JsCall) -> dict[str, Any]:
    """The mass-message page, filled in; it is sent when the member says so."""
    cards, ids = shared(call), asked_ids(call, "externalUserIds")
    if len(ids) > MOST_SHARED:
        raise JsFail("fail", "too many customers")
    for external_userid in ids:
        for kind, payload in cards:
            wish = {"kind": kind, "payload": payload, "userid": call.staff.userid, "external_userid": external_userid}
            try:
                perform(call.world, call.corp, "staff_says", wish)
            except CannotAct:
                break  # not a friend any more: the others still get it
    return {}


@js("shareToExternalChat", selling=True)
def share_to_groups(call: JsCall) -> dict[str, Any]:
    cards = shared(call)
    for chat_id in asked_ids(call, "chatIds"):
        for kind, payload in cards:
            wish = {"kind": kind, "payload": payload, "chat_id": chat_id, "sender": call.staff.userid}
            try:
                perform(call.world, call.corp, "group_says", wish)
            except CannotAct:
                break
    return {}


# -- people and chats ------------------------------------------------------------------------------------------------


@js("openUserProfile")
def open_profile(call: JsCall) -> dict[str, Any]:
    userid = call.text("userid")
    known = userid.lower() in call.corp.staff if call.params.get("type") == 1 else userid in call.corp.customers
    if not known:
        raise JsFail("fail", "userid not found")
    return {}


@js("openEnterpriseChat")
def open_chat(call: JsCall) -> dict[str, Any]:
    """The chat with one person, or a new group with several."""
    if call.text("chatId"):
        if call.text("chatId") not in call.corp.groups:
            raise JsFail("fail", "chat not found")
        return {"chatId": call.text("chatId")}
    members = asked_ids(call, "userIds") or asked_ids(call, "useridlist")
    people = [one for one in dict.fromkeys([*members, *asked_ids(call, "externalUserIds")]) if one != call.staff.userid]
    if not people:
        raise JsFail("fail", "nobody to chat with")
    if len(people) == 1:
        return {"chatId": ""}
    wish = {"owner": call.staff.userid, "name": call.text("groupName"), "members": people}
    try:
        made = perform(call.world, call.corp, "group_create", wish)
    except CannotAct as error:
        raise JsFail("fail", "userid not found") from error
    return {"chatId": made["chat_id"]}


@js("openExistedChatWithMsg")
def open_group_with(call: JsCall) -> dict[str, Any]:
    if call.text("chatId") not in call.corp.groups:
        raise JsFail("fail", "chat not found")
    given = call.params.get("msg")
    if isinstance(given, dict):
        kind, payload = card(call, given)
        wish = {"chat_id": call.text("chatId"), "sender": call.staff.userid, "kind": kind, "payload": payload}
        try:
            perform(call.world, call.corp, "group_says", wish)
        except CannotAct as error:
            raise JsFail("no_permission") from error
    return {}


@js("selectExternalContact", selling=True)
def select_customers(call: JsCall) -> dict[str, Any]:
    return {"userIds": asked_ids(call, "userIds")}


@js("selectExternalChat", selling=True)
def select_groups(call: JsCall) -> dict[str, Any]:
    return {"chatIdList": asked_ids(call, "chatIds")}


@js("navigateToAddCustomer", selling=True)
def add_customer(call: JsCall) -> dict[str, Any]:
    return {}


# -- the window ------------------------------------------------------------------------------------------------------


def nothing(call: JsCall) -> dict[str, Any]:
    return {}


@js("checkJsApi")
def check_api(call: JsCall) -> dict[str, Any]:
    asked = call.params.get("jsApiList")
    return {"checkResult": {str(name): str(name) in JS_APIS for name in asked} if isinstance(asked, list) else {}}


for plain in ("setClipboardData", "previewFile", "imagePreview", "openDefaultBrowser", *sorted(HARMLESS)):
    JS_APIS.setdefault(plain, JsApi(nothing, (), False))
