"""同意情况: whether customers agreed to be archived, as they said it in the chat and as WeCom answers when asked."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.db.models.functions import Lower
from django.utils import timezone

from archive import kinds
from archive.access import access
from archive.arrivals import Arrival
from archive.models import Consent
from archive.people import People
from contacts.models import Follow, GroupChat, GroupMember
from tenants import jobs
from tenants.current import wecom_client
from tenants.jobs import JobRun
from tenants.models import Job
from wecom.errors import WeComError

JOB = "consents"
UNKNOWN = frozenset({301061, 40003, 40096, 84061, 60111})  # ids that WeCom does not know (any more)
UNKNOWN_GROUP = frozenset({301059, 92002})  # none of this corp's groups with customers
ASKED = 100  # pairs a call (wecom-api.md 7.5)
STATUS = {
    "Agree": Consent.Status.AGREED,
    "Disagree": Consent.Status.DISAGREED,
    "Default_Agree": Consent.Status.BY_DEFAULT,
}
SAID = {"agree": Consent.Status.AGREED, "disagree": Consent.Status.DISAGREED}
Pair = tuple[str, str]  # userid, external_userid


def told_by(new: Sequence[Arrival], people: People) -> None:
    """The lines 同意 and 不同意 of the chats themselves."""
    rows: dict[tuple[str, str, str], Consent] = {}
    for one in sorted((one for one in new if one.reading.kind in SAID), key=lambda one: one.at):
        body = kinds.body_of(one.reading.kind, one.payload.value)
        customer = kinds.word(body.get("userid")) or one.sender
        staff = next((who for who in one.place.people if not people.is_outside(who)), "")
        key = customer[:64], "" if one.place.chat_id else staff, one.place.chat_id
        rows[key] = consent(key, SAID[one.reading.kind], one.at)
    if rows:
        save_news(list(rows.values()))


def consent(key: tuple[str, str, str], status: str, changed_at: datetime | None) -> Consent:
    customer, userid, chat_id = key
    return Consent(
        external_userid=customer,
        userid=userid,
        chat_id=chat_id,
        status=status,
        changed_at=changed_at,
        checked_at=timezone.now(),
    )


def save(rows: Iterable[Consent]) -> None:
    Consent.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["external_userid", "userid", "chat_id"],
        update_fields=["status", "changed_at", "checked_at"],
    )


def save_news(rows: Sequence[Consent]) -> None:
    """What was said or told at a time: it may come late, and leaves alone what is known to be newer."""
    there = Consent.objects.filter(external_userid__in=[row.external_userid for row in rows], changed_at__isnull=False)
    newest = {(row.external_userid, row.userid, row.chat_id): row.changed_at for row in there}
    save(
        row
        for row in rows
        if row.changed_at is None
        or row.changed_at >= (newest.get((row.external_userid, row.userid, row.chat_id)) or row.changed_at)
    )


def check_later(by: str = "schedule") -> Job | None:
    return jobs.start(JOB, by=by) if access() is not None else None


def check(run: JobRun) -> None:
    """The job: all friendships and groups of archived members; goes on where it stopped."""
    if access() is None:
        return
    client = wecom_client("archive")
    permitted = {str(one).lower() for one in client.call("msgaudit/get_permit_user_list", {}).get("ids") or ()}
    for last, pairs in friendships(int(run.checkpoint.get("after", 0)), permitted):
        run.proceed()
        rows = [row for answer in ask(client, pairs) for row in read(answer)]
        save(rows)
        run.save(run.checkpoint | {"after": last}, consents=len(rows))
    for last, chat_id in groups(int(run.checkpoint.get("groups", 0)), permitted):
        run.proceed()
        rows = list(read(ask_group(client, chat_id), chat_id))
        save(rows)
        run.save(run.checkpoint | {"groups": last}, consents=len(rows))


def friendships(after: int, permitted: set[str]) -> Iterator[tuple[int, list[Pair]]]:
    while True:
        follows = Follow.objects.filter(pk__gt=after, ended_at=None, staff__userid_key__in=permitted).order_by("pk")
        found = list(follows.values_list("pk", "staff__userid", "customer__external_userid")[:ASKED])
        if not found:
            return
        after = found[-1][0]
        yield after, [(userid, customer) for _pk, userid, customer in found]


def groups(after: int, permitted: set[str]) -> Iterator[tuple[int, str]]:
    """Those in which an archived member and a customer are."""
    ours = GroupMember.objects.filter(chat=OuterRef("pk"), left_at=None)
    archived = ours.filter(kind=GroupMember.Kind.STAFF).annotate(key=Lower("member_id")).filter(key__in=permitted)
    outsiders = ours.filter(kind=GroupMember.Kind.OUTSIDER)
    rows = GroupChat.objects.filter(Exists(outsiders), Exists(archived), dismissed_at=None).order_by("pk")
    yield from list(rows.filter(pk__gt=after).values_list("pk", "chat_id"))


def ask_group(client: Any, chat_id: str) -> dict[str, Any]:
    """All outsiders of one group; a group that WeCom does not know (any more) has none."""
    try:
        answer: dict[str, Any] = client.call("msgaudit/check_room_agree", {"roomid": chat_id})
    except WeComError as error:
        if error.code not in UNKNOWN_GROUP:
            raise
        return {}
    return answer


def ask(client: Any, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """One pair that WeCom does not know (301061) refuses the whole call: it is found by halving, and left out."""
    info = [{"userid": userid, "exteranalopenid": customer} for userid, customer in pairs]
    try:
        yield client.call("msgaudit/check_single_agree", {"info": info})
    except WeComError as error:
        if error.code not in UNKNOWN:
            raise
        if len(pairs) > 1:
            half = len(pairs) // 2
            yield from ask(client, pairs[:half])
            yield from ask(client, pairs[half:])


def read(answer: dict[str, Any], chat_id: str = "") -> Iterator[Consent]:
    for row in answer.get("agreeinfo") or ():
        status = STATUS.get(str(row.get("agree_status")))
        customer, userid = kinds.word(row.get("exteranalopenid"))[:64], kinds.word(row.get("userid"))[:64]
        seconds = kinds.number(row.get("status_change_time"))
        changed_at = datetime.fromtimestamp(seconds, UTC) if seconds else None
        if status and customer:
            yield consent((customer, userid, chat_id), status, changed_at)
