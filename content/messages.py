"""The content of a message: a text with variables and materials attached, checked for the way it will be sent.

Kept as `{"text": str, "materials": [id, …]}` by welcomes, broadcasts, SOP steps and tasks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from contacts.models import Customer
from content import links, media
from content.kinds import LONGEST_TEXT, MOST_ATTACHMENTS, UPLOADED
from content.media import MediaNotReady
from content.models import Material, StoredFile
from content.storage import Missing
from members.models import Staff

__all__ = [
    "CUSTOMER_NAME",
    "STAFF_NAME",
    "USES",
    "MediaNotReady",
    "clean",
    "files_of",
    "is_empty",
    "materials_of",
    "names_of",
    "parts_of",
    "preview",
    "refuse_deleted",
    "sidebar_parts",
    "want",
    "wecom_body",
]

Kind = Material.Kind
CUSTOMER_NAME = "客户昵称"
STAFF_NAME = "员工姓名"
NAME_CHARS = 20  # what a name takes at most in a text
VARIABLE = re.compile(r"\{([^{}\n]{1,12})\}")
CHINESE = re.compile(r"[\u4e00-\u9fff]+")


@dataclass(frozen=True)
class Use:
    """A way of sending. WeCom replaces nothing in a text: a variable works where each receiver gets his own text."""

    variables: tuple[str, ...]
    kinds: frozenset[str]
    why_not: Any = ""


ATTACHED = frozenset({Kind.IMAGE, Kind.LINK, Kind.FILE, Kind.VIDEO, Kind.MINIPROGRAM})
USES: dict[str, Use] = {
    "welcome": Use((CUSTOMER_NAME, STAFF_NAME), ATTACHED),
    "mass": Use((STAFF_NAME,), ATTACHED, _("群发时每位客户收到的是同一条内容，不能使用变量“%(name)s”")),
    "group_mass": Use((STAFF_NAME,), ATTACHED, _("群发到客户群的是同一条内容，不能使用变量“%(name)s”")),
    "sidebar": Use((CUSTOMER_NAME, STAFF_NAME), ATTACHED | {Kind.TEXT}),
}


def clean(content: Any, *, use: str) -> dict[str, Any]:
    """The content as it is kept, or ValidationError in words: text up to 4000 bytes, up to nine attachments."""
    given = content if isinstance(content, Mapping) else {}
    text = _clean_text(given.get("text", ""), USES[use])
    ids = _ids(given.get("materials", ()))
    problems: list[Any] = []
    if len(ids) > MOST_ATTACHMENTS:
        problems.append(_("最多添加 9 个附件"))
    found = Material.objects.filter(pk__in=ids, archived_at=None).in_bulk()
    if missing := len(set(ids) - set(found)):
        problems.append(_("有 %(n)d 个素材已被删除，请移除后重新选择") % {"n": missing})
    for material in found.values():
        if material.kind not in USES[use].kinds:
            problems.append(_("“%(title)s”是文本素材，请把文字写进正文") % {"title": material.title})
        elif material.kind in UPLOADED and material.file_id is None:
            problems.append(_("素材“%(title)s”的文件已不存在，请重新上传") % {"title": material.title})
    if not text and not ids:
        problems.append(_("请填写内容，或者添加附件"))
    if problems:
        raise ValidationError(problems)
    return {"text": text, "materials": ids}


def _clean_text(given: Any, use: Use) -> str:
    text = "".join(
        char for char in str(given or "").replace("\r\n", "\n") if char == "\n" or char.isprintable()
    ).strip()
    for name in VARIABLE.findall(text):
        if name in use.variables or not CHINESE.fullmatch(name):
            continue
        if name in (CUSTOMER_NAME, STAFF_NAME) and use.why_not:
            raise ValidationError(use.why_not % {"name": name})
        raise ValidationError(
            _("没有变量“%(name)s”，可用的是：%(known)s") % {"name": name, "known": "、".join(use.variables)}
        )
    longest = len(filled(text, dict.fromkeys(use.variables, "名" * NAME_CHARS)).encode())
    if longest > LONGEST_TEXT:
        raise ValidationError(
            _("内容太长：超出 %(over)d 字节（企业微信最多接受 4000 字节，约 1300 个汉字）")
            % {"over": longest - LONGEST_TEXT}
        )
    return text


def _ids(given: Any) -> list[int]:
    """In order, each once."""
    rows = given if isinstance(given, list | tuple) else []
    return list(dict.fromkeys(int(one) for one in rows if str(one).isdecimal() and len(str(one)) < 19))


def filled(text: str, names: Mapping[str, str]) -> str:
    """The text with its variables replaced; a name that is not known leaves nothing behind."""
    return VARIABLE.sub(lambda found: names[found[1]][:NAME_CHARS] if found[1] in names else found[0], text)


def is_empty(content: Mapping[str, Any] | None) -> bool:
    return not content or not (content.get("text") or content.get("materials"))


def materials_of(content: Mapping[str, Any], *, deleted_too: bool = False) -> list[Material]:
    """In the order in which they are sent; what was deleted since is not sent any more."""
    ids = _ids(content.get("materials", ()))
    found = Material.objects.select_related("file").in_bulk(ids)
    return [found[pk] for pk in ids if pk in found and (deleted_too or found[pk].archived_at is None)]


def refuse_deleted(content: Mapping[str, Any]) -> None:
    """Raises ValidationError: before a kept content begins to be sent, as what was deleted would be missing unseen."""
    for material in materials_of(content, deleted_too=True):
        if material.archived_at is not None:
            raise ValidationError(_("素材“%(title)s”已被删除，请先移除或更换") % {"title": material.title})


def files_of(content: Mapping[str, Any]) -> list[tuple[StoredFile, str]]:
    """What must lie at WeCom before the message can go: each file with the use it is uploaded for."""
    return [pair for material in materials_of(content) if (pair := media.file_of(material))]


def want(content: Mapping[str, Any]) -> None:
    """Have the media ids of a content ready soon: call it when a message is saved or planned."""
    media.want(files_of(content))


def names_of(staff: Staff | None, customer: Customer | None, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of one receiver; what the caller gives wins."""
    known = {STAFF_NAME: (staff.alias or staff.name) if staff else "", CUSTOMER_NAME: customer.name if customer else ""}
    return {**known, **(names or {})}


