"""核对: compares the ids WeCom lists with ours, mends what events missed, and says what it was."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from contacts import bulk
from contacts.events import announce
from contacts.harvest import concerns_a_member
from contacts.models import Follow
from contacts.models.timeline import TimelineEntry
from contacts.sync import Stage, groups_stage, run_stages, staff_stage, tags_stage
from contacts.unnamed import name_tags_by_customers
from tenants.current import wecom_client
from tenants.jobs import JobRun
from tenants.threads import side_by_side
from wecom.client import WeComClient
from wecom.errors import NotAFriend, NotVisible, WeComError

RECONCILE = "reconcile"
READERS = 5
SET = 100


def reconcile(run: JobRun) -> None:
    """The job `reconcile`: friendships by ids alone, far cheaper than a sync; groups, tags and staff as there."""
    run_stages(run, _STAGES, source=TimelineEntry.Source.RECONCILE)


def friendships_stage(run: JobRun, checkpoint: dict[str, Any], source: str) -> None:
    """Member by member: customers WeCom lists and we do not know, and those we know and WeCom does not list."""
    client = wecom_client()
    place = dict(checkpoint.get("friendships") or {"after": ""})
    for userid in sorted(client.follow_user_list(), key=str.lower):
        if userid.lower() <= place["after"]:
            continue
        run.proceed()
        missing, extra = _difference(client, userid)
        doubtful = sorted(missing | extra)
        for start in range(0, len(doubtful), SET):
            run.proceed()
            _mend(client, userid, doubtful[start : start + SET], source)
        place["after"] = userid.lower()
        run.save(
            checkpoint | {"friendships": place},
            done=run.job.done + 1,
            follows_missing=len(missing),
            follows_extra=len(extra),
        )
    run.save(tags_named=name_tags_by_customers(client))


def _difference(client: WeComClient, userid: str) -> tuple[set[str], set[str]]:
    try:
        listed = set(client.customer_ids(userid))
    except WeComError as error:
        if concerns_a_member(error):
            return set(), set()
        raise
    known = Follow.objects.filter(staff__userid_key=userid.lower(), half=False, deleted_by_staff_at=None)
    ours = set(known.exclude(ended_by__in=["transfer", "vanished"]).values_list("customer__external_userid", flat=True))
    return listed - ours, ours - listed


def _mend(client: WeComClient, userid: str, external_userids: list[str], source: str) -> None:
    """By reading each of them again: what the listing says may be older than an event of this minute."""
    told = bulk.Told(read_at=timezone.now())
    told.userids[userid.lower()] = userid
    for external_userid, answer in side_by_side(client.customer, external_userids, width=READERS):
        pair = external_userid, userid.lower()
        if isinstance(answer, NotAFriend | NotVisible):
            told.missed.add(pair)
            continue
        if isinstance(answer, Exception):
            raise answer
        told.add_contact(answer.contact)
        for follow in answer.follows:
            told.add_listed(external_userid, follow)
        if pair not in told.listed:
            told.missed.add(pair)
    with transaction.atomic():
        announce(bulk.write_told(told, at=timezone.now(), source=source), source)


def facts_stage(run: JobRun, checkpoint: dict[str, Any], source: str) -> None:
    """Last: what segments ask about customers, compared with what is true of them now."""
    run.save(facts_mended=bulk.rebuild_facts())


_STAGES: dict[str, Stage] = {
    "staff": staff_stage,
    "tags": tags_stage,
    "customers": friendships_stage,
    "groups": groups_stage,
    "facts": facts_stage,
}
