"""通讯录标签, tags on members and departments: read from WeCom as they are now, by events and in full."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from members.bulk import staff_ids
from members.models import StaffTag
from members.tag_bulk import Sight, TagNews, write_staff_tags
from tenants.current import main_app, wecom_client
from tenants.events import Reading
from tenants.jobs import JobRun
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import NoRight, TagGone, WeComError, WeComMisconfigured, WeComRefused
from wecom.events import Event
from wecom.objects import StaffTagInfo

WIDTH = 5
SET = 20  # a tag holds up to 30,000 members
UNSEEN = (WeComRefused, NoRight)
NO_RIGHT = (WeComRefused, WeComMisconfigured)
UPDATE = "update_tag"
SIGHT = "st:sight"


def tag_of(event: Event) -> int | None:
    text = event.text("TagId")
    return int(text) if event.change_type == UPDATE and text.isdecimal() and 0 < len(text) < 19 else None


def read_tags(client: WeComClient, events: Sequence[Event], reading: Reading) -> None:
    """Each tag named by an event once. `found` is told by the tag's order key; what the app may not see is None."""
    keys = {tag_id: event.order_key for event in events if (tag_id := tag_of(event)) is not None}
    if not keys:
        return
    with suppress(WeComError):  # then nobody is taken out but whom the events name
        reading.found[SIGHT] = _sight(client)
    nameless: list[int] = []
    for tag_id, answer in side_by_side(client.staff_tag, list(keys), width=WIDTH):
        try:
            news = reading.found[keys[tag_id]] = told(tag_id, answer)
        except WeComError as error:
            reading.errors[keys[tag_id]] = error
            continue
        if news is None or not (news.gone or news.name):
            nameless.append(tag_id)
    if nameless:
        _read_names(client, nameless, keys, reading)


def _read_names(client: WeComClient, nameless: list[int], keys: dict[int, str], reading: Reading) -> None:
    """Of tags whose name neither they told nor we know."""
    named = set(StaffTag.objects.filter(wecom_id__in=nameless).exclude(name="").values_list("wecom_id", flat=True))
    wanted = set(nameless) - named
    try:
        names = _listed(client) if wanted else {}
    except WeComError as error:
        reading.errors |= {keys[tag_id]: error for tag_id in wanted}
        return
    for tag_id in wanted & names.keys():
        news = reading.found[keys[tag_id]] or TagNews(tag_id)
        news.name = names[tag_id]
        reading.found[keys[tag_id]] = news


def told(tag_id: int, answer: StaffTagInfo | Exception) -> TagNews | None:
    """What WeCom says about a tag; None when the app may not see it, which says nothing about the tag."""
    if isinstance(answer, TagGone):
        return TagNews(tag_id, gone=True)
    if isinstance(answer, UNSEEN):
        return None
    if isinstance(answer, Exception):
        raise answer
    users = {userid.lower(): True for userid in answer.userids}
    return TagNews(
        tag_id, answer.name or None, whole=True, users=users, departments=dict.fromkeys(answer.departments, True)
    )


def apply_tags(events: Sequence[Event], reading: Reading) -> None:
    """Tags as they are now; those that the app may not see go by what the events say, in turn."""
    news: dict[int, TagNews] = {}
    for event in events:
        tag_id = tag_of(event)
        if tag_id is None:
            continue
        if tag_id not in news:
            now = reading.found.get(event.order_key) or TagNews(tag_id)
            news[tag_id] = replace(now, users=dict(now.users), departments=dict(now.departments))
        users, departments = _changes(event)
        _hear(news[tag_id].users, users, was_read=news[tag_id].whole)
        _hear(news[tag_id].departments, departments, was_read=news[tag_id].whole)
    said = [one for one in news.values() if one.whole or one.gone or one.name or one.users or one.departments]
    _write(said, reading.found.get(SIGHT, Sight()))


def _hear(known: dict[Any, bool], changes: dict[Any, bool], *, was_read: bool) -> None:
    """Beside what was read, events only say who went, of those whom the app may not see; without it, they say all."""
    for key, inside in changes.items():
        if not was_read:
            known[key] = inside
        elif not inside:
            known.setdefault(key, False)
        elif known.get(key) is False:  # came again
            del known[key]


def _changes(event: Event) -> tuple[dict[str, bool], dict[int, bool]]:
    """Who came (True) and who went, members and departments (path/90972)."""
    users: dict[str, bool] = {}
    departments: dict[int, bool] = {}
    for prefix, inside in (("Add", True), ("Del", False)):
        users |= {userid.lower(): inside for userid in event.listed(f"{prefix}UserItems")}
        numbers = [text for text in event.listed(f"{prefix}PartyItems") if text.isdecimal() and len(text) < 19]
        departments |= {int(number): inside for number in numbers}
    return users, departments


def _write(news: list[TagNews], sight: Sight) -> int:
    """Whom a tag that was read names is a member, if under an id that no event has told yet."""
    staff_ids(userid for one in news if one.whole for userid, inside in one.users.items() if inside)
    return write_staff_tags(news, sight, at=timezone.now())


def _sight(client: WeComClient) -> Sight:
    """The app's visible range (path/90227): who lies outside is missing in a tag, and may be in it all the same."""
    agent_id = main_app().agent_id
    if agent_id is None:
        return Sight()
    agent = client.agent(agent_id)
    users = tuple(userid.lower() for userid in agent.users)
    return Sight(users, tuple(agent.departments), tuple(agent.tags))


def sync_staff_tags(run: JobRun, checkpoint: dict[str, Any]) -> None:
    """All tags WeCom lists and those we know, set by set; the place reached stands in the checkpoint."""
    client = wecom_client("app")
    names = _listed(client)
    known = StaffTag.objects.filter(deleted_at=None).values_list("wecom_id", flat=True)
    after = int((checkpoint.get("staff_tags") or {}).get("after", 0))
    sight = Sight()
    with suppress(*NO_RIGHT):
        sight = _sight(client)
    ids = sorted(tag_id for tag_id in {*names, *known} if tag_id > after)
    for start in range(0, len(ids), SET):
        run.proceed()
        some = ids[start : start + SET]
        found = [
            _synced(tag_id, answer) or TagNews(tag_id, names.get(tag_id))
            for tag_id, answer in side_by_side(client.staff_tag, some, width=WIDTH)
        ]
        with transaction.atomic():
            changed = _write(found, sight)
            run.save(checkpoint | {"staff_tags": {"after": some[-1]}}, staff_tags_changed=changed)
    run.save(staff_tags=len(names))


def _synced(tag_id: int, answer: StaffTagInfo | Exception) -> TagNews | None:
    """The app was well a moment ago, as it read the members: what is amiss concerns this tag alone."""
    return None if isinstance(answer, WeComMisconfigured) else told(tag_id, answer)


def _listed(client: WeComClient) -> dict[int, str]:
    """Names by id; none for an app that may not list them. A tag that is missing may be another app's (path/90216)."""
    try:
        return {tag.id: tag.name for tag in client.staff_tags() if tag.name}
    except NO_RIGHT:
        return {}
