"""A company at work for browser tests: its callbacks reach us, and a loop does what its workers would do."""

import threading
import time
from collections.abc import Callable, Iterator
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.db import connection

from acquisition.models import Welcome
from callbacks import inbox, intake
from callbacks.record import LANES
from scrm.up.folder import free_port
from tenants import due, outbox
from tenants.models import CorpApp, Receiver, Tenant
from tests import cast
from tests.callbacks.door import behind
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox

WELCOME = "您好，我是艾可美的顾问"
PATIENCE = 60


class Quiet(WSGIRequestHandler):
    def log_message(self, *_given: object) -> None:
        """The log of the test is for other things."""


class Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def door(acme: Tenant, sandbox: Sandbox) -> Iterator[None]:
    """Our callback address on a port of its own, entered in the imitation WeCom, which verifies it."""
    intake.receivers.clear()
    port = free_port()
    server = make_server("127.0.0.1", port, intake.intake(behind), Threads, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    wecom = cast.ACME.wecom
    url = f"http://127.0.0.1:{port}/wecom/callback/{Receiver.objects.get(tenant=acme).public_id}/"
    given = {"url": url, "token": wecom.token, "aes_key": wecom.aes_key}
    sandbox.control("POST", f"corps/{wecom.corp_id}/callback", **given)
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def at_work(transactional_db: None, acme: Tenant, door: None, clean_cache: None) -> Tenant:
    """A company that is connected and synced, and greets its customers."""
    CorpApp.objects.filter(tenant=acme).update(state=CorpApp.State.OK)
    with acme:
        mirror_everything()
        Welcome.objects.create(reach=Welcome.Reach.DEFAULT, text=WELCOME)
    return acme


def work(tenant: Tenant) -> None:
    """What the workers do in a second."""
    inbox.drain_urgent(tenant.pk)
    outbox.deliver_due(urgent=True)
    for lane in range(LANES):
        inbox.drain(tenant.pk, lane)
    with tenant:
        due.run_due(tenant)
    outbox.deliver_due(urgent=False)
    connection.set_schema_to_public()


def work_until(tenant: Tenant, so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < until, "it did not happen in time"
        work(tenant)
        time.sleep(0.1)
