"""wechatpy's `work` API classes on our own exchange. They shape the requests; sending, tokens and errors are ours, so
that none of wechatpy's retries, sessions or exceptions is ever reached."""

from collections.abc import Mapping
from typing import Any

from wechatpy.client.api.base import BaseWeChatAPI  # type: ignore[import-untyped,unused-ignore]
from wechatpy.work import WeChatClient  # type: ignore[import-untyped,unused-ignore]
from wechatpy.work.client import api  # type: ignore[import-untyped,unused-ignore]

from wecom.endpoints import endpoint_of
from wecom.exchange import Exchange


class User(api.WeChatUser):  # type: ignore[misc,unused-ignore]
    """Adds the listing by id."""

    def list_id(self, cursor: str, limit: int) -> Any:
        return self._post("user/list_id", data={"cursor": cursor, "limit": limit})


class ExternalContact(api.WeChatExternalContact):  # type: ignore[misc,unused-ignore]
    """Adds the calls wechatpy lacks, and the parameters that WeCom has added since."""

    def get_page(self, external_userid: str, cursor: str) -> Any:
        params = {"external_userid": external_userid, "cursor": cursor or None}
        return self._get("externalcontact/get", params=params)

    def batch_get_by_users(self, userids: list[str], cursor: str, limit: int) -> Any:
        data = {"userid_list": userids, "cursor": cursor, "limit": limit}
        return self._post("externalcontact/batch/get_by_user", data=data)

    def get_corp_tags(self, tag_ids: list[str], group_ids: list[str]) -> Any:
        data = {name: ids for name, ids in (("tag_id", tag_ids), ("group_id", group_ids)) if ids}
        return self._post("externalcontact/get_corp_tag_list", data=data)

    def remark(self, data: dict[str, Any]) -> Any:
        return self._post("externalcontact/remark", data=data)


class GroupChat(BaseWeChatAPI):  # type: ignore[misc,unused-ignore]
    """Customer groups, with the names of members asked for."""

    def list(self, cursor: str, owners: list[str], status: int, limit: int) -> Any:
        data: dict[str, Any] = {"status_filter": status, "cursor": cursor, "limit": limit}
        if owners:
            data["owner_filter"] = {"userid_list": owners}
        return self._post("externalcontact/groupchat/list", data=data)

    def get(self, chat_id: str) -> Any:
        return self._post("externalcontact/groupchat/get", data={"chat_id": chat_id, "need_name": 1})


class Work(WeChatClient):  # type: ignore[misc,unused-ignore]
    """The set of API classes over one exchange."""

    user = User()
    external_contact = ExternalContact()
    group_chat = GroupChat()

    def __init__(self, exchange: Exchange) -> None:
        # wechatpy's own set-up is left out on purpose: it makes an HTTP session and keeps the secret.
        self._exchange = exchange

    @property
    def access_token(self) -> str:
        return self._exchange.token()

    def fetch_access_token(self) -> str:
        return self._exchange.token()

    def _request(
        self,
        method: str,
        url_or_endpoint: str,
        *,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, Any] | None = None,
        **unsupported: object,
    ) -> dict[str, Any]:
        """Where every API class of wechatpy ends up."""
        if unsupported or "://" in url_or_endpoint:
            raise ValueError(f"{url_or_endpoint}: not a plain API call")
        return self._exchange.perform(endpoint_of(url_or_endpoint, method), params, data)
