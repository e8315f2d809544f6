"""/healthz, /readyz and /metrics on any host, whatever else is down."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from django.conf import settings as project

from scrm import probes


def answer_of(path: str, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    seen: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
        seen["status"], seen["headers"] = status, dict(headers)

    def django(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"django"]

    request = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "no.such.host"}
    body = b"".join(probes.probes(django)(request | environ, start_response))
    return seen["status"], seen["headers"], body


@pytest.fixture(autouse=True)
def fresh() -> None:
    probes._memory.clear()


def test_the_process_lives() -> None:
    status, headers, body = answer_of("/healthz")
    assert (status, headers["Content-Type"], json.loads(body)) == ("200 OK", "application/json", {"ok": True})


def test_other_paths_are_djangos() -> None:
    assert answer_of("/console/")[2] == b"django"


@pytest.mark.django_db
def test_ready_with_postgres_redis_and_all_migrations() -> None:
    status, _, body = answer_of("/readyz")
    assert (status, json.loads(body)) == ("200 OK", {"ready": True, "problems": {}})


@pytest.mark.django_db
def test_not_ready_names_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "REDIS_URL", "redis://:hidden@127.0.0.1:9/0")
    status, _, body = answer_of("/readyz")
    assert status.startswith("503")
    assert json.loads(body)["problems"] == {"redis": "ConnectionError"}
    assert b"hidden" not in body


@pytest.mark.django_db
def test_not_ready_names_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="tenants").delete()
    status, _, body = answer_of("/readyz")
    assert status.startswith("503")
    assert "not applied" in json.loads(body)["problems"]["migrations"]


@pytest.mark.django_db
def test_metrics_speak_of_inbox_and_outbox() -> None:
    status, headers, body = answer_of("/metrics")
    assert status == "200 OK"
    assert headers["Content-Type"].startswith("text/plain")
    text = body.decode()
    assert 'scrm_inbox_events{status="new"} 0.0' in text
    assert "scrm_tenants_active 2.0" in text
    assert "scrm_scheduler_tick_age_seconds" in text


@pytest.mark.parametrize(
    ("environ", "allowed"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "10.1.2.3"}, True),
        ({"REMOTE_ADDR": "8.8.8.8"}, False),
        ({"REMOTE_ADDR": ""}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "8.8.8.8"}, False),
    ],
)
def test_metrics_are_for_the_private_network(environ: dict[str, str], allowed: bool) -> None:
    assert probes.may_read_metrics(environ) is allowed


def test_metrics_may_ask_for_a_token(settings: Any) -> None:
    settings.METRICS_TOKEN = "only-prometheus"
    assert not probes.may_read_metrics({"REMOTE_ADDR": "127.0.0.1"})
    assert probes.may_read_metrics({"REMOTE_ADDR": "8.8.8.8", "HTTP_AUTHORIZATION": "Bearer only-prometheus"})


@pytest.mark.usefixtures("db_commits")  # the intake gives its connection back, as between two requests
def test_the_web_has_probes_and_callbacks_in_front_of_django() -> None:
    from django.core.handlers.wsgi import WSGIHandler

    from scrm import wsgi

    assert isinstance(wsgi.django, WSGIHandler)
    seen: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
        seen.append(status)

    for path in ("/healthz", "/wecom/callback/0000000000000000/"):
        list(wsgi.application({"PATH_INFO": path, "REQUEST_METHOD": "GET", "QUERY_STRING": ""}, start_response))
    assert seen == ["200 OK", "404 Not Found"]
