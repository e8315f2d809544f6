"""What was opened becomes rows: messages, conversations, files, consents, alerts. One chunk, one transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from archive import consents, conversations, kinds, watching
from archive.arrivals import Arrival, Outcome, Payload, Sealed
from archive.models import PullCursor
from archive.people import People, known, people_of, place_of
from archive.signals import messages_arrived
from contacts import bulk
from tenants.db import commit_asynchronously
from tenants.staging import numbers, one_writer, stage

SUBJECT = "archive"
_MESSAGES = {
    "msgid": "text",
    "seq": "bigint",
    "conversation_id": "bigint",
    "action": "text",
    "kind": "text",
    "sender": "text",
    "from_customer": "boolean",
    "at": "timestamptz",
    "text": "text",
    "payload": "jsonb",
    "revokes": "text",
}
_INSERT = f"""
INSERT INTO archive_archivedmessage ({", ".join(_MESSAGES)})
SELECT {", ".join(_MESSAGES)} FROM pg_temp.stage_messages ON CONFLICT (msgid) DO NOTHING RETURNING msgid, id
"""  # noqa: S608  columns of this file
_REVOKE = """
UPDATE archive_archivedmessage m SET revoked_at = r.at FROM archive_archivedmessage r
WHERE r.id = ANY(%s) AND r.revokes <> '' AND m.msgid = r.revokes AND m.revoked_at IS NULL
"""
_REVOKED = """
UPDATE archive_archivedmessage m SET revoked_at = r.at FROM archive_archivedmessage r
WHERE m.id = ANY(%s) AND r.revokes = m.msgid AND r.revokes <> '' AND m.revoked_at IS NULL
"""  # the revoke may come before what it takes back, when that waited for its key
_MEDIA = {"message_id": "bigint", "fileid": "text", "place": "text", "size": "bigint"}
_INSERT_MEDIA = """
INSERT INTO archive_archivedmedia (message_id, fileid, place, size, state, index, attempts, mime, key)
SELECT message_id, fileid, place, size, 'waiting', '', 0, '', '' FROM pg_temp.stage_media
ON CONFLICT (message_id, place) DO NOTHING
"""
_ENVELOPES = {"id": "bigint", "state": "text", "reason": "text"}
_CLOSE = """
UPDATE archive_envelope e SET state = s.state, reason = s.reason,
    body = CASE s.state WHEN 'opened' THEN '' ELSE e.body END,
    random_key = CASE s.state WHEN 'opened' THEN '' ELSE e.random_key END
FROM pg_temp.stage_outcomes s WHERE s.id = e.id
"""


@transaction.atomic
def store(outcomes: Sequence[Outcome]) -> None:
    """Messages that are there already change nothing, so a chunk may be stored again."""
    opened = [outcome for outcome in outcomes if outcome.payload is not None]
    commit_asynchronously()
    with connection.cursor() as cursor:
        one_writer(cursor, SUBJECT)
        if opened:
            store_messages(cursor, opened)
        stage(cursor, "stage_outcomes", _ENVELOPES, [(one.envelope.pk, str(one.state), one.reason) for one in outcomes])
        cursor.execute(_CLOSE)


def store_messages(cursor: Any, opened: Sequence[Outcome]) -> None:
    said = [(one.envelope, one.payload, people_of(one.payload.value)) for one in opened if one.payload]
    people = known(
        (one for _, _, ids in said for one in ids),
        (kinds.word(payload.value.get("roomid")) for _, payload, _ in said),
    )
    arrivals = [arrival_of(envelope, payload, ids, people) for envelope, payload, ids in said]
    places = conversations.ensure(cursor, [one.place for one in arrivals])
    for one in arrivals:
        one.conversation = places[one.place.key].pk
    stage(cursor, "stage_messages", _MESSAGES, [row_of(one) for one in arrivals])
    cursor.execute(_INSERT)
    ids = dict(cursor.fetchall())
    new = []
    for one in arrivals:  # the same message twice in a chunk counts once
        if found := ids.pop(one.envelope.msgid, None):
            one.id = found
            new.append(one)
    if new:
        follow_up(cursor, new, places, people)


def follow_up(cursor: Any, new: list[Arrival], places: dict[str, conversations.Row], people: People) -> None:
    """All that a new message brings with it."""
    ids = [one.id for one in new]
    if any("revoke" in one.payload.value for one in new):
        cursor.execute(_REVOKE, [numbers(ids)])
    cursor.execute(_REVOKED, [numbers(ids)])
    media = [(one.id, file.fileid, file.place[:24], file.size) for one in new for file in one.files]
    if media:
        stage(cursor, "stage_media", _MEDIA, media)
        cursor.execute(_INSERT_MEDIA)
    conversations.grow(cursor, new, places, people)
    consents.told_by(new, people)
    watching.watch(new, places, people)
    bulk.touch(last_message_at=last_messages(new, people))
    newest = max(one.at for one in new)
    PullCursor.objects.filter(only=True).exclude(newest_at__gt=newest).update(newest_at=newest)
    transaction.on_commit(lambda: messages_arrived.send(None, message_ids=ids), robust=True)


def arrival_of(envelope: Sealed, payload: Payload, ids: list[str], people: People) -> Arrival:
    reading, place = kinds.read(payload.value), place_of(payload.value, ids, people)
    sender = ids[0] if ids else ""
    outside = people.is_outside(sender)
    files = list(reading.all_files())[:100]
    return Arrival(envelope, payload, reading, place, sender, said_at(payload.value), outside, reading.text, files)


def said_at(payload: dict[str, Any]) -> datetime:
    """`msgtime` in milliseconds; a moment that cannot be is the moment we read it."""
    try:
        at = datetime.fromtimestamp(int(payload.get("msgtime") or payload["time"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return timezone.now()
    return at if 2000 < at.year < 2200 else timezone.now()


def row_of(one: Arrival) -> tuple[object, ...]:
    value = one.payload.value
    revoke = value.get("revoke")
    revokes = kinds.word(revoke.get("pre_msgid"))[:128] if isinstance(revoke, dict) else ""
    return (
        one.envelope.msgid,
        one.envelope.seq,
        one.conversation,
        kinds.word(value.get("action"))[:8] or "send",
        one.reading.kind[:32],
        one.sender,
        one.from_customer,
        one.at,
        one.text,
        one.payload.text,
        revokes,
    )


def last_messages(new: Sequence[Arrival], people: People) -> dict[int, datetime]:
    """Of customers: what passes between the two, and in groups what they say themselves."""
    found: dict[int, datetime] = {}
    for one in new:
        customer = people.customers.get(one.place.customer or (one.sender if one.from_customer else ""))
        if customer and not one.is_system:
            found[customer] = max(found.get(customer, one.at), one.at)
    return found
