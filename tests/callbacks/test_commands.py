"""The commands of the inbox: a payload posted as WeCom would, what stands there, and another try."""

import json
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from callbacks.flush import flusher
from tests.callbacks.door import Door, application, count, event_xml


class Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url(door: Door) -> Iterator[str]:
    flusher.start()
    with make_server("127.0.0.1", 0, application, handler_class=Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run(command: str, *arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command(command, *arguments, "--json", stdout=out)
    found: dict[str, object] = json.loads(out.getvalue())
    return found


def test_a_payload_is_posted_as_wecom_would_and_a_repeat_is_one_row(url: str, tmp_path: Path) -> None:
    payload = tmp_path / "added.xml"
    payload.write_bytes(event_xml())

    told = run("send_callback", str(payload), "--tenant", "acme", "--url", url, "--repeat", "3")

    assert told["answers"] == [{"status": 200, "body": "", "times": 3}]
    assert count() == 1
    assert run("inbox_status", "acme")["pending"] == 1
    assert run("inbox_status", "globex")["pending"] == 0


def test_dead_events_get_another_set_of_attempts(url: str, tmp_path: Path) -> None:
    payload = tmp_path / "added.xml"
    payload.write_bytes(event_xml())
    run("send_callback", str(payload), "--tenant", "acme", "--url", url)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.callbacks_inbox SET status = 'dead', attempts = 8 RETURNING id")
        number = cursor.fetchone()[0]

    assert run("inbox_status", "acme")["dead"] == 1
    assert run("inbox_replay", "acme", "--dead")["replayed"] == 1
    assert run("inbox_status", "acme")["pending"] == 1
    with pytest.raises(CommandError, match=f"has no event {number}"):
        run("inbox_replay", "acme", "--id", str(number))


def test_a_wrong_name_or_a_silent_server_is_one_clear_line(door: Door, tmp_path: Path) -> None:
    payload = tmp_path / "added.xml"
    payload.write_bytes(event_xml())

    with pytest.raises(CommandError, match="there is no tenant 'nobody'"):
        run("inbox_status", "nobody")
    with pytest.raises(CommandError, match="does not answer"):
        run("send_callback", str(payload), "--tenant", "acme", "--url", "http://127.0.0.1:9")
