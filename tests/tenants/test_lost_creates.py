"""A create whose answer was lost is looked up before any repeat, whoever or whatever asks for the repeat."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection

from tenants import breaker, outbox
from tenants.models import OutgoingCall, Tenant
from tests.sandbox_server import Sandbox
from tests.tenants.test_outbox import state_of
from tests.tenants.test_outbox_faults import ADD_TAG, State, knows_tags, post_tags

__all__ = ["knows_tags"]


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("by_hand", ["one", "many"])
def test_a_lost_create_that_somebody_sends_again_is_looked_up_before(
    sandbox: Sandbox, in_acme: Tenant, knows_tags: None, by_hand: str, ignored: bool
) -> None:
    sandbox.fault("drop", ADD_TAG, executed=True, times=1)
    call = post_tags(1)
    outbox.deliver_due(urgent=False)
    assert state_of(call) == State.UNKNOWN

    if ignored:
        outbox.ignore(call, "lin", "先放着")
    if by_hand == "one":
        outbox.retry(call, "lin")
    else:
        assert outbox.retry_many(OutgoingCall.objects.all(), "lin") == 1
    breaker._seen.forget_all()
    outbox.deliver_due(urgent=False)

    assert state_of(call) == State.OK
    assert len(sandbox.effects("add_corp_tag")) == 1


class LostWithPostgres(BaseHTTPRequestHandler):
    """A WeCom whose answer is lost in the moment in which our connections to Postgres are cut."""

    made = 0

    def do_GET(self) -> None:
        self._answer(200, b'{"errcode":0,"access_token":"token","expires_in":7200}')

    def do_POST(self) -> None:
        type(self).made += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            cursor.execute(cut, cursor.fetchone())
        connection.close()
        self._answer(500, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.mark.usefixtures("db_commits")
def test_a_create_whose_answer_was_lost_together_with_postgres_is_not_sent_again(
    sandbox: Sandbox, settings: Any
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), LostWithPostgres) as wecom, Tenant.objects.get(schema_name="acme"):
        threading.Thread(target=wecom.serve_forever, daemon=True).start()
        settings.WECOM_API_BASE = f"http://127.0.0.1:{wecom.server_port}"
        call = post_tags(1)
        outbox.deliver_due(urgent=False)
        wecom.shutdown()
    assert state_of(call) == State.UNKNOWN
    assert LostWithPostgres.made == 1
