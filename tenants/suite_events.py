"""What WeCom tells a provider about its suites, in the public schema: no company's data is meant."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.utils import timezone

from tenants import authorising
from tenants.events import NotYet, Owner, Reading
from tenants.models import CorpApp
from tenants.suites import keep_ticket, suite_of
from wecom.errors import WeComError, WeComMisconfigured
from wecom.events import Event

CODE_LIVES = timedelta(minutes=10)
AGAIN = timedelta(seconds=15)


def _nothing(events: Sequence[Event], reading: Reading) -> None:
    """What these events ask for was kept while it was read: WeCom says it once."""


def _tickets_came(events: Sequence[Event], reading: Reading) -> None:
    for event in events:
        keep_ticket(event.suite_id or "", event.text("SuiteTicket"), event.at)


def _each(act: Callable[[Event], object]) -> Callable[[Sequence[Event]], Reading]:
    """Reads event by event. While a code lives it waits for what a person or the next ticket mends."""

    def read(events: Sequence[Event]) -> Reading:
        reading = Reading()
        for event in events:
            try:
                act(event)
            except WeComMisconfigured as error:
                now = timezone.now()
                reading.errors[event.order_key] = NotYet(now + AGAIN) if event.at > now - CODE_LIVES else error
            except WeComError as error:
                reading.errors[event.order_key] = error
        return reading

    return read


def _authorised(event: Event) -> None:
    authorising.accept(suite_of(event.suite_id or ""), event.text("AuthCode"), event.state, at=event.at)


def _changed(event: Event) -> None:
    """Range or rights are others now: looked at again within the minute."""
    for app in _apps(event):
        authorising.learn(app)
        CorpApp.objects.filter(pk=app.pk).update(state=CorpApp.State.UNCHECKED)


def _withdrawn(events: Sequence[Event], reading: Reading) -> None:
    for event in events:
        for app in _apps(event):
            authorising.withdrawn(app, event.at)


def _apps(event: Event) -> list[CorpApp]:
    found = CorpApp.objects.filter(lane=CorpApp.Lane.PROVIDER, suite_id=event.suite_id or "", corp_id=event.corp_id)
    return list(found.select_related("tenant"))


OWNERS = {
    "suite_ticket": Owner(_tickets_came),
    "create_auth": Owner(_nothing, _each(_authorised)),
    "reset_permanent_code": Owner(_nothing, _each(_authorised)),
    "change_auth": Owner(_nothing, _each(_changed)),
    "cancel_auth": Owner(_withdrawn),
}
