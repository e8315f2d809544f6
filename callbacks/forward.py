"""Events of companies that the door did not know yet wait with the platform, and go to their tenants from there."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from callbacks.companies import Company, companies_of
from callbacks.stored import Item, mark_done, mark_failed
from callbacks.wake import marks, send_quietly
from tenants.events import NotYet
from tenants.models import CorpApp

CODE_LIVES = timedelta(seconds=20)
WAIT = timedelta(days=1)
AGAIN = timedelta(minutes=1)
NOBODYS = "no company of ours"

_MOVE = """
UPDATE public.callbacks_inbox SET tenant_id = %s, urgent = %s
WHERE event_day = %s AND id = %s AND status = 'new' AND tenant_id <> %s RETURNING lane
"""


def hand_over(items: Sequence[Item]) -> None:
    """Events of companies that the door did not know yet: to their tenants, once they have one. Within a day."""
    strangers: list[Item] = []
    for suite_id, found in _by_suite(items).items():
        suite = CorpApp.objects.filter(lane=CorpApp.Lane.SUITE, suite_id=suite_id).first()
        companies = companies_of(suite) if suite is not None else {}
        for item in found:
            company = companies.get(item.event.corp_id)
            if company is None:
                strangers.append(item)
            else:
                _move(item, company)
    _wait(strangers)


def _move(item: Item, company: Company) -> None:
    event, row = item.event, item.row
    urgent = bool(event.welcome_code) and not row.suspect and timezone.now() - event.at < CODE_LIVES
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [company.tenant_id, urgent, row.event_day, row.id, company.tenant_id])
        moved = cursor.fetchone()
    if moved is not None and company.schema:
        send_quietly(marks(), (company.schema, str(moved[0])))


def _wait(items: Iterable[Item]) -> None:
    now = timezone.now()
    late = [item for item in items if item.event.at < now - WAIT]
    if late:
        mark_done(late, NOBODYS)
    mark_failed([(item.row, NotYet(now + AGAIN)) for item in items if item.event.at >= now - WAIT])


def _by_suite(items: Iterable[Item]) -> dict[str, list[Item]]:
    suites: dict[str, list[Item]] = {}
    for item in items:
        suites.setdefault(item.event.suite_id or "", []).append(item)
    return suites
