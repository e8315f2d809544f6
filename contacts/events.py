"""What WeCom's events about customers, groups and tags do: a batch is read once and written in one set."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from contacts import bulk, signals
from contacts.bulk.groups import GroupNews, write_groups
from contacts.bulk.stays import GroupHeard
from contacts.friendship import News
from contacts.models import Follow
from contacts.models.timeline import TimelineEntry
from tenants.current import wecom_client
from tenants.events import NotYet, Owner, Reading
from tenants.models import OutgoingCall
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import NotAFriend, NotVisible, WeComError, WeComRefused
from wecom.events import Event
from wecom.objects import CustomerDetail, GroupChatInfo

Kind = TimelineEntry.Kind
CALLBACK = TimelineEntry.Source.CALLBACK
WIDTH = 5
"""WeCom answers 45033 to too many reads of one company at once."""

Found = TypeVar("Found")


def _read(keys: Sequence[str], ask: Callable[[str], Any], *, gone: tuple[type[WeComError], ...]) -> Reading:
    """One answer for each key; None where WeCom says that there is nothing (any more)."""
    reading = Reading()
    for key, answer in side_by_side(ask, keys, width=WIDTH):
        if isinstance(answer, gone):
            reading.found[key] = None
        elif isinstance(answer, WeComError):
            reading.errors[key] = answer
        elif isinstance(answer, Exception):
            raise answer
        else:
            reading.found[key] = answer
    return reading


def _keys(events: Sequence[Event]) -> list[str]:
    return list(dict.fromkeys(event.order_key for event in events))


# -- customers -------------------------------------------------------------------------------------------------------

NEWS: dict[str, tuple[News, str]] = {
    "add_external_contact": (News.ADDED, Kind.FOLLOW_ADDED),
    "add_half_external_contact": (News.HALF_ADDED, Kind.FOLLOW_HALF_ADDED),
    "edit_external_contact": (News.OTHER, ""),
    "del_external_contact": (News.DELETED_BY_STAFF, Kind.DELETED_BY_STAFF),
    "del_follow_user": (News.DELETED_BY_CUSTOMER, Kind.DELETED_BY_CUSTOMER),
    "transfer_fail": (News.OTHER, Kind.TRANSFER_FAILED),
    "msg_audit_approved": (News.OTHER, Kind.ARCHIVE_AGREED),
}
KEPT_FIELDS = {"State": "state", "LinkId": "link_id", "FailReason": "reason"}


def read_customers(events: Sequence[Event]) -> Reading:
    """Each customer of the batch once, however many events name it; and the tags that we do not know by name."""
    client = wecom_client(priority=OutgoingCall.Priority.NOTICE)
    keys = [key for key in _keys(events) if key.startswith("c:")]
    read_at = timezone.now()
    reading = _read(keys, lambda key: client.customer(key[2:]), gone=(NotAFriend, NotVisible))
    reading.found["at"] = read_at
    tag_ids = {
        tag_id
        for detail in reading.found.values()
        if isinstance(detail, CustomerDetail)
        for follow in detail.follows
        for tag_id in follow.tag_ids
    }
    if tag_ids and _has_unnamed(tag_ids):
        reading.found["t"] = _all_tags(client)
    return reading


def _has_unnamed(tag_ids: set[str]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM unnest(%s) AS w(id) WHERE NOT EXISTS"
            " (SELECT FROM contacts_tag t WHERE t.wecom_id = w.id))",
            [list(tag_ids)],
        )
        return bool(cursor.fetchone()[0])


def _all_tags(client: WeComClient) -> object:
    """All corp tags, or nothing when they cannot be read now: a tag without its name is better than none."""
    try:
        return client.corp_tags()
    except WeComError:
        return None


def apply_customers(events: Sequence[Event], reading: Reading) -> None:
    """Writes the batch as one set and tells others once."""
    at = timezone.now()
    if tags := reading.found.get("t"):
        bulk.write_tags(tags, at=at)
    told = bulk.Told(read_at=reading.found.get("at"))
    for event in events:
        if event.external_user_id:
            _tell(told, event, reading.found.get(event.order_key))
    announce(bulk.write_told(told, at=at, source=CALLBACK), CALLBACK)


def _tell(told: bulk.Told, event: Event, detail: CustomerDetail | None) -> None:
    external_userid, userid = event.external_user_id, event.user_id
    if detail is not None and external_userid not in told.contacts:
        told.add_contact(detail.contact)
        for follow in detail.follows:
            told.add_listed(external_userid, follow)
    if not userid:
        return
    news, kind = NEWS.get(event.change_type, (News.OTHER, ""))
    if news is News.DELETED_BY_STAFF and event.text("Source") == "DELETE_BY_TRANSFER":
        news, kind = News.TRANSFERRED, Kind.TRANSFERRED
    fields = {ours: value for theirs, ours in KEPT_FIELDS.items() if (value := event.text(theirs))}
    told.add_heard(external_userid, userid, bulk.Heard(news, event.at, fields, kind))


def announce(written: bulk.Written, source: str) -> None:
    """Once per batch, in its transaction."""
    for signal, follow_ids in (
        (signals.follow_added, written.added),
        (signals.follow_ended, written.ended),
        (signals.tags_changed, written.retagged),
    ):
        if follow_ids:
            signal.send(Follow, follow_ids=follow_ids, source=source)


# -- groups ----------------------------------------------------------------------------------------------------------

SETTLED = timedelta(seconds=3)
"""WeCom: read a group two seconds after its event at the earliest; the event's own time has no fractions."""

