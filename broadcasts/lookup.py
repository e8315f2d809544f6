"""A call whose answer was lost: was the message made? Looked up among WeCom's own list before any repeat."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import timezone

from broadcasts.models import Broadcast, BroadcastSender
from tenants.models import OutgoingCall
from wecom.client import WeComClient
from wecom.errors import WeComRefused, WeComUnavailable

LIST = "externalcontact/get_groupmsg_list_v2"
TASKS = "externalcontact/get_groupmsg_task"
RESULTS = "externalcontact/get_groupmsg_send_result"
SLACK = 300  # seconds between WeCom's clock and ours
LOOKS = 2
"""How often it must be missing from the list before it counts as not made: the list may come after the fact."""


def find_made(call: OutgoingCall, body: dict[str, Any], client: WeComClient) -> dict[str, Any] | None:
    """The message of this call: same time, same content, same sender, his receivers, and not another call's."""
    for row in listed(client, body["chat_type"], int(call.created_at.timestamp()) - SLACK):
        if same_content(row, body) and not is_known(row["msgid"]) and is_for(client, row["msgid"], body):
            return {"msgid": row["msgid"]}
    looks = int(call.context.get("looks", 0)) + 1
    OutgoingCall.objects.filter(pk=call.pk).update(context={**call.context, "looks": looks % LOOKS})
    if looks < LOOKS:
        raise WeComUnavailable(0, "not in the list yet; looked up once more before it is sent again", LIST)
    stopped = Broadcast.objects.filter(pk=call.context["broadcast"], state=Broadcast.State.STOPPED)
    return {} if stopped.exists() else None  # stopped meanwhile: over without a message, and not sent again


def listed(client: WeComClient, chat_type: str, since: int) -> Iterator[dict[str, Any]]:
    """All mass messages of the company since then."""
    wish = {"chat_type": chat_type, "start_time": since, "end_time": int(timezone.now().timestamp()) + SLACK}
    yield from pages(client, LIST, {**wish, "filter_type": 2, "limit": 100}, "group_msg_list")


def pages(client: WeComClient, api: str, wish: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = client.call(api, {**wish, **({"cursor": cursor} if cursor else {})})
        yield from page.get(name) or []
        if not (cursor := page.get("next_cursor") or ""):
            return


def same_content(row: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """The text, and what is attached in its order; media ids are left aside, as WeCom may name them anew."""
    text = (row.get("text") or {}).get("content", ""), (body.get("text") or {}).get("content", "")
    mine, theirs = (
        [_attached(one) for one in found or []] for found in (body.get("attachments"), row.get("attachments"))
    )
    return text[0].strip() == text[1].strip() and mine == theirs


def _attached(one: Mapping[str, Any]) -> tuple[str, str]:
    kind = str(one.get("msgtype", ""))
    return kind, str((one.get(kind) or {}).get("url", "")) if kind == "link" else ""


def is_known(msgid: str) -> bool:
    return BroadcastSender.objects.filter(msgid=msgid).exists()


def is_for(client: WeComClient, msgid: str, body: Mapping[str, Any]) -> bool:
    """Of this sender, and to customers of this call. Groups are not told before they have it (wecom-api.md 5.7)."""
    try:
        tasks = list(pages(client, TASKS, {"msgid": msgid, "limit": 1000}, "task_list"))
        if [str(task.get("userid", "")).lower() for task in tasks] != [body["sender"].lower()]:
            return False
        page = client.call(RESULTS, {"msgid": msgid, "userid": body["sender"], "limit": 1000})
    except WeComRefused:
        return False
    wanted = set(body.get("external_userid") or body.get("chat_id_list") or ())
    told = [row.get("external_userid") or row.get("chat_id") for row in page.get("send_list") or []]
    return all(one in wanted for one in told)
