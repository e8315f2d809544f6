"""What WeCom's answers hold, typed. Each object keeps its `raw` dict, as fields are added over time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from wecom.fields import Raw, ids_in, moment, number, numbers, objects, text, texts


@dataclass(slots=True)
class DepartmentInfo:
    """A department (path/90208). Its parent may lie outside the app's visible range, so the list is a forest."""

    id: int
    name: str
    parent_id: int
    order: int
    name_en: str = ""
    leaders: list[str] = field(default_factory=list)
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        return cls(
            id=number(raw, "id"),
            name=text(raw, "name"),
            parent_id=number(raw, "parentid"),
            order=number(raw, "order"),
            name_en=text(raw, "name_en"),
            leaders=texts(raw, "department_leader"),
            raw=raw,
        )


@dataclass(slots=True)
class Member:
    """A member of contacts (path/90196). Apps made since 2022 get neither avatar, mobile nor email."""

    userid: str
    name: str
    departments: list[int]
    leader_in: list[int]
    main_department: int | None
    status: int | None
    alias: str = ""
    position: str = ""
    mobile: str = ""
    email: str = ""
    avatar: str = ""
    gender: int = 0
    direct_leaders: list[str] = field(default_factory=list)
    open_userid: str = ""
    raw: Raw = field(default_factory=dict, repr=False)

    @property
    def is_active(self) -> bool:
        """1 is active; a short listing gives no status and lists only who is in contacts."""
        return self.status in (None, 1)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        departments = numbers(raw, "department")
        leads = numbers(raw, "is_leader_in_dept")
        return cls(
            userid=text(raw, "userid"),
            name=text(raw, "name"),
            departments=departments,
            leader_in=[department for department, lead in zip(departments, leads, strict=False) if lead],
            main_department=number(raw, "main_department") if "main_department" in raw else None,
            status=number(raw, "status") if "status" in raw else None,
            alias=text(raw, "alias"),
            position=text(raw, "position"),
            mobile=text(raw, "mobile"),
            email=text(raw, "email"),
            avatar=text(raw, "avatar"),
            gender=number(raw, "gender"),
            direct_leaders=texts(raw, "direct_leader"),
            open_userid=text(raw, "open_userid"),
            raw=raw,
        )


@dataclass(slots=True)
class StaffTagInfo:
    """A tag of contacts, 通讯录标签 (path/90213), with members and departments in the app's range; listed without."""

    id: int
    name: str
    userids: list[str] = field(default_factory=list)
    departments: list[int] = field(default_factory=list)
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw, tag_id: int | None = None) -> Self:
        """`tag_id`: which was asked for, as the tag itself does not say."""
        return cls(
            id=tag_id or number(raw, "tagid"),
            name=text(raw, "tagname"),
            userids=ids_in(raw, "userlist", "userid"),
            departments=numbers(raw, "partylist"),
            raw=raw,
        )


@dataclass(slots=True)
class ExternalContact:
    """A customer as such (path/92114). type 1 is a WeChat user, 2 a WeCom user of another company."""

    external_userid: str
    name: str
    type: int
    gender: int = 0
    avatar: str = ""
    unionid: str = ""
    position: str = ""
    corp_name: str = ""
    corp_full_name: str = ""
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        return cls(
            external_userid=text(raw, "external_userid"),
            name=text(raw, "name"),
            type=number(raw, "type"),
            gender=number(raw, "gender"),
            avatar=text(raw, "avatar"),
            unionid=text(raw, "unionid"),
            position=text(raw, "position"),
            corp_name=text(raw, "corp_name"),
            corp_full_name=text(raw, "corp_full_name"),
            raw=raw,
        )


@dataclass(slots=True)
class FollowTag:
    """A tag on a friendship. type 1 is the company's, 2 the member's own (without id), 3 of a rule group."""

    id: str
    name: str
    group: str
    type: int


@dataclass(slots=True)
class FollowInfo:
    """A friendship between a member and a customer, as WeCom has it."""

    userid: str
    remark: str
    description: str
    created_at: datetime | None
    add_way: int
    state: str
    oper_userid: str
    tag_ids: list[str]
    tags: list[FollowTag]
    remark_mobiles: list[str]
    remark_corp_name: str
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        """Reads both shapes: `tags` with names from `get`, `tag_id` alone from `batch/get_by_user`."""
        tags = [
            FollowTag(text(tag, "tag_id"), text(tag, "tag_name"), text(tag, "group_name"), number(tag, "type"))
            for tag in objects(raw, "tags")
        ]
        tag_ids = texts(raw, "tag_id") if "tag_id" in raw else [tag.id for tag in tags if tag.id]
        return cls(
            userid=text(raw, "userid"),
            remark=text(raw, "remark"),
            description=text(raw, "description"),
            created_at=moment(raw, "createtime"),
            add_way=number(raw, "add_way"),
            state=text(raw, "state"),
            oper_userid=text(raw, "oper_userid"),
            tag_ids=tag_ids,
            tags=tags,
            remark_mobiles=texts(raw, "remark_mobiles"),
            remark_corp_name=text(raw, "remark_corp_name"),
            raw=raw,
        )


@dataclass(slots=True)
class CustomerDetail:
    """A customer with every friendship this app may see."""

    contact: ExternalContact
    follows: list[FollowInfo]


