"""Staff and departments read in full, as far as WeCom lets this app see them."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from members.bulk import StaffNews, write_departments, write_staff
from members.events import news_of
from members.models import Staff
from tenants.current import main_app, wecom_client
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import WeComMisconfigured, WeComRefused
from wecom.objects import DepartmentInfo, Member

WIDTH = 5
NO_RIGHT = (WeComRefused, WeComMisconfigured)

Counts = dict[str, Any]


def sync_staff(proceed: Callable[[], None]) -> Counts:
    """Departments, their members, and who may have customers. Returns counts, those of unseen staff among them.

    `proceed` is called between the calls to WeCom. Whoever is not listed any more is marked as out of sight, never as
    having left: only WeCom's own event says that.
    """
    client = wecom_client("app")
    at = timezone.now()
    departments = _departments(client)
    changed = write_departments(departments, at=at, complete=True) if departments else 0
    members = _members(client, [one.id for one in departments], proceed)
    _add_single_members(client, members, proceed)
    proceed()
    followers = wecom_client().follow_user_list()
    with transaction.atomic():
        staff_changed = write_staff(
            [
                *(news_of(member) for member in members.values()),
                *(StaffNews(userid, visible=True) for userid in followers if userid.lower() not in members),
            ],
            at=at,
        )
        _mark_followers([userid.lower() for userid in followers])
        if members:
            hidden = Staff.objects.filter(left_at=None).exclude(
                userid_key__in=[*members, *(userid.lower() for userid in followers)]
            )
            staff_changed += hidden.filter(visible=True).update(visible=False)
    return {
        "departments": len(departments),
        "departments_changed": changed,
        "staff": len(members),
        "staff_changed": staff_changed,
        "staff_with_customers": len(followers),
        **_unseen(),
    }


def _departments(client: WeComClient) -> list[DepartmentInfo]:
    """With names if the app may read them, else ids and parents, else none."""
    try:
        return client.departments()
    except NO_RIGHT:
        pass
    try:
        return client.department_tree()
    except WeComRefused:
        return []


def _members(client: WeComClient, departments: Sequence[int], proceed: Callable[[], None]) -> dict[str, Member]:
    """By lower-case userid. A member of several departments is listed in each."""
    found: dict[str, Member] = {}
    for start in range(0, len(departments), 50):
        proceed()
        for _department, answer in side_by_side(
            lambda department: _members_of(client, department), departments[start : start + 50], width=WIDTH
        ):
            if isinstance(answer, Exception):
                raise answer
            for member in answer:
                known = found.setdefault(member.userid.lower(), member)
                known.departments = list(dict.fromkeys([*known.departments, *member.departments]))
    return found


def _members_of(client: WeComClient, department: int) -> list[Member]:
    try:
        return client.members_of(department)
    except WeComRefused:
        pass
    try:
        return client.members_of(department, details=False)
    except WeComRefused:
        return []


def _add_single_members(client: WeComClient, members: dict[str, Member], proceed: Callable[[], None]) -> None:
    """Members the admin made visible one by one stand in no visible department."""
    agent_id = main_app().agent_id
    if agent_id is None:
        return
    try:
        singles = client.agent(agent_id).users
    except NO_RIGHT:
        return
    for userid in singles:
        if userid.lower() in members:
            continue
        proceed()
        try:
            members[userid.lower()] = client.user(userid)
        except WeComRefused:
            continue


def _mark_followers(keys: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_staff SET can_follow = (userid_key = ANY(%(keys)s))"
            " WHERE can_follow <> (userid_key = ANY(%(keys)s))",
            {"keys": keys},
        )


def _unseen() -> Counts:
    """Staff we know of and cannot see: out of the app's range, or named by customers and groups alone."""
    living = Staff.objects.filter(left_at=None)
    return {
        "staff_unseen": living.filter(Q(synced_at=None) | Q(visible=False)).count(),
        "staff_without_right": living.filter(visible=True, can_follow=False).count(),
    }
