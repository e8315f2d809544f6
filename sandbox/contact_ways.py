"""Contact ways 「联系我」: what a corp keeps of each, who may be reached through it, and its picture."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import segno

if TYPE_CHECKING:
    from sandbox.corp import Corp
    from sandbox.objects import Staff


@dataclass(slots=True)
class ContactWay:
    config_id: str
    app_key: str
    type: int  # 1 one member, 2 several
    scene: int  # 1 button of a mini program, 2 QR code
    created_at: float
    style: int = 0
    remark: str = ""
    skip_verify: bool = True
    state: str = ""
    user: list[str] = field(default_factory=list)
    party: list[int] = field(default_factory=list)
    is_temp: bool = False
    expires_in: int = 0
    chat_expires_in: int = 0
    unionid: str = ""
    is_exclusive: bool = False
    mark_source: bool = True
    conclusions: dict[str, Any] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)  # userid → how many came to him through it
    requests: dict[str, str] = field(default_factory=dict)  # external_userid → member who has yet to confirm
    led: dict[str, str] = field(default_factory=dict)  # outside corp → the member its people are led to
    temps: dict[str, tuple[str, float]] = field(default_factory=dict)  # external_userid → member, end of the chat


def address(site: str, config_id: str) -> str:
    """Where its QR picture is."""
    return f"{site}/_sandbox/qr/{config_id}"


def picture(site: str, config_id: str) -> bytes:
    """PNG of the code; who opens what it says gets the page on which a customer scans it."""
    out = io.BytesIO()
    segno.make(f"{site}/_sandbox/scan/{config_id}", error="m", micro=False).save(out, kind="png", scale=8, border=3)
    return out.getvalue()


def expanded(corp: Corp, user: list[str], party: list[int]) -> list[Staff]:
    """All members a way stands for: those named, and those in its departments who have 客户联系."""
    inside = corp.subtree(party)
    named = {userid.lower() for userid in user}
    return [
        staff
        for key, staff in corp.staff.items()
        if key in named or (staff.customer_contact and any(number in inside for number in staff.departments))
    ]


def reachable(corp: Corp, way: ContactWay) -> list[Staff]:
    """Members a customer may be led to now: those who left, are disabled or lost 客户联系 are passed over."""
    return [staff for staff in expanded(corp, way.user, way.party) if staff.customer_contact and staff.status == 1]


def rename(corp: Corp, old: str, new: str) -> None:
    """A member's userid changed: his ways know him by the new one."""
    for way in corp.contact_ways.values():
        if old in way.user or old in way.added:
            way.user = [new if userid == old else userid for userid in way.user]
            way.added = {new if userid == old else userid: count for userid, count in way.added.items()}
            way.requests = {key: new if userid == old else userid for key, userid in way.requests.items()}
            corp.touch("contact_way", way.config_id)


def view(way: ContactWay, site: str) -> dict[str, Any]:
    """As get_contact_way shows it."""
    shown: dict[str, Any] = {
        "config_id": way.config_id,
        "type": way.type,
        "scene": way.scene,
        "remark": way.remark,
        "skip_verify": way.skip_verify,
        "state": way.state,
        "user": way.user,
        "party": way.party,
        "is_temp": way.is_temp,
        "expires_in": way.expires_in,
        "chat_expires_in": way.chat_expires_in,
        "unionid": way.unionid,
        "mark_source": way.mark_source,
        "conclusions": way.conclusions,
    }
    if way.scene == 1:
        shown["style"] = way.style
    if way.scene == 2:
        shown["qr_code"] = address(site, way.config_id)
    if way.is_exclusive:
        shown["is_exclusive"] = True
    return shown