@dataclass(slots=True)
class CustomerRow:
    """One (customer, member) pair of a batch."""

    contact: ExternalContact
    follow: FollowInfo

    @property
    def is_whole(self) -> bool:
        return bool(self.contact.external_userid and self.follow.userid)


@dataclass(slots=True)
class CustomerPage:
    """A page of pairs. It may be shorter than asked for and yet not the last: only an empty cursor ends."""

    rows: list[CustomerRow]
    next_cursor: str
    unlicensed: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        rows = [
            CustomerRow(ExternalContact.read(pair["external_contact"]), FollowInfo.read(pair["follow_info"]))
            for pair in objects(raw, "external_contact_list")
            if isinstance(pair.get("external_contact"), dict) and isinstance(pair.get("follow_info"), dict)
        ]
        failed = raw.get("fail_info")
        unlicensed = texts(failed, "unlicensed_userid_list") if isinstance(failed, dict) else []
        return cls([row for row in rows if row.is_whole], text(raw, "next_cursor"), unlicensed)


@dataclass(slots=True)
class TagInfo:
    id: str
    name: str
    order: int
    deleted: bool
    created_at: datetime | None

    @classmethod
    def read(cls, raw: Raw) -> Self:
        return cls(
            text(raw, "id"),
            text(raw, "name"),
            number(raw, "order"),
            raw.get("deleted") is True,
            moment(raw, "create_time"),
        )


@dataclass(slots=True)
class TagGroupInfo:
    """A group of customer tags (path/92117). Higher order comes first."""

    id: str
    name: str
    order: int
    deleted: bool
    created_at: datetime | None
    tags: list[TagInfo]
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        return cls(
            id=text(raw, "group_id"),
            name=text(raw, "group_name"),
            order=number(raw, "order"),
            deleted=raw.get("deleted") is True,
            created_at=moment(raw, "create_time"),
            tags=[TagInfo.read(tag) for tag in objects(raw, "tag")],
            raw=raw,
        )


@dataclass(slots=True)
class GroupChatRef:
    """A line of the group listing. status: 0 normal, 1 owner resigned, 2 being handed over, 3 handed over."""

    chat_id: str
    status: int


@dataclass(slots=True)
class GroupChatPage:
    rows: list[GroupChatRef]
    next_cursor: str

    @classmethod
    def read(cls, raw: Raw) -> Self:
        rows = [GroupChatRef(text(row, "chat_id"), number(row, "status")) for row in objects(raw, "group_chat_list")]
        return cls([row for row in rows if row.chat_id], text(raw, "next_cursor"))


@dataclass(slots=True)
class GroupMemberInfo:
    """Someone in a customer group. type 1 is a member, 2 an outsider, who need not be anyone's customer."""

    id: str
    type: int
    name: str
    nickname: str
    joined_at: datetime | None
    join_scene: int
    state: str
    invitor: str
    unionid: str

    @classmethod
    def read(cls, raw: Raw) -> Self:
        invitor = raw.get("invitor")
        return cls(
            id=text(raw, "userid"),
            type=number(raw, "type"),
            name=text(raw, "name"),
            nickname=text(raw, "group_nickname"),
            joined_at=moment(raw, "join_time"),
            join_scene=number(raw, "join_scene"),
            state=text(raw, "state"),
            invitor=text(invitor, "userid") if isinstance(invitor, dict) else "",
            unionid=text(raw, "unionid"),
        )


@dataclass(slots=True)
class GroupChatInfo:
    """A customer group with its members (path/92122). The name of an unnamed group is empty."""

    chat_id: str
    name: str
    owner: str
    created_at: datetime | None
    notice: str
    members: list[GroupMemberInfo]
    admins: list[str]
    member_version: str
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        return cls(
            chat_id=text(raw, "chat_id"),
            name=text(raw, "name"),
            owner=text(raw, "owner"),
            created_at=moment(raw, "create_time"),
            notice=text(raw, "notice"),
            members=[GroupMemberInfo.read(member) for member in objects(raw, "member_list") if text(member, "userid")],
            admins=ids_in(raw, "admin_list", "userid"),
            member_version=text(raw, "member_version"),
            raw=raw,
        )


@dataclass(slots=True)
class AgentInfo:
    """An app and its visible range (path/90227)."""

    agent_id: int
    name: str
    closed: bool
    users: list[str]
    departments: list[int]
    tags: list[int]
    redirect_domain: str
    home_url: str
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        users, departments, tags = (
            value if isinstance(value := raw.get(name), dict) else {}
            for name in ("allow_userinfos", "allow_partys", "allow_tags")
        )
        return cls(
            agent_id=number(raw, "agentid"),
            name=text(raw, "name"),
            closed=bool(number(raw, "close")),
            users=ids_in(users, "user", "userid"),
            departments=numbers(departments, "partyid"),
            tags=numbers(tags, "tagid"),
            redirect_domain=text(raw, "redirect_domain"),
            home_url=text(raw, "home_url"),
            raw=raw,
        )


@dataclass(slots=True)
class SentMessage:
    """What became of an app message (path/90236). Ids come back lower-cased: compare without case."""

    msgid: str
    invalid_users: list[str]
    unlicensed_users: list[str]
    response_code: str
    raw: Raw = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        return cls(
            msgid=text(raw, "msgid"),
            invalid_users=[user for user in text(raw, "invaliduser").split("|") if user],
            unlicensed_users=[user for user in text(raw, "unlicenseduser").split("|") if user],
            response_code=text(raw, "response_code"),
            raw=raw,
        )
