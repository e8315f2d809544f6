"""Events of companies that the door did not know yet wait with the platform, and go to their tenants from there."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from callbacks.companies import Company, companies_of
from callbacks.stored import Item, mark_done, mark_failed
from callbacks.wake import Place, marks, send_quietly
from tenants.events import NotYet
from tenants.models import CorpApp

CODE_LIVES = timedelta(seconds=20)
WAIT = timedelta(days=1)
AGAIN = timedelta(minutes=1)
SOON_FOR = timedelta(minutes=15)  # an authorisation takes no longer; then a person has to say whose company it is
SELDOM = timedelta(minutes=10)
NOBODYS = "no company of ours"

_MOVE = """
UPDATE public.callbacks_inbox SET tenant_id = %s, urgent = %s
WHERE event_day = %s AND id = %s AND status = 'new' AND tenant_id <> %s RETURNING lane
"""


def hand_over(items: Sequence[Item]) -> None:
    """Events of companies that the door did not know yet: to their tenants, once they have one. Within a day."""
    strangers: list[Item] = []
    places: set[Place] = set()
    for receiver_id, found in _by_receiver(items).items():  # not all events name their suite
        suite = CorpApp.objects.filter(lane=CorpApp.Lane.SUITE, receivers__pk=receiver_id).first()
        companies = companies_of(suite) if suite is not None else {}
        for item in found:
            company = companies.get(item.event.corp_id)
            if company is None:
                strangers.append(item)
            else:
                places |= _move(item, company)
    if places:
        client = marks()
        for place in places:
            send_quietly(client, place)
    _wait(strangers)


def _move(item: Item, company: Company) -> set[Place]:
    """Who is to be woken for it: nobody, where somebody else moved it or the company is not served."""
    event, row = item.event, item.row
    urgent = bool(event.welcome_code) and not row.suspect and timezone.now() - event.at < CODE_LIVES
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [company.tenant_id, urgent, row.event_day, row.id, company.tenant_id])
        moved = cursor.fetchone()
    return {(company.schema, str(moved[0]))} if moved is not None and company.schema else set()


def _wait(items: Iterable[Item]) -> None:
    now = timezone.now()
    late = [item for item in items if item.event.at < now - WAIT]
    if late:
        mark_done(late, NOBODYS)
    waiting = [item for item in items if item.event.at >= now - WAIT]
    mark_failed([(item.row, NotYet(now + (AGAIN if item.event.at > now - SOON_FOR else SELDOM))) for item in waiting])


def _by_receiver(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.row.receiver_id, []).append(item)
    return found
