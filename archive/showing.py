"""Messages of one page, ready to be drawn: who said it, in which words, with which files; a fixed number of queries."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext

from archive import kinds, media
from archive.models import ArchivedMedia, ArchivedMessage, Consent, Conversation
from archive.people import OUTSIDE
from contacts.models import Customer, GroupMember
from members.models import Staff

Status = Consent.Status
TOGETHER = 300  # seconds: closer messages stand under one time


@dataclass(slots=True)
class Person:
    name: str
    avatar: str = ""
    ours: bool = False
    known: bool = True


@dataclass(slots=True)
class Part:
    """A message or an item of one, for the template."""

    kind: str
    label: str
    title: str = ""
    lines: list[str] = field(default_factory=list)
    url: str = ""
    seconds: int = 0
    file: ArchivedMedia | None = None
    file_name: str = ""
    inline: bool = False
    items: list["Part"] = field(default_factory=list)
    known: bool = True


@dataclass(slots=True)
class Line:
    message: ArchivedMessage
    person: Person
    part: Part
    ours: bool
    at: datetime | None = None  # written above, where some time has passed
    wanted: bool = False  # whom the link points at

    @property
    def is_system(self) -> bool:
        return self.part.kind in kinds.SYSTEM


def label_of(kind: str) -> str:
    return str(kinds.WORDS.get(kind, kinds.OTHER))


def lines(messages: Sequence[ArchivedMessage], *, wanted: int = 0) -> list[Line]:
    people = people_named(message.sender for message in messages)
    files: dict[int, dict[str, ArchivedMedia]] = {}
    for row in ArchivedMedia.objects.filter(message__in=[message.pk for message in messages]):
        files.setdefault(row.message_id, {})[row.place] = row
    found: list[Line] = []
    before: datetime | None = None
    for message in messages:
        person = people[message.sender]
        part = part_of(kinds.read(message.payload), files.get(message.pk, {}))
        line = Line(message, person, part, person.ours, wanted=message.pk == wanted)
        if before is None or abs((message.at - before).total_seconds()) > TOGETHER:
            line.at = message.at
        before = message.at
        found.append(line)
    return found


def part_of(reading: kinds.Reading, files: dict[str, ArchivedMedia]) -> Part:
    made = Part(
        reading.kind,
        label_of(reading.kind),
        reading.title,
        [line for line in reading.lines if line],
        reading.url,
        reading.seconds,
        known=reading.known,
    )
    if reading.files:
        made.file = files.get(reading.files[0].place)
        made.file_name = reading.files[0].name
        made.inline = made.file is not None and made.file.state == "stored" and made.file.mime in media.SHOWN
    made.items = [part_of(one, files) for one in reading.items]
    return made


def people_named(ids: Iterable[str]) -> dict[str, Person]:
    wanted = set(ids)
    found = {one: Person(one or "—", known=False) for one in wanted}
    by_key: dict[str, list[str]] = {}
    for one in wanted:
        by_key.setdefault(one.lower(), []).append(one)
    for staff in Staff.objects.filter(userid_key__in=by_key):
        for one in by_key[staff.userid_key]:
            found[one] = Person(str(staff), staff.avatar, ours=True)
    for customer in Customer.objects.filter(external_userid__in=wanted):
        found[customer.external_userid] = Person(str(customer), customer.avatar)
    strangers = [one for one, person in found.items() if not person.known and one.startswith(OUTSIDE)]
    if strangers:  # in a group with us, and nobody's customer
        stays = GroupMember.objects.filter(member_id__in=strangers, customer=None).exclude(name="")
        found |= {one: Person(name) for one, name in stays.values_list("member_id", "name")}
    for one in wanted:
        if one.startswith("wb"):
            found[one] = Person(gettext("机器人"), ours=True)
    return found


# -- conversations -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Entry:
    """A conversation as a list shows it, seen from one staff member."""

    row: Conversation
    name: str
    avatar: str = ""
    customer_id: int | None = None
    consent: str = ""
    consent_words: str = ""
    staff: str = ""  # whose conversation it is, where no staff member is looked from


def entries(rows: Sequence[Conversation], seen_from: Staff | None = None) -> list[Entry]:
    customers = Customer.objects.in_bulk({row.customer_id for row in rows if row.customer_id})
    names = people_named(one for row in rows for one in ids_of(row))
    consents = consents_of(rows)
    found = []
    for row in rows:
        customer = customers.get(row.customer_id or 0)
        made = Entry(row, row.title, customer_id=row.customer_id)
        if customer is not None:
            made.name, made.avatar = str(customer), customer.avatar
        elif row.kind == Conversation.Kind.GROUP:
            made.name = row.title or gettext("未命名的群")
        else:
            made.name, made.avatar = other_of(row, names, seen_from)
        if seen_from is None and row.kind == Conversation.Kind.CUSTOMER:
            made.staff = "、".join(names[one].name for one in ids_of(row) if names[one].ours)
        if state := consents.get(row.pk):
            made.consent, made.consent_words = state
        found.append(made)
    return found


def ids_of(row: Conversation) -> list[str]:
    return [one for one in row.key[2:].split("|") if one] if row.key.startswith("p:") else []


def other_of(row: Conversation, names: dict[str, Person], seen_from: Staff | None) -> tuple[str, str]:
    """Of two people the one who is not looked from; a stranger stands before a colleague."""
    mine = seen_from.userid_key if seen_from else ""
    others = [one for one in ids_of(row) if one.lower() != mine] or ids_of(row)
    others.sort(key=lambda one: names[one].ours)
    if not others:
        return "—", ""
    if seen_from is None and row.kind == Conversation.Kind.COLLEAGUE:
        return " · ".join(names[one].name for one in ids_of(row)), ""
    person = names[others[0]]
    return person.name, person.avatar


def consents_of(rows: Sequence[Conversation]) -> dict[int, tuple[str, str]]:
    """The consent of each pair and group that is on the page: its state, and the words for it."""
    pairs = {row.pk: ids_of(row) for row in rows if row.kind == Conversation.Kind.CUSTOMER}
    chats = {row.chat_id: row.pk for row in rows if row.chat_id}
    if not pairs and not chats:
        return {}
    outside = {one for ids in pairs.values() for one in ids}
    by_pair: dict[tuple[str, str], Consent] = {}
    by_chat: dict[str, list[Consent]] = {}
    for consent in Consent.objects.filter(Q(external_userid__in=outside, chat_id="") | Q(chat_id__in=chats)):
        by_pair[consent.external_userid, consent.userid.lower()] = consent
        by_chat.setdefault(consent.chat_id, []).append(consent)
    found = {}
    for pk, ids in pairs.items():
        for one, other in _orders(ids):
            if (told := by_pair.get((one, other.lower()))) and not told.chat_id:
                found[pk] = told.status, told.get_status_display()
    for chat_id, pk in chats.items():
        if told_there := by_chat.get(chat_id):
            found[pk] = together(told_there)
    return found


def together(consents: Sequence[Consent]) -> tuple[str, str]:
    """Of a group: who refused is named first."""
    refused = sum(one.status == Status.DISAGREED for one in consents)
    agreed = sum(one.status == Status.AGREED for one in consents)
    if refused:
        return Status.DISAGREED, gettext("{n} 人不同意").format(n=refused)
    if agreed:
        return Status.AGREED, gettext("{n} 人已同意").format(n=agreed)
    return Status.BY_DEFAULT, str(Status.BY_DEFAULT.label)


@dataclass(slots=True)
class MemberConsent:
    """What one member of a group said."""

    person: Person
    status: str
    words: str
    changed_at: datetime | None


def consents_in(chat_id: str) -> list[MemberConsent]:
    """Of each customer who is in the group now; who refused stands first."""
    here = GroupMember.objects.filter(chat__chat_id=chat_id, left_at=None).values("member_id")
    rows = list(Consent.objects.filter(chat_id=chat_id, external_userid__in=here)[:500]) if chat_id else []
    people = people_named(row.external_userid for row in rows)
    order = [Status.DISAGREED, Status.AGREED, Status.BY_DEFAULT]
    rows.sort(key=lambda row: (order.index(Status(row.status)), people[row.external_userid].name))
    return [
        MemberConsent(people[row.external_userid], row.status, row.get_status_display(), row.changed_at) for row in rows
    ]


def _orders(ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    if len(ids) == 2:
        yield ids[0], ids[1]
        yield ids[1], ids[0]
