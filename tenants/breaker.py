"""The breaker: after a 45009, or while WeCom is down, an API of one app rests, then one probe asks whether it is over.

It stands in Postgres, so all processes rest together; other APIs and other apps go on.
"""

import logging
import threading
import time
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.utils import timezone

from tenants.models import ApiBreaker, CorpApp

logger = logging.getLogger(__name__)

RESTS: dict[str, tuple[float, ...]] = {
    ApiBreaker.Reason.LIMITED: (60, 300, 3600),  # the lengths of WeCom's own bans (path/90454)
    ApiBreaker.Reason.OUTAGE: (2, 5, 15, 30, 60),
}
PROBE_SECONDS = 30
SEEN_SECONDS = 1.0
OUTAGE_LEVEL = 2
"""From the third failure in a row on it is WeCom that is down, and not this call that is odd."""

TRIP = """
INSERT INTO public.tenants_apibreaker (app_id, api, reason, level, open_until)
VALUES (%(app)s, %(api)s, %(reason)s, 0,
        statement_timestamp() + make_interval(secs => (%(rests)s::float[])[1]))
ON CONFLICT (app_id, api) DO UPDATE SET
    level = CASE WHEN tenants_apibreaker.reason = excluded.reason
                 THEN LEAST(tenants_apibreaker.level + 1, %(last)s) ELSE 0 END,
    open_until = statement_timestamp() + make_interval(secs => (%(rests)s::float[])[1 + CASE
        WHEN tenants_apibreaker.reason = excluded.reason
        THEN LEAST(tenants_apibreaker.level + 1, %(last)s) ELSE 0 END]),
    reason = excluded.reason,
    probed_at = NULL
WHERE tenants_apibreaker.probed_at IS NOT NULL
   OR (tenants_apibreaker.reason = 'outage' AND excluded.reason = 'limited')
RETURNING level
"""
PROBE = """
UPDATE public.tenants_apibreaker
SET probed_at = statement_timestamp(), open_until = statement_timestamp() + make_interval(secs => %s)
WHERE app_id = %s AND api = %s AND open_until <= statement_timestamp()
"""


class _Seen:
    """The open breakers of the apps this process calls for, at most a second old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._apps: dict[UUID, tuple[float, dict[str, tuple[str, datetime]]]] = {}

    def of(self, app_id: UUID) -> dict[str, tuple[str, datetime]]:
        with self._lock:
            at, rows = self._apps.get(app_id, (0.0, {}))
        if time.monotonic() - at > SEEN_SECONDS:
            found = ApiBreaker.objects.filter(app_id=app_id).values_list("api", "reason", "open_until")
            rows = {api: (reason, until) for api, reason, until in found}
            with self._lock:
                self._apps[app_id] = (time.monotonic(), rows)
        return rows

    def forget(self, app_id: UUID) -> None:
        with self._lock:
            self._apps.pop(app_id, None)

    def forget_all(self) -> None:
        with self._lock:
            self._apps.clear()


_seen = _Seen()


def rest_of(app: CorpApp, api: str, *, urgent: bool = False) -> float:
    """0 when the API may be called, else the seconds it still rests. The first caller after a rest is its probe.

    What has a deadline of seconds does not rest through an outage: its few tries cost less than the lost window.
    """
    found = _seen.of(app.pk).get(api)
    if found is None:
        return 0.0
    reason, until = found
    if urgent and reason == ApiBreaker.Reason.OUTAGE:
        return 0.0
    left = (until - timezone.now()).total_seconds()
    if left > 0:
        return left
    with connection.cursor() as cursor:
        cursor.execute(PROBE, [PROBE_SECONDS, app.pk, api])
        is_probe = cursor.rowcount == 1
    _seen.forget(app.pk)
    return 0.0 if is_probe else 1.0


def trip(app: CorpApp, api: str, reason: str) -> None:
    """Rest; longer when the probe of the last rest has just failed. Calls that were on their way count once."""
    rests = RESTS[reason]
    with connection.cursor() as cursor:
        cursor.execute(
            TRIP, {"app": app.pk, "api": api, "reason": reason, "rests": list(rests), "last": len(rests) - 1}
        )
        row = cursor.fetchone()
    _seen.forget(app.pk)
    if row:
        logger.warning("%s of app %s rests for %s s (%s)", api, app.pk, rests[row[0]], reason)


def close(app: CorpApp, api: str) -> None:
    """A call went through: back to normal."""
    if api in _seen.of(app.pk):
        ApiBreaker.objects.filter(app=app, api=api).delete()
        _seen.forget(app.pk)


def outage_seconds(app: CorpApp, api: str) -> float:
    """How long an outage still rests this API; 0 when there is none, or it is only a first failure."""
    row = ApiBreaker.objects.filter(app=app, api=api, reason=ApiBreaker.Reason.OUTAGE, level__gte=OUTAGE_LEVEL).first()
    return max(1.0, (row.open_until - timezone.now()).total_seconds()) if row else 0.0
