"""The calls we make, and what a repeat of each would do. One line per API; the name is its path below /cgi-bin/."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Secret = Literal["app", "contact"]


class Kind(Enum):
    """What happens when a call is made twice."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    CREATE = "create"
    ONE_SHOT = "one_shot"
    MESSAGE = "message"

    @property
    def repeatable(self) -> bool:
        """True when a call whose answer was lost may simply be made again."""
        return self in (Kind.READ, Kind.IDEMPOTENT)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API. `lists` are the keys whose absence in an answer must not pass for an empty list."""

    api: str
    method: Literal["GET", "POST"]
    kind: Kind
    secret: Secret = "app"
    lists: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/cgi-bin/{self.api}"


def _table(*endpoints: Endpoint) -> dict[str, Endpoint]:
    return {endpoint.api: endpoint for endpoint in endpoints}


ENDPOINTS: dict[str, Endpoint] = _table(
    Endpoint("gettoken", "GET", Kind.READ),
    Endpoint("service/get_suite_token", "POST", Kind.READ),
    Endpoint("service/get_provider_token", "POST", Kind.READ),
    Endpoint("service/get_corp_token", "POST", Kind.READ),
    Endpoint("service/get_pre_auth_code", "GET", Kind.READ),
    Endpoint("service/get_customized_auth_url", "POST", Kind.READ),
    # an auth code is good once: whether a lost answer used it up is seen by asking again (40078)
    Endpoint("service/v2/get_permanent_code", "POST", Kind.ONE_SHOT),
    Endpoint("service/v2/get_auth_info", "POST", Kind.READ),
    Endpoint("service/auth/getuserinfo3rd", "GET", Kind.ONE_SHOT),
    Endpoint("getcallbackip", "GET", Kind.READ, lists=("ip_list",)),
    Endpoint("get_api_domain_ip", "GET", Kind.READ, lists=("ip_list",)),
    Endpoint("agent/get", "GET", Kind.READ),
    Endpoint("department/list", "GET", Kind.READ, lists=("department",)),
    Endpoint("department/simplelist", "GET", Kind.READ, lists=("department_id",)),
    Endpoint("department/get", "GET", Kind.READ),
    Endpoint("user/get", "GET", Kind.READ),
    Endpoint("user/list", "GET", Kind.READ, lists=("userlist",)),
    Endpoint("user/simplelist", "GET", Kind.READ, lists=("userlist",)),
    Endpoint("user/list_id", "POST", Kind.READ, "contact", lists=("dept_user",)),
    Endpoint("tag/list", "GET", Kind.READ, lists=("taglist",)),
    Endpoint("tag/get", "GET", Kind.READ, lists=("userlist", "partylist")),
    Endpoint("externalcontact/get_follow_user_list", "GET", Kind.READ, lists=("follow_user",)),
    Endpoint("externalcontact/list", "GET", Kind.READ, lists=("external_userid",)),
    Endpoint("externalcontact/get", "GET", Kind.READ, lists=("follow_user",)),
    Endpoint("externalcontact/batch/get_by_user", "POST", Kind.READ, lists=("external_contact_list",)),
    Endpoint("externalcontact/groupchat/list", "POST", Kind.READ, lists=("group_chat_list",)),
    Endpoint("externalcontact/groupchat/get", "POST", Kind.READ),
    Endpoint("externalcontact/get_corp_tag_list", "POST", Kind.READ, lists=("tag_group",)),
    Endpoint("externalcontact/add_corp_tag", "POST", Kind.CREATE),
    Endpoint("externalcontact/edit_corp_tag", "POST", Kind.IDEMPOTENT),
    Endpoint("externalcontact/del_corp_tag", "POST", Kind.IDEMPOTENT),
    Endpoint("externalcontact/mark_tag", "POST", Kind.IDEMPOTENT),
    Endpoint("externalcontact/remark", "POST", Kind.IDEMPOTENT),
    Endpoint("externalcontact/send_welcome_msg", "POST", Kind.ONE_SHOT),
    Endpoint("externalcontact/add_contact_way", "POST", Kind.CREATE),
    Endpoint("externalcontact/get_contact_way", "POST", Kind.READ),
    Endpoint("externalcontact/list_contact_way", "POST", Kind.READ, lists=("contact_way",)),
    Endpoint("externalcontact/update_contact_way", "POST", Kind.IDEMPOTENT),
    Endpoint("externalcontact/del_contact_way", "POST", Kind.IDEMPOTENT),
    Endpoint("externalcontact/add_msg_template", "POST", Kind.CREATE),
    Endpoint("externalcontact/get_groupmsg_list_v2", "POST", Kind.READ, lists=("group_msg_list",)),
    Endpoint("externalcontact/get_groupmsg_task", "POST", Kind.READ, lists=("task_list",)),
    Endpoint("externalcontact/get_groupmsg_send_result", "POST", Kind.READ, lists=("send_list",)),
    # twice reminds twice, of at most three a day that WeCom allows
    Endpoint("externalcontact/remind_groupmsg_send", "POST", Kind.IDEMPOTENT),
    Endpoint("externalcontact/cancel_groupmsg_send", "POST", Kind.IDEMPOTENT),
    Endpoint("message/send", "POST", Kind.MESSAGE),
    Endpoint("media/upload", "POST", Kind.IDEMPOTENT),  # twice makes two ids, of which one is never used
    Endpoint("get_jsapi_ticket", "GET", Kind.READ),
    Endpoint("ticket/get", "GET", Kind.READ),
    Endpoint("auth/getuserinfo", "GET", Kind.ONE_SHOT),
    Endpoint("msgaudit/get_permit_user_list", "POST", Kind.READ),
    Endpoint("msgaudit/check_single_agree", "POST", Kind.READ),
    Endpoint("msgaudit/check_room_agree", "POST", Kind.READ),
)


def endpoint_of(api: str, method: str = "POST") -> Endpoint:
    """The line of an API; one that is not listed is treated as the kind that must not be repeated blindly."""
    known = ENDPOINTS.get(api)
    if known is not None:
        return known
    return Endpoint(api, "GET", Kind.READ) if method.upper() == "GET" else Endpoint(api, "POST", Kind.CREATE)
