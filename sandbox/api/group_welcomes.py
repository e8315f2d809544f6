"""Welcome templates of customer groups: owners choose one in the client (wecom-api.md 5.8)."""

from __future__ import annotations

from typing import Any

from sandbox.api import SELLING_KINDS, Ask, api
from sandbox.api.attachments import check_one, check_text
from sandbox.errors import ApiError
from sandbox.objects import GroupWelcome

LONGEST_TEXT = 3000
MOST = 100
PRIORITY = ("image", "link", "miniprogram", "file", "video")


def content_of(ask: Ask) -> dict[str, Any]:
    """The text, and the first attachment by WeCom's order: only one of them is used."""
    text = check_text(ask.body, LONGEST_TEXT)
    content: dict[str, Any] = {"text": {"content": text}} if text else {}
    kind = next((name for name in PRIORITY if isinstance(ask.body.get(name), dict)), None)
    if kind is not None:
        check_one(ask, kind, ask.body[kind])
        content[kind] = ask.body[kind]
    if not content:
        raise ApiError(40063, "text and attachments are both empty")
    return content


def the_template(ask: Ask) -> GroupWelcome:
    found = ask.corp.group_welcomes.get(ask.text("template_id", 64))
    if found is None:
        raise ApiError(40058, "invalid template_id")
    if found.app_key != ask.app.key:
        raise ApiError(41058)
    return found


@api("POST", "externalcontact/group_welcome_template/add", SELLING_KINDS)
def template_add(ask: Ask) -> dict[str, Any]:
    content = content_of(ask)
    if len(ask.corp.group_welcomes) >= MOST:
        raise ApiError(41055)
    template = GroupWelcome(ask.corp.new_id("msg", 40), ask.app.key, content)
    ask.corp.group_welcomes[template.template_id] = template
    ask.corp.touch("group_welcome", template.template_id)
    owners = {group.owner for group in ask.corp.groups.values() if not group.dismissed}
    told = sorted(owners) if ask.number("notify", 0, 1, 1) else []
    ask.world.effects.note(ask.corp, "group_welcome", template_id=template.template_id, told=told)
    return {"template_id": template.template_id}


@api("POST", "externalcontact/group_welcome_template/edit", SELLING_KINDS)
def template_edit(ask: Ask) -> dict[str, Any]:
    template = the_template(ask)
    template.content = content_of(ask)
    ask.corp.touch("group_welcome", template.template_id)
    return {}


@api("POST", "externalcontact/group_welcome_template/get", SELLING_KINDS)
def template_get(ask: Ask) -> dict[str, Any]:
    return dict(the_template(ask).content)


@api("POST", "externalcontact/group_welcome_template/del", SELLING_KINDS)
def template_delete(ask: Ask) -> dict[str, Any]:
    template = the_template(ask)
    del ask.corp.group_welcomes[template.template_id]
    ask.corp.touch("group_welcome", template.template_id)
    for group in ask.corp.groups.values():
        if group.welcome == template.template_id:
            group.welcome = ""
            ask.corp.touch("group", group.chat_id)
    return {}
