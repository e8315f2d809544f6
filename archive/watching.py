"""敏感词: every message that arrives is looked through for the company's words."""

from collections.abc import Mapping, Sequence

from archive import alerts
from archive.arrivals import Arrival
from archive.conversations import Row
from archive.models import Alert, SensitiveWord
from archive.people import People

By = SensitiveWord.By


def watch(new: Sequence[Arrival], rows: Mapping[str, Row], people: People) -> None:
    words = list(SensitiveWord.objects.filter(archived_at=None))
    if not words:
        return
    found = []
    for one in new:
        if one.is_system:
            continue
        text = one.text.casefold()
        hits = (word for word in words if word.word.casefold() in text and concerns(word, one))
        found += [alert_of(one, word, rows[one.place.key], people) for word in hits]
    if found:
        alerts.put_up(found)


def concerns(word: SensitiveWord, one: Arrival) -> bool:
    return word.by == By.ANYONE or (word.by == By.CUSTOMER) == one.from_customer


def alert_of(one: Arrival, word: SensitiveWord, row: Row, people: People) -> Alert:
    sender = people.staff.get(one.sender.lower())
    return Alert(
        kind=Alert.Kind.WORD,
        key=f"word:{word.pk}:{one.id}",
        conversation_id=row.pk,
        message_id=one.id,
        staff_id=sender or min(row.staff_ids, default=None),
        word=word.word,
    )


def excerpt(text: str, word: str, around: int = 24) -> tuple[str, str, str]:
    """Before, the word as it was written, after: for a page."""
    place = text.casefold().find(word.casefold())
    if place < 0 or not word:
        return text[: 2 * around], "", ""
    end = place + len(word)
    return text[max(0, place - around) : place], text[place:end], text[end : end + around]
