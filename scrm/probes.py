"""/healthz, /readyz and /metrics, answered before Django: they must speak when little else does."""

import hmac
import ipaddress
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JSON = "application/json"
CACHED_SECONDS = 5.0
MIGRATIONS_SECONDS = 30.0

# each half reads one partial index: what is done stays out of the count however much it is
INBOX = """
SELECT status, count(*), coalesce(extract(epoch FROM now() - min(received_at)), 0)
FROM public.callbacks_inbox WHERE status = 'new' GROUP BY status
UNION ALL
SELECT status, count(*), coalesce(extract(epoch FROM now() - min(received_at)), 0)
FROM public.callbacks_inbox WHERE status IN ('parked', 'dead') GROUP BY status
"""
OUTBOX = """
SELECT state, priority, count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM public.tenants_outgoingcall WHERE state IN ('pending', 'leased') GROUP BY state, priority
UNION ALL
SELECT state, priority, count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM public.tenants_outgoingcall WHERE state IN ('unknown', 'parked', 'dead', 'expired') GROUP BY state, priority
"""
REST = """
SELECT (SELECT count(*) FROM public.tenants_apibreaker WHERE open_until > now()),
       (SELECT count(*) FROM public.tenants_corpapp WHERE state = 'broken'),
       (SELECT count(*) FROM public.tenants_job WHERE state IN ('queued', 'running')),
       (SELECT coalesce(extract(epoch FROM now() - max(slot)), -1) FROM public.tenants_tick),
       (SELECT count(*) FROM public.tenants_tenant WHERE status = 'active' AND schema_name <> 'public')
"""


def probes(application: "WSGIApplication") -> "WSGIApplication":
    """Answers the three paths on any host and hands every other request to `application`."""
    answers: dict[str, Callable[[WSGIEnvironment], tuple[str, str, bytes]]] = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
    }

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = answers.get(environ.get("PATH_INFO", ""))
        if answer is None:
            return application(environ, start_response)
        status, kind, body = answer(environ)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(status, headers)
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]

    return serve


def healthz(environ: "WSGIEnvironment") -> tuple[str, str, bytes]:
    """The process lives."""
    return "200 OK", JSON, b'{"ok": true}'


def readyz(environ: "WSGIEnvironment") -> tuple[str, str, bytes]:
    """What requests need is there; 503 names what is not."""
    problems = _cached("ready", 1.0, _problems_now)
    status = "503 Service Unavailable" if problems else "200 OK"
    return status, JSON, json.dumps({"ready": not problems, "problems": problems}).encode()


def metrics(environ: "WSGIEnvironment") -> tuple[str, str, bytes]:
    """For Prometheus on the private network, or for whoever holds SCRM_METRICS_TOKEN."""
    if not may_read_metrics(environ):
        return "403 Forbidden", "text/plain; charset=utf-8", b"Metrics are for the private network.\n"
    try:
        return "200 OK", CONTENT_TYPE_LATEST, _cached("metrics", CACHED_SECONDS, collect)
    except Exception:  # noqa: BLE001  the database is away, which /readyz says
        connection.close()
        return "503 Service Unavailable", "text/plain; charset=utf-8", b"The database does not answer.\n"


def may_read_metrics(environ: "WSGIEnvironment") -> bool:
    token: str = settings.METRICS_TOKEN
    if token:
        given = str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.encode())
    if environ.get("HTTP_X_FORWARDED_FOR") or environ.get("HTTP_FORWARDED"):
        return False  # through a proxy the caller's address is the proxy's
    try:
        address = ipaddress.ip_address(str(environ.get("REMOTE_ADDR", "")))
    except ValueError:
        return False
    return address.is_loopback or address.is_private


# -- readiness ---------------------------------------------------------------------------------------------------------


def _problems_now() -> dict[str, str]:
    problems = dict(_problems())
    connection.close_if_unusable_or_obsolete()  # no request cycle of Django surrounds us, so this care is ours
    return problems


def _problems() -> Iterator[tuple[str, str]]:
    database = _problem_of(_ask_postgres)
    if database:
        yield "postgres", database
    if reason := _problem_of(_ask_redis):
        yield "redis", reason
    if not database and (reason := _cached("migrations", MIGRATIONS_SECONDS, _pending_migrations, keep=not_pending)):
        yield "migrations", reason


def _problem_of(ask: Callable[[], object]) -> str:
    """The kind of failure alone: its text may name addresses and accounts."""
    try:
        ask()
    except Exception as error:  # noqa: BLE001  every driver has its own
        if isinstance(error, DatabaseError | InterfaceError):
            connection.close()
        return type(error).__name__
    return ""


def _ask_postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
    try:
        client.ping()
    finally:
        client.close()


def _pending_migrations() -> str:
    try:
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception as error:  # noqa: BLE001  whatever it is, we are not ready
        return type(error).__name__
    return f"{len(pending)} not applied to the shared schema" if pending else ""


def not_pending(reason: str) -> bool:
    """Being current is remembered, being behind is asked again."""
    return not reason


# -- numbers -----------------------------------------------------------------------------------------------------------


def collect() -> bytes:
    """All gauges from three queries over partial indexes."""
    registry = CollectorRegistry()
    inbox = Gauge("scrm_inbox_events", "Events that wait or failed", ["status"], registry=registry)
    inbox_age = Gauge("scrm_inbox_oldest_seconds", "Age of the oldest of them", ["status"], registry=registry)
    outbox = Gauge("scrm_outbox_calls", "Outgoing calls not done", ["state", "priority"], registry=registry)
    outbox_age = Gauge("scrm_outbox_oldest_seconds", "Age of the oldest", ["state", "priority"], registry=registry)
    for status in ("new", "parked", "dead"):
        inbox.labels(status).set(0)
    with connection.cursor() as cursor:
        cursor.execute(INBOX)
        for status, count, age in cursor.fetchall():
            inbox.labels(status).set(count)
            inbox_age.labels(status).set(float(age))
        cursor.execute(OUTBOX)
        for state, priority, count, age in cursor.fetchall():
            outbox.labels(state, str(priority)).set(count)
            outbox_age.labels(state, str(priority)).set(float(age))
        cursor.execute(REST)
        row = cursor.fetchone()
    names = (
        ("scrm_breakers_open", "APIs that rest after a limit or an outage"),
        ("scrm_apps_broken", "Connections to WeCom that need a person"),
        ("scrm_jobs_open", "Long jobs queued or running"),
        ("scrm_scheduler_tick_age_seconds", "Since the start of the scheduler's last slot, -1 for never"),
        ("scrm_tenants_active", "Tenants in use"),
    )
    for (name, text), value in zip(names, row, strict=True):
        Gauge(name, text, registry=registry).set(float(value))
    return generate_latest(registry)


# -- small things ------------------------------------------------------------------------------------------------------

_memory: dict[str, tuple[float, Any]] = {}
_lock = threading.RLock()


def _cached(name: str, seconds: float, make: Callable[[], Any], *, keep: Callable[[Any], bool] = lambda _: True) -> Any:
    """One question at a time, and its answer for a while: probes come from several sides."""
    with _lock:
        made_at, value = _memory.get(name, (float("-inf"), None))
        if time.monotonic() - made_at < seconds:
            return value
        value = make()
        if keep(value):
            _memory[name] = (time.monotonic(), value)
        return value
