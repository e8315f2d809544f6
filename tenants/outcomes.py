"""How an outgoing call ends: its row, and what its owner does about it, in one transaction."""

import json
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from tenants.db import commit_asynchronously, connection
from tenants.keys import unseal
from tenants.models import OutgoingCall
from wecom.client import WeComClient
from wecom.endpoints import endpoint_of
from wecom.errors import WeComError

logger = logging.getLogger(__name__)

State = OutgoingCall.State
FINAL = frozenset({State.OK, State.DEAD, State.EXPIRED, State.IGNORED})
_SETTLED = ["state", "leased_until", "result", "result_code", "result_message", "due_at", "attempts", "finished_at"]
LARGEST_RESULT = 20_000
SHORT_VALUE = 500

Reconciler = Callable[[OutgoingCall, dict[str, Any], WeComClient], dict[str, Any] | None]

OUTCOMES: dict[str, Callable[[OutgoingCall], None]] = {}
"""By purpose; filled by scrm/wiring.py. Called once a call is final, in the tenant's schema and the transaction that
records it. WeCom must not be called from here."""

RECONCILERS: dict[str, Reconciler] = {}
"""By API: looks up in WeCom whether a create whose answer was lost was done. Its answer if so, None if it was not."""

Mender = Callable[[OutgoingCall, dict[str, Any]], dict[str, Any] | None]

MENDERS: dict[type[WeComError], Mender] = {}
"""By what WeCom refused a call for: makes a body that it will take, or None. Such a call is sent once more, at once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt came to. `burned` counts it as one of the attempts that a call has."""

    state: str
    code: int | None = None
    message: str = ""
    result: dict[str, Any] | None = None
    due_at: datetime | None = None
    burned: bool = False


def body_of(call: OutgoingCall) -> dict[str, Any]:
    """What is sent to WeCom; sealed in the row as it may hold names, phones and texts."""
    return cast(dict[str, Any], json.loads(unseal(call.tenant_id, body_name(call), bytes(call.body))))


def body_name(call: OutgoingCall) -> str:
    return body_name_for(call.idem_key)


def body_name_for(idem_key: str) -> str:
    """What a body's seal is bound to: the key is known before the row has a number, and never changes."""
    return f"tenants_outgoingcall|body|{idem_key}"


def settle(call: OutgoingCall, verdict: Verdict) -> bool:
    """Record what the attempt came to; False when somebody else has settled the call meanwhile.

    The answer of WeCom must not be lost to a lost connection, so the transaction is tried again for a while.
    """
    for pause in (0.2, 1.0, 3.0, 5.0, 0.0):
        try:
            return _settle(call, verdict)
        except (OperationalError, InterfaceError):
            if not pause or connection.in_atomic_block:
                raise
            logger.warning("outgoing call %s: could not be recorded, trying again", call.pk)
            connection.close()
            time.sleep(pause)
    raise AssertionError("unreachable")


def _settle(call: OutgoingCall, verdict: Verdict) -> bool:
    with _in_tenant_of(call), transaction.atomic():
        if is_found_again(call):
            commit_asynchronously()
        row = OutgoingCall.objects.select_for_update().defer("body").get(pk=call.pk)
        if row.state in FINAL:
            return False
        if verdict.state not in FINAL and not _same_lease(row, call):
            return False
        _write(row, verdict)
        if row.state in FINAL:
            tell_owner(row)
    for field in ("state", "attempts", "due_at", "result", "result_code", "result_message", "note", "finished_at"):
        setattr(call, field, getattr(row, field))
    return True


def _same_lease(row: OutgoingCall, call: OutgoingCall) -> bool:
    return row.state == call.state and row.leased_until == call.leased_until


def _write(row: OutgoingCall, verdict: Verdict) -> None:
    row.state = verdict.state
    row.leased_until = None
    row.result_code = verdict.code
    row.result_message = verdict.message[:300]
    if verdict.result is not None:
        row.result = short(verdict.result)
    if verdict.due_at is not None:
        row.due_at = verdict.due_at
    if verdict.burned:
        row.attempts += 1
    if row.state in FINAL:
        row.finished_at = timezone.now()
    row.save(update_fields=_SETTLED)


def is_found_again(call: OutgoingCall) -> bool:
    """Whether a crash of Postgres just after WeCom's answer, which takes our note of it back, needs nobody's eye: the
    call is made again without harm, or looked up before. All others wait for the disk."""
    return endpoint_of(call.api).kind.repeatable or call.api in RECONCILERS


def short(result: dict[str, Any]) -> dict[str, Any]:
    """Of an answer that is too long to keep, what is short in it: the ids it was made for."""
    if len(json.dumps(result)) <= LARGEST_RESULT:
        return result
    return {name: value for name, value in result.items() if len(json.dumps(value)) <= SHORT_VALUE} | {
        "too_large": True
    }


def tell_owner(row: OutgoingCall) -> None:
    """Run the handler of the purpose. Its failure must not make us call WeCom again: it is noted and shown."""
    handler = OUTCOMES.get(row.purpose)
    if handler is None:
        return
    try:
        with transaction.atomic():
            handler(row)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("outgoing call %s: the handler of %s failed", row.pk, row.purpose)
        row.note = f"outcome failed: {type(error).__name__}"[:200]
        row.save(update_fields=["note"])


def _in_tenant_of(call: OutgoingCall) -> AbstractContextManager[object]:
    here = connection.schema_name == call.tenant.schema_name
    return nullcontext() if here else cast("AbstractContextManager[object]", call.tenant)
