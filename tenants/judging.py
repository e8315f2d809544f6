"""What an attempt's failure means for its call: try again, wait for a person, look it up, or give up."""

import random
from datetime import datetime, timedelta

from django.utils import timezone

from tenants import breaker
from tenants.limits import HeldBack
from tenants.models import CorpApp, OutgoingCall
from tenants.outcomes import Verdict
from tenants.tokens import mark_broken
from wecom.endpoints import Kind
from wecom.errors import (
    WeComBusy,
    WeComError,
    WeComMisconfigured,
    WeComRateLimited,
    WeComRefused,
    WeComUnavailable,
    WeComUnknown,
    WelcomeBusy,
    WelcomeExpired,
    WelcomeTaken,
)

State = OutgoingCall.State

DELAYS = (5, 30, 120, 600, 3600, 10_800, 21_600, 43_200)
ATTEMPTS = len(DELAYS)
OLDEST = timedelta(hours=24)
"""How long a call is kept alive through limits and outages, which burn no attempts."""
LOOK_UP_AFTER = timedelta(seconds=10)
DUPLICATE_CHECK = timedelta(minutes=25)
"""Inside WeCom's duplicate check of half an hour a repeated app message is dropped by WeCom itself (path/90236)."""

APP_WIDE = frozenset({40001, 40013, 40056, 40084, 41002, 41004, 50003, 60020, 60031, 301002, 301007, 48004, 48006})
"""Faults of the app as a whole: all its calls would end in the same way, so none is made until it is mended."""


def refuse_broken(app: CorpApp) -> None:
    """Not even asked: what is wrong is known and concerns every call of the app."""
    if app.state == CorpApp.State.BROKEN and app.state_code in APP_WIDE:
        raise WeComMisconfigured(app.state_code, "the app waits to be mended", app.state_call)


def judge(call: OutgoingCall, kind: Kind, error: Exception) -> Verdict:
    """The verdict over a failed attempt."""
    if not isinstance(error, WeComError):
        return _again(call, None, f"internal: {type(error).__name__}")
    code, message = error.code, error.message
    if isinstance(error, HeldBack):
        return _wait(call, error.wait, code, message)
    if isinstance(error, WelcomeBusy):
        return _wait(call, 1.0, code, message) if call.deadline else Verdict(State.DEAD, code, message)
    if isinstance(error, WelcomeTaken):
        return Verdict(State.OK, code, message)
    if isinstance(error, WelcomeExpired):
        return _welcome_used(call, error)
    if isinstance(error, WeComMisconfigured):
        return _park(call, error)
    if isinstance(error, WeComRefused):
        return Verdict(State.DEAD, code, message, burned=True)
    if isinstance(error, WeComUnknown):
        return _lost(call, kind, error)
    if isinstance(error, WeComBusy):
        return _wait(call, random.uniform(0.5, 3.0), code, message)
    if isinstance(error, WeComRateLimited):
        return _wait(call, 60.0, code, message)
    if isinstance(error, WeComUnavailable) and (rest := breaker.outage_seconds(call.app, error.call)):
        return _wait(call, rest + random.uniform(0, 2), code, message)
    return _again(call, code, message)


def _wait(call: OutgoingCall, seconds: float, code: int, message: str) -> Verdict:
    """Not this call's fault: it keeps its attempts, for a day."""
    now = timezone.now()
    if now - call.created_at > OLDEST:
        return Verdict(State.DEAD, code, message)
    return Verdict(State.PENDING, code, message, due_at=_in_time(call, now + timedelta(seconds=seconds)))


def _again(call: OutgoingCall, code: int | None, message: str) -> Verdict:
    """By the schedule, with full jitter; a call with a deadline is tried each second until then."""
    if call.deadline is None and call.attempts + 1 >= ATTEMPTS:
        return Verdict(State.DEAD, code, message, burned=True)
    longest = 1.5 if call.deadline else DELAYS[call.attempts]
    due_at = timezone.now() + timedelta(seconds=random.uniform(0, longest))
    return Verdict(State.PENDING, code, message, due_at=_in_time(call, due_at), burned=True)


def _in_time(call: OutgoingCall, due_at: datetime) -> datetime:
    return min(due_at, call.deadline) if call.deadline else due_at


def _park(call: OutgoingCall, error: WeComMisconfigured) -> Verdict:
    """Waits for a person; `due_at` keeps the order in which parked calls are tried by way of trial."""
    if error.code in APP_WIDE and call.app.state != CorpApp.State.BROKEN:
        mark_broken(call.app, error.code, error.call)
    if call.deadline is not None:  # too late by the time that somebody has mended it
        return Verdict(State.DEAD, error.code, error.message)
    return Verdict(State.PARKED, error.code, error.message, due_at=timezone.now())


def _welcome_used(call: OutgoingCall, error: WelcomeExpired) -> Verdict:
    """After an attempt whose answer was lost, a used code says that the message went out."""
    if call.attempts:
        return Verdict(State.OK, error.code, error.message)
    return Verdict(State.EXPIRED, error.code, error.message)


def _lost(call: OutgoingCall, kind: Kind, error: WeComUnknown) -> Verdict:
    """The answer was lost. Creates are never repeated blindly."""
    if kind.repeatable or kind is Kind.ONE_SHOT:
        return _again(call, error.code, error.message)
    if kind is Kind.MESSAGE and timezone.now() - call.created_at < DUPLICATE_CHECK:
        return _again(call, error.code, error.message)
    look_up_at = timezone.now() + LOOK_UP_AFTER
    return Verdict(State.UNKNOWN, error.code, error.message, due_at=look_up_at, burned=True)
