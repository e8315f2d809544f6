"""Calls to WeCom as one company's app: typed in, typed out, and every failure one of the errors of `wecom.errors`."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from wecom.endpoints import ENDPOINTS, Endpoint, Kind, endpoint_of
from wecom.errors import NotAFriend, WeComError, WeComUnavailable, WeComUnknown
from wecom.exchange import Exchange, Gate, Watch
from wecom.fields import objects, text, texts
from wecom.grants import Grant
from wecom.media import Upload, UploadedMedia
from wecom.objects import (
    AgentInfo,
    CustomerDetail,
    CustomerPage,
    DepartmentInfo,
    ExternalContact,
    FollowInfo,
    GroupChatInfo,
    GroupChatPage,
    Member,
    SentMessage,
    StaffTagInfo,
    TagGroupInfo,
)
from wecom.tokens import AppCredentials, MemoryTokens, TokenStore
from wecom.wire import PRODUCTION, Wire, shared_wire
from wecom.work import Work

__all__ = [
    "ENDPOINTS",
    "AppCredentials",
    "Endpoint",
    "Gate",
    "Kind",
    "MemoryTokens",
    "TokenStore",
    "Watch",
    "WeComClient",
    "Wire",
]

_MAX_FOLLOW_PAGES = 200
"""500 friendships a page: more pages than this is a cursor that turns in a circle."""


class WeComClient:
    """One app of one company. Cheap to make, safe between threads; connections belong to the process."""

    def __init__(
        self,
        app: AppCredentials,
        tokens: TokenStore,
        *,
        base_url: str = PRODUCTION,
        gate: Gate | None = None,
        watch: Watch | None = None,
        http: Wire | None = None,
        trusted_hosts: frozenset[str] = frozenset(),
        grant: Grant | None = None,
        by: Callable[[], Exchange] | None = None,
    ) -> None:
        self.app = app
        wire = http if http is not None else shared_wire(base_url, trusted_hosts)
        self._exchange = Exchange(app, tokens, wire, gate, watch, grant=grant, by=by)

    def __repr__(self) -> str:
        return f"WeComClient({self.app.key!r})"

    @functools.cached_property
    def _work(self) -> Work:
        return Work(self._exchange)

    def call(self, api: str, payload: dict[str, Any] | None = None, *, timeout: float | None = None) -> dict[str, Any]:
        """Any listed API by its name, such as "externalcontact/mark_tag"; the outbox's way in.

        `timeout` bounds the whole exchange in seconds.
        """
        endpoint = endpoint_of(api)
        if endpoint.method == "GET":
            return self._exchange.perform(endpoint, params=payload, timeout=timeout)
        return self._exchange.perform(endpoint, body=payload, timeout=timeout)

    def check_token(self) -> None:
        """Raises what is wrong with the company id, the secret or the connection; nothing when all is well."""
        self._exchange.token()

    def callback_ips(self) -> list[str]:
        """Where callbacks come from; entries may be ranges such as 101.226.103.* (path/90930)."""
        return [ip for ip in self._work.misc.get_wechat_ips() if isinstance(ip, str)]

    def agent(self, agent_id: int) -> AgentInfo:
        """The app with its visible range."""
        return AgentInfo.read(self._work.agent.get(agent_id))

    def departments(self) -> list[DepartmentInfo]:
        """All departments in the visible range: a forest, as their parents may lie outside."""
        return [DepartmentInfo.read(raw) for raw in self._work.department.list() if isinstance(raw, dict)]

    def department_tree(self) -> list[DepartmentInfo]:
        """The same without names, for apps that may not read these (path/95350)."""
        return [DepartmentInfo.read(raw) for raw in self._work.department.simple_list() if isinstance(raw, dict)]

    def members_of(self, department_id: int, *, details: bool = True) -> list[Member]:
        """Members directly in one department (path/90201); without details only id, name and departments."""
        rows = self._work.user.list(department_id, simple=not details)
        members = [Member.read(raw) for raw in rows if isinstance(raw, dict)]
        return [member for member in members if member.userid]

    def user(self, userid: str) -> Member:
        """One member. NotVisible when unknown, gone or outside the visible range."""
        member = Member.read(self._work.user.get(userid))
        if not member.userid:
            raise WeComUnavailable(0, "answer without userid", "user/get")
        return member

    def staff_tags(self) -> list[StaffTagInfo]:
        """The tags of contacts, id and name alone (path/90216); an app of a provider gets those it made."""
        tags = [StaffTagInfo.read(raw) for raw in self._work.tag.list() if isinstance(raw, dict)]
        return [tag for tag in tags if tag.id]

    def staff_tag(self, tag_id: int) -> StaffTagInfo:
        """One tag of contacts with whom of it the app may see (path/90213). TagGone when there is none by this id."""
        return StaffTagInfo.read(self._work.tag.get_users(tag_id), tag_id)

    def follow_user_list(self) -> list[str]:
        """Members with 客户联系 inside the visible range (path/92571)."""
        return texts(self._work.external_contact.get_follow_user_list(), "follow_user")

    def customer_ids(self, userid: str) -> list[str]:
        """The customers of one member; a member without any is an empty list, not an error."""
        try:
            return texts(self._work.external_contact.list(userid), "external_userid")
        except NotAFriend:
            return []

    def customer(self, external_userid: str) -> CustomerDetail:
        """A customer with all visible friendships, over as many pages as WeCom needs."""
        follows: list[FollowInfo] = []
        cursor = ""
        for _ in range(_MAX_FOLLOW_PAGES):
            page = self._work.external_contact.get_page(external_userid, cursor)
            follows.extend(FollowInfo.read(raw) for raw in objects(page, "follow_user"))
            cursor = text(page, "next_cursor")
            if not cursor:
                return CustomerDetail(
                    ExternalContact.read(_object(page, "external_contact", "externalcontact/get")), follows
                )
        raise WeComUnavailable(0, "the pages of friendships do not end", "externalcontact/get")

    def customers_of(self, userids: Sequence[str], cursor: str = "", *, limit: int = 100) -> CustomerPage:
        """A page of the customers of up to 100 members (path/92994); StaleCursor means start again."""
        if not 1 <= len(userids) <= 100:
            raise ValueError("between 1 and 100 members a page")
        try:
            return CustomerPage.read(self._work.external_contact.batch_get_by_users(list(userids), cursor, limit))
        except NotAFriend:
            return CustomerPage([], "")

    def group_chats(
        self, cursor: str = "", owners: Iterable[str] = (), *, status: int = 0, limit: int = 1000
    ) -> GroupChatPage:
        """A page of customer groups; without owners those of everyone visible, up to 1,000 owners (path/92120)."""
        return GroupChatPage.read(self._work.group_chat.list(cursor, list(owners), status, limit))

    def group_chat(self, chat_id: str) -> GroupChatInfo:
        """A group with its members. Reads at least two seconds after an event, or the data is still the old."""
        return GroupChatInfo.read(
            _object(self._work.group_chat.get(chat_id), "group_chat", "externalcontact/groupchat/get")
        )

    def corp_tags(self, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> list[TagGroupInfo]:
        """All customer tags, or those asked for; groups win over tags when both are given."""
        answer = self._work.external_contact.get_corp_tags(list(tag_ids), list(group_ids))
        return [TagGroupInfo.read(raw) for raw in objects(answer, "tag_group")]

    def add_corp_tag(
        self,
        names: Sequence[str],
        *,
        group_id: str | None = None,
        group_name: str | None = None,
        order: int | None = None,
    ) -> TagGroupInfo:
        """New tags in a group that exists (by id) or in one by that name. Only the new tags are returned."""
        tags = [{"name": name} for name in names]
        answer = self._work.external_contact.add_corp_tag(group_id, group_name, order, tags)
        return TagGroupInfo.read(_object(answer, "tag_group", "externalcontact/add_corp_tag"))

    def edit_corp_tag(self, tag_or_group_id: str, *, name: str | None = None, order: int | None = None) -> None:
        self._work.external_contact.edit_corp_tag(tag_or_group_id, name, order)

    def del_corp_tag(self, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        self._work.external_contact.del_corp_tag(list(tag_ids) or None, list(group_ids) or None)

    def mark_tag(
        self, userid: str, external_userid: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        """Puts tags on a friendship and takes tags off it (path/92118)."""
        self._work.external_contact.mark_tag(userid, external_userid, list(add) or None, list(remove) or None)

    def remark(self, userid: str, external_userid: str, **changes: str | list[str]) -> None:
        """Changes remark, description, remark_company, remark_mobiles or remark_pic_mediaid (path/92115).

        `remark_mobiles=[""]` clears the numbers.
        """
        self._work.external_contact.remark({"userid": userid, "external_userid": external_userid, **changes})

    def send_welcome(
        self,
        welcome_code: str,
        *,
        text: str = "",
        attachments: Sequence[dict[str, Any]] = (),
        timeout: float | None = None,
    ) -> None:
        """Greets a new customer, within 20 seconds of the event and once (path/92137)."""
        payload: dict[str, Any] = {"welcome_code": welcome_code}
        if text:
            payload["text"] = {"content": text}
        if attachments:
            payload["attachments"] = list(attachments)
        self.call("externalcontact/send_welcome_msg", payload, timeout=timeout)

    def send_message(
        self, agent_id: int, userids: Sequence[str], message: dict[str, Any], *, dedupe_seconds: int = 0
    ) -> SentMessage:
        """An app message such as `{"msgtype": "text", "text": {"content": …}}` to members (path/90236).

        With `dedupe_seconds` (up to four hours) WeCom drops the same message sent again, so a repeat is safe.
        """
        if dedupe_seconds:
            message = {**message, "enable_duplicate_check": 1, "duplicate_check_interval": dedupe_seconds}
        return SentMessage.read(self._work.message.send(agent_id, list(userids), msg=message))

    def upload_media(self, kind: str, filename: str, content: bytes, *, timeout: float = 60.0) -> UploadedMedia:
        """A file as `image`, `voice`, `video` or `file`; its id lives three days (path/90253)."""
        endpoint = ENDPOINTS["media/upload"]
        answer = self._exchange.perform(
            endpoint, params={"type": kind}, body=Upload(filename, content), timeout=timeout
        )
        media = UploadedMedia.read(answer)
        if not media.media_id:
            raise WeComUnavailable(0, "answer without media_id", endpoint.api)
        return media


def _object(answer: dict[str, Any], name: str, api: str) -> dict[str, Any]:
    found = answer.get(name)
    if isinstance(found, dict):
        return found
    family: type[WeComError] = WeComUnavailable if endpoint_of(api).kind.repeatable else WeComUnknown
    raise family(0, f"answer without {name}", api)
