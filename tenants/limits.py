"""Every call of the product to WeCom passes here: the breaker may hold it back, the budget may make it wait."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, InterfaceError

from tenants import breaker, budgets
from tenants.models import ApiBreaker, CorpApp, OutgoingCall
from wecom.errors import WeComBusy, WeComError, WeComRateLimited, WeComUnavailable, WeComUnknown
from wecom.exchange import Body, Watch

logger = logging.getLogger(__name__)

PATIENCE = {OutgoingCall.Priority.WELCOME: 3.0, OutgoingCall.Priority.INTERACTIVE: 2.0}
BULK_PATIENCE = 5.0


class HeldBack(WeComRateLimited):
    """We did not call: our own budget is used up, or the API rests. `wait` says for how many seconds."""

    wait: float = 1.0


def held_back(api: str, wait: float, why: str) -> HeldBack:
    error = HeldBack(45009, why, api)
    error.wait = wait
    return error


def refuse_resting(app: CorpApp, api: str, priority: int) -> None:
    rest = breaker.rest_of(app, api, urgent=priority == OutgoingCall.Priority.WELCOME)
    if rest > 0:
        raise held_back(api, rest, "this API rests after WeCom limited it or failed")


def refuse_flood(app: CorpApp, message: Mapping[str, Any]) -> None:
    """WeCom drops what a member is sent beyond its limit without telling anybody: such a message waits for its turn."""
    userids = [part for part in str(message.get("touser") or "").split("|") if part]
    wait = budgets.take_members(app.corp_id, app.agent_id, userids) if userids else 0.0
    if wait > 0:
        raise held_back("message/send", wait, "a receiver has had as many messages as WeCom shows in a minute")


def gate_for(app: CorpApp, priority: int, *, patience: float | None = None) -> Callable[[str], None]:
    """What a client asks before each request: its share of the budget."""
    wait_at_most = PATIENCE.get(OutgoingCall.Priority(priority), BULK_PATIENCE) if patience is None else patience
    bulk = priority >= OutgoingCall.Priority.NOTICE

    def gate(api: str) -> None:
        if api == "gettoken":
            refuse_resting(app, api, priority)
        end = time.monotonic() + wait_at_most
        while (wait := budgets.take(app.corp_id, api, bulk=bulk)) > 0:
            if time.monotonic() + wait > end:
                raise held_back(api, wait, "our budget of calls is used up")
            time.sleep(min(wait, 0.5))

    return gate


def watch_for(app: CorpApp, priority: int) -> Watch:
    """What stands around each call of a client: failures open the breaker of the API, successes close it."""

    @contextmanager
    def watched(api: str, body: Body) -> Iterator[None]:
        refuse_resting(app, api, priority)  # once a call: a renewed token is the same probe
        if api == "message/send" and isinstance(body, Mapping):
            refuse_flood(app, body)
        try:
            yield
        except HeldBack:
            raise
        except WeComError as error:
            with by_the_way():
                note_failure(app, error)
            raise
        with by_the_way():
            breaker.close(app, api)

    return watched


@contextmanager
def by_the_way() -> Iterator[None]:
    """Postgres that is away must not hide how the call ended: a create would pass for never made, and be repeated."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        logger.warning("how a call to WeCom ended was not noted at its breaker: %s", str(error).strip()[:200])


def note_failure(app: CorpApp, error: WeComError) -> None:
    """Limits and outages rest the API; a refusal is an answer, so WeCom is there."""
    if isinstance(error, WeComRateLimited):
        budgets.slow_down(app.corp_id, error.call)
        breaker.trip(app, error.call, ApiBreaker.Reason.LIMITED)
    elif isinstance(error, WeComBusy):
        return
    elif isinstance(error, WeComUnavailable):
        if error.code <= 0 or 500 <= error.code < 600:
            breaker.trip(app, error.call, ApiBreaker.Reason.OUTAGE)
    elif isinstance(error, WeComUnknown):
        if 500 <= error.code < 600:
            breaker.trip(app, error.call, ApiBreaker.Reason.OUTAGE)
    else:
        breaker.close(app, error.call)
