"""What a corp is made of: plain slotted records, small in memory, written by orjson as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class App:
    """One holder of a secret: a self-built app, or a system app (客户联系 "contact", 通讯录同步 "sync")."""

    key: str
    kind: str
    name: str
    secret: str
    agent_id: int = 0
    disabled: bool = False
    customer_contact: bool = True  # listed under 客户联系 → 可调用接口的应用
    sensitive_fields: bool = False  # apps made after 2022-06-20 see no mobile, avatar, gender…
    trusted_ips: list[str] | None = None  # None: any address is trusted
    visible_users: list[str] = field(default_factory=list)
    visible_parties: list[int] = field(default_factory=lambda: [1])
    trusted_domains: list[str] | None = None  # of OAuth and the JS-SDK, with their ports; None: any domain is trusted
    home_url: str = ""  # the page behind the app in the workbench
    sidebar_url: str = ""  # the page beside a chat; empty: the app is not in the toolbar
    suite_id: str = ""  # of a vendor's app: what it was authorised from
    third_party: bool = False  # 第三方: its tokens come from get_corp_token, and its secret opens nothing


@dataclass(slots=True)
class Grant:
    """An access token that was given out."""

    corp_id: str
    app_key: str
    expires_at: float
    revoked: int = 0  # the errcode it is refused with when WeCom took it back early


@dataclass(slots=True)
class Department:
    id: int
    name: str
    parentid: int
    order: int
    leaders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class StaffTag:
    """A tag of contacts (通讯录标签), on members and on whole departments; its id is the key it is kept by."""

    id: int
    name: str
    users: list[str] = field(default_factory=list)
    parties: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Staff:
    userid: str
    name: str
    departments: list[int]
    position: str = ""
    alias: str = ""
    gender: int = 0
    mobile: str = ""
    status: int = 1
    leader_in: list[int] = field(default_factory=list)
    direct_leader: list[str] = field(default_factory=list)
    customer_contact: bool = True
    admin_welcome: bool = False  # the console holds a welcome for this member: events carry no WelcomeCode


@dataclass(slots=True)
class Follow:
    """A member's tie to a customer."""

    userid: str
    external_userid: str
    seq: int
    createtime: int
    add_way: int = 1
    oper_userid: str = ""
    remark: str = ""
    description: str = ""
    state: str = ""
    remark_corp_name: str = ""
    remark_mobiles: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    personal_tags: list[str] = field(default_factory=list)
    one_way: bool = False  # the customer added without verification and the member has not accepted yet
    deleted_by_customer: bool = False
    chat_begun: bool = False
    welcomed: bool = False


@dataclass(slots=True)
class Customer:
    external_userid: str
    name: str
    type: int = 1
    gender: int = 0
    unionid: str = ""
    position: str = ""
    corp_name: str = ""
    corp_full_name: str = ""
    follows: dict[str, Follow] = field(default_factory=dict)


@dataclass(slots=True)
class Tag:
    id: str
    name: str
    create_time: int
    order: int = 0
    deleted: bool = False


@dataclass(slots=True)
class TagGroup:
    group_id: str
    group_name: str
    create_time: int
    order: int = 0
    owner: str = ""  # key of the app that made it; empty: made in the admin console
    strategy_id: int = 0  # of a rule group (规则组): its tags stand in no listing of corp tags
    deleted: bool = False
    tags: list[Tag] = field(default_factory=list)

    def live(self) -> list[Tag]:
        return [tag for tag in self.tags if not tag.deleted]


@dataclass(slots=True)
class GroupMember:
    userid: str
    type: int
    join_time: int
    join_scene: int = 1
    name: str = ""
    group_nickname: str = ""
    unionid: str = ""
    state: str = ""
    invitor: str = ""


@dataclass(slots=True)
class GroupChat:
    chat_id: str
    name: str
    owner: str
    create_time: int
    notice: str = ""
    status: int = 0
    version: str = ""
    dismissed: bool = False
    members: dict[str, GroupMember] = field(default_factory=dict)
    admins: list[str] = field(default_factory=list)
    welcome: str = ""  # template its owner chose
    # WeCom's reads lag behind its events: what they show now (None: no such group yet), and what from when on.
    before: dict[str, Any] | None = None
    waiting: list[tuple[float, dict[str, Any] | None]] = field(default_factory=list)


@dataclass(slots=True)
class Receiver:
    """A callback URL of the corp with its keys; bound to an app, whose own API writes do not come back to it."""

    id: str
    url: str
    token: str
    aes_key: str
    app_key: str = ""
    events: list[str] = field(default_factory=list)  # empty: all
    json: bool = False
    corp_as: str = ""  # the corp's id as this receiver's vendor knows it; empty: the plain one
    suite_id: str = ""  # the callback of this suite: info form, sealed for the suite
    vendor: str = ""  # his own corp id: the people, too, have the ids they have for him


@dataclass(slots=True)
class Limits:
    """WeCom's ceilings for one corp (wecom-api.md 10.2); smaller ones make a test short."""

    per_minute: int = 10_000
    per_hour: int = 150_000
    ip_per_minute: int = 20_000  # whatever corps the address calls for; a provider's may do twice as much
    ip_per_hour: int = 600_000
    ban_seconds: float = 60.0
    mark_tag_concurrency: int = 5
    token_lifetime: int = 7200
    wrong_secrets: int = 5
    wrong_secret_ban: float = 3600.0
    max_tags: int = 3000
    welcome_seconds: float = 20.0
    cursor_seconds: float = 86_400.0
    group_delay: float = 2.0
    media_seconds: float = 3 * 86_400.0
    max_contact_ways: int = 500_000
    mass_dispatch_seconds: float = 2.0
    mass_rule: str = "month"  # how the corp counts what a customer gets: month, week or day
    mass_most: int = 0  # another number than the rule's
    medical: bool = False  # the industry that may open temporary sessions
    short_pages: bool = True
    oauth_code_seconds: float = 300.0
    user_ticket_seconds: float = 1800.0
    ticket_lifetime: int = 7200
    corp_tickets_per_hour: int = 400
    app_tickets_per_hour: int = 100
    latency: dict[str, float] = field(default_factory=lambda: {"externalcontact/mark_tag": 0.02})


@dataclass(slots=True)
class Delivery:
    """How callbacks of one corp travel; the defaults are WeCom's, the rest makes bad days."""

    timeout: float = 5.0
    resends: int = 3
    resend_wait: float = 3.0
    concurrency: int = 16
    delay: float = 0.0
    duplicate: int = 1  # copies sent of every event
    drop: float = 0.0  # share of events lost on purpose
    shuffle: int = 0  # events are handed over in random order inside a window of that many
    paused: bool = False


@dataclass(slots=True)
class AppMessage:
    """A message of an app, and what became of it at its receivers."""

    msgid: str
    app_key: str
    kind: str
    content: dict[str, Any]
    at: float
    users: list[str] = field(default_factory=list)
    recalled_at: float = 0.0
    response_codes: dict[str, float] = field(default_factory=dict)  # of interactive cards → when it was given
    answers: dict[str, str] = field(default_factory=dict)  # userid → key of the button
    replaced: dict[str, dict[str, Any]] = field(default_factory=dict)  # userid → what his card shows now


@dataclass(slots=True)
class GroupWelcome:
    """A welcome template of customer groups."""

    template_id: str
    app_key: str
    content: dict[str, Any]


@dataclass(slots=True)
class Welcome:
    """A welcome code and what became of it."""

    code: str
    userid: str
    external_userid: str
    created_at: float
    used_by: str = ""
    used_at: float = 0.0
    content: dict[str, Any] = field(default_factory=dict)