def wecom_body(
    content: Mapping[str, Any],
    *,
    use: str,
    names: Mapping[str, str] | None = None,
    staff: Staff | None = None,
    customer: Customer | None = None,
) -> dict[str, Any]:
    """`text` and `attachments` as send_welcome_msg and add_msg_template take them (wecom-api.md 5.7).

    Raises MediaNotReady when a file does not lie at WeCom yet; it is fetched ready then, so try again in some seconds.
    """
    body: dict[str, Any] = {}
    if text := filled(content.get("text", ""), names_of(staff, customer, names)).strip():
        body["text"] = {"content": text}
    sendable = [material for material in materials_of(content) if material.kind in USES[use].kinds]
    ids = media.media_ids([pair for material in sendable if (pair := media.file_of(material))])
    if attachments := [_attachment(material, ids, staff, customer) for material in sendable]:
        body["attachments"] = attachments
    return body


def _attachment(
    material: Material, ids: Mapping[tuple[int, str], str], staff: Staff | None, customer: Customer | None
) -> dict[str, Any]:
    pair = media.file_of(material)
    media_id = ids[pair[0].pk, pair[1]] if pair else ""
    if material.kind == Kind.LINK:
        link = {"title": material.title, "url": links.url_of(material, staff, customer)}
        if material.body.get("desc"):
            link["desc"] = material.body["desc"]
        if cover := links.cover_of(material):
            link["picurl"] = cover
        return {"msgtype": "link", "link": link}
    if material.kind == Kind.MINIPROGRAM:
        card = {"title": material.title, "pic_media_id": media_id, **_program(material)}
        return {"msgtype": "miniprogram", "miniprogram": card}
    return {"msgtype": material.kind, material.kind: {"media_id": media_id}}


def _program(material: Material) -> dict[str, str]:
    return {"appid": material.body.get("appid", ""), "page": material.body.get("page", "")}


def parts_of(content: Mapping[str, Any]) -> list[str]:
    """The names of the messages a content consists of in the sidebar: what a task keeps of what went out."""
    return [*(["text"] if content.get("text") else []), *(f"m{material.pk}" for material in materials_of(content))]


def sidebar_parts(
    content: Mapping[str, Any],
    staff: Staff | None,
    customer: Customer | None,
    *,
    names: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """One entry for each sendChatMessage (wecom-api.md 8.2): `part` names it, `send` is the call's argument.

    Files that do not lie at WeCom are uploaded at once, as somebody waits; then this raises what the upload raises.
    """
    parts: list[dict[str, Any]] = []
    known = names_of(staff, customer, names)
    if text := filled(content.get("text", ""), known).strip():
        send: dict[str, Any] = {"msgtype": "text", "text": {"content": text}}
        parts.append({"part": "text", "kind": Kind.TEXT.value, "title": text[:40], "material": None, "send": send})
    for material in materials_of(content):
        send = _chat_message(material, staff, customer, known)
        part = {"part": f"m{material.pk}", "kind": material.kind, "title": material.title, "material": material.pk}
        parts.append({**part, "send": send})
    return parts


def _chat_message(
    material: Material, staff: Staff | None, customer: Customer | None, names: Mapping[str, str]
) -> dict[str, Any]:
    if material.kind == Kind.TEXT:
        return {"msgtype": "text", "text": {"content": filled(material.body.get("text", ""), names)}}
    if material.kind == Kind.LINK:
        news = {"link": links.url_of(material, staff, customer), "title": material.title}
        news |= {"desc": material.body.get("desc", ""), "imgUrl": links.cover_of(material)}
        return {"msgtype": "news", "news": news}
    if material.kind == Kind.MINIPROGRAM:
        card = {"title": material.title, "imgUrl": links.cover_of(material), **_program(material)}
        return {"msgtype": "miniprogram", "miniprogram": card}
    gone = ValidationError(_now("素材“%(title)s”的文件已不存在，请重新上传") % {"title": material.title})
    pair = media.file_of(material)
    if pair is None:
        raise gone
    try:
        return {"msgtype": material.kind, material.kind: {"mediaid": media.ready(*pair)}}
    except Missing:
        raise gone from None


def preview(content: Mapping[str, Any], names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The bubbles that a customer sees, for templates/content/_bubble.html."""
    bubbles: list[dict[str, Any]] = []
    variables = {CUSTOMER_NAME: _now("客户昵称"), STAFF_NAME: _now("员工姓名")}
    shown = {name: (names or {}).get(name) or f"「{word}」" for name, word in variables.items()}
    if text := filled(content.get("text", ""), shown).strip():
        bubbles.append({"kind": Kind.TEXT.value, "text": text})
    return [*bubbles, *bubbles_of(materials_of(content, deleted_too=True), shown)]


def bubbles_of(materials: Iterable[Material], names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"kind": material.kind, "material": material, "text": filled(material.body.get("text", ""), names)}
        for material in materials
    ]