PATIENCE = timedelta(minutes=1)
"""So long may a group be unknown, or show the members of before the event; then it is taken as it is."""


def read_groups(events: Sequence[Event]) -> Reading:
    """Each group once, when its data have settled; those still settling wait."""
    now = timezone.now()
    newest = {event.order_key: event for event in sorted(events, key=lambda event: event.at) if event.chat_id}
    waiting = {key: event.at + SETTLED for key, event in newest.items() if now < event.at + SETTLED}
    client = wecom_client(priority=OutgoingCall.Priority.NOTICE)
    keys = [key for key in newest if key not in waiting]
    reading = _read(keys, lambda key: client.group_chat(key[2:]), gone=(WeComRefused,))
    for key, until in waiting.items():
        reading.errors[key] = NotYet(until)
    dismissed = {event.order_key for event in events if event.change_type == "dismiss"}
    for key, group in reading.found.items():
        behind = _is_of_before(group, newest[key], events) if group else key not in dismissed
        if behind and now < newest[key].at + PATIENCE:
            reading.errors[key] = NotYet(now + SETTLED)
    return reading


def _is_of_before(group: GroupChatInfo, newest: Event, events: Sequence[Event]) -> bool:
    """Whether the members are those that one of the events found, not those that the newest left."""
    if not group.member_version or group.member_version == newest.text("CurMemVer"):
        return False
    told = [event for event in events if event.chat_id == group.chat_id]
    return group.member_version in {event.text("LastMemVer") for event in told}


def apply_groups(events: Sequence[Event], reading: Reading) -> None:
    news: dict[str, GroupNews] = {}
    for event in events:
        if not event.chat_id:
            continue
        one = news.setdefault(event.chat_id, GroupNews(event.chat_id, reading.found.get(event.order_key)))
        one.heard.append(
            GroupHeard(
                event.change_type,
                event.at,
                event.text("UpdateDetail"),
                tuple(event.listed("MemChangeList")),
                event.text("QuitScene"),
            )
        )
    write_groups(list(news.values()), at=timezone.now(), source=CALLBACK)


# -- tags ------------------------------------------------------------------------------------------------------------


def read_tags(events: Sequence[Event]) -> Reading:
    """One listing of all corp tags answers any number of events: there are 3,000 at most."""
    try:
        return Reading(found={"t": wecom_client(priority=OutgoingCall.Priority.NOTICE).corp_tags()})
    except WeComError as error:
        return Reading(errors=dict.fromkeys(_keys(events), error))


def apply_tags(events: Sequence[Event], reading: Reading) -> None:
    at: datetime = max(event.at for event in events)
    deleted = {event.text("Id") for event in events if event.change_type == "delete"}
    bulk.write_tags(reading.found["t"], at=at, gone=deleted)


CUSTOMERS = Owner(apply=apply_customers, read=read_customers)
GROUPS = Owner(apply=apply_groups, read=read_groups)
TAGS = Owner(apply=apply_tags, read=read_tags)
