"""What WeCom's events about staff, departments and their tags do (change_contact)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.utils import timezone

from members.bulk import StaffNews, write_departments, write_staff
from members.leaving import has_left, rename
from members.models import Department
from members.staff_tags import apply_tags, read_tags
from tenants.current import wecom_client
from tenants.events import Owner, Reading
from tenants.models import OutgoingCall
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import WeComError, WeComRefused
from wecom.events import Event
from wecom.objects import DepartmentInfo, Member

WIDTH = 5
USER = {"create_user", "update_user", "delete_user"}
PARTY = {"create_party", "update_party", "delete_party"}
DEPARTMENTS = "departments"


def read_contact(events: Sequence[Event]) -> Reading:
    """Each member once under the newest id, each tag once, and the departments once when one of them changed."""
    client = wecom_client("app", priority=OutgoingCall.Priority.NOTICE)
    reading = Reading()
    userids = list(dict.fromkeys(_newest_ids(events).values()))
    for userid, answer in side_by_side(client.user, userids, width=WIDTH):
        if isinstance(answer, WeComRefused):
            reading.found[userid.lower()] = None
        elif isinstance(answer, WeComError):
            reading.errors["s"] = answer
        elif isinstance(answer, Exception):
            raise answer
        else:
            reading.found[userid.lower()] = answer
    if any(event.change_type in PARTY for event in events):
        _read_departments(client, reading)
    read_tags(client, events, reading)
    return reading


def _read_departments(client: WeComClient, reading: Reading) -> None:
    """An app that may not read them goes by what the events say."""
    try:
        reading.found[DEPARTMENTS] = client.departments()
    except WeComRefused:
        reading.found[DEPARTMENTS] = None
    except WeComError as error:
        reading.errors["s"] = error


def _newest_ids(events: Sequence[Event]) -> dict[str, str]:
    """Userids named by events, by lower case; a member who got a new id is asked for under that."""
    found: dict[str, str] = {}
    for event in events:
        if event.change_type in USER and event.user_id:
            userid = event.text("NewUserID") or event.user_id
            found.setdefault(userid.lower(), userid)
    return found


def apply_contact(events: Sequence[Event], reading: Reading) -> None:
    """Departments first, as members are placed in them; tags last, as they name both."""
    events = sorted(events, key=lambda event: event.at)
    _apply_departments([event for event in events if event.change_type in PARTY], reading)
    leaving: dict[str, Event] = {}
    news: dict[str, StaffNews] = {}
    for event in events:
        if event.change_type not in USER or not event.user_id:
            continue
        new_id = event.text("NewUserID")
        if new_id and new_id.lower() != event.user_id.lower():
            rename(event.user_id, new_id)
        userid = new_id or event.user_id
        member: Member | None = reading.found.get(userid.lower())
        if member is not None:
            news[userid.lower()] = news_of(member)
            leaving.pop(userid.lower(), None)
        elif event.change_type == "delete_user":
            leaving[userid.lower()] = event
        else:
            news[userid.lower()] = _news_in(event, userid)
            leaving.pop(userid.lower(), None)
    write_staff(news.values(), at=timezone.now())
    for event in leaving.values():
        has_left(event.user_id, at=event.at)
    apply_tags(events, reading)


def news_of(member: Member) -> StaffNews:
    """A member as WeCom has it now. What the app may not see comes as an empty text and is taken as not told."""
    return StaffNews(
        member.userid,
        name=member.name or None,
        alias=member.alias or None,
        position=member.position or None,
        avatar=member.avatar or None,
        status=member.status,
        main_department=member.main_department,
        departments=member.departments or None,
        leader_in=frozenset(member.leader_in),
        direct_leader=_first(member.direct_leaders) if "direct_leader" in member.raw else None,
        visible=True,
    )


def _news_in(event: Event, userid: str) -> StaffNews:
    """What an event itself says: only the changed fields are there (path/90970)."""
    departments = [int(text) for text in event.listed("Department") if text.isdecimal()]
    leads = event.listed("IsLeaderInDept")
    status, main = event.text("Status"), event.text("MainDepartment")
    return StaffNews(
        userid,
        name=event.text("Name") or None,
        alias=_told(event, "Alias"),
        position=_told(event, "Position"),
        avatar=_told(event, "Avatar"),
        # who cannot be read and may have left long ago is not brought back by a late update
        status=int(status) if status.isdecimal() and (event.change_type, status) != ("update_user", "1") else None,
        main_department=int(main) if main.isdecimal() else None,
        departments=departments or None,
        leader_in=frozenset(one for one, lead in zip(departments, leads, strict=False) if lead == "1"),
        direct_leader=_first(event.listed("DirectLeader")) if "DirectLeader" in event.fields else None,
    )


def _first(userids: Sequence[str]) -> str:
    """WeCom lets a member have one direct leader (path/90196), in a list; none is an answer, too."""
    return userids[0].lower() if userids else ""


def _told(event: Event, name: str) -> str | None:
    value: Any = event.fields.get(name)
    return value if isinstance(value, str) else None


def _apply_departments(events: Sequence[Event], reading: Reading) -> None:
    if not events:
        return
    listing: list[DepartmentInfo] | None = reading.found.get(DEPARTMENTS)
    at = events[-1].at
    if listing is not None:
        write_departments(listing, at=at, complete=True)
        return
    told = {
        one.wecom_id: DepartmentInfo(one.wecom_id, one.name, one.parent_wecom_id or 0, one.order)
        for one in Department.objects.filter(deleted_at=None)
    }
    for event in events:
        if not event.text("Id").isdecimal():
            continue
        number = int(event.text("Id"))
        if event.change_type == "delete_party":
            told.pop(number, None)
        else:
            told[number] = _changed(told.get(number, DepartmentInfo(number, "", 0, 0)), event)
    write_departments(list(told.values()), at=at, complete=True)


def _changed(one: DepartmentInfo, event: Event) -> DepartmentInfo:
    """Only the changed fields are there (path/90971)."""
    parent, order = event.text("ParentId"), event.text("Order")
    return replace(
        one,
        name=event.text("Name") or one.name,
        parent_id=int(parent) if parent.isdecimal() else one.parent_id,
        order=int(order) if order.isdecimal() else one.order,
    )


CONTACT = Owner(apply=apply_contact, read=read_contact)
