"""Who is meant by a callback URL, and with which keys: from memory, as the door must not wait for a query."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import Error, close_old_connections
from django.db.models import Q
from django.utils import timezone

from callbacks.companies import Company, companies_of, ids_of_companies
from tenants import keys
from tenants.models import CorpApp, Receiver, ReceiverKey, Tenant
from wecom.crypto import CallbackCrypto, Opened
from wecom.errors import BadCallback
from wecom.events import Event
from wecom.vocabulary import SUITE_EVENTS

log = structlog.get_logger(__name__)

FRESH_SECONDS = 60.0
ABSENT_SECONDS = 5.0  # an id is asked for by strangers only: one that was just made is unknown to everybody
RETRY_SECONDS = 1.0  # between two questions to a database that is away
RELOAD_SECONDS = 2.0  # keys may have been changed a moment ago: look again, but a forger costs one query in this time
MAX_ABSENT = 10_000
GRACE = timedelta(hours=1)


class ReceiversUnavailable(Exception):
    """The database is away, or our own keys are, and this process never saw the receiver."""


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """A receiver with its keys ready to use, newest first. `companies` are those of a suite's receiver."""

    receiver_id: str
    tenant_id: int
    schema: str
    active: bool
    corp_id: str
    suite_id: str
    keys: tuple[tuple[int, CallbackCrypto], ...]
    companies: Mapping[str, Company] | None = None

    def whose(self, event: Event, receive_id: str) -> Company:
        """The receiver's own tenant; of a suite the company that is named, or the platform while it has none."""
        schema = self.schema if self.active else ""
        if self.companies is None:
            if receive_id == self.suite_id and event.text("AuthCorpId") not in ("", self.corp_id):
                raise BadCallback("an event of another company: a suite's key is the same for all of them")
            return Company(self.tenant_id, schema, "")
        if event.suite_id not in (None, self.suite_id):
            raise BadCallback("an event of another suite")
        company = None if event.name in SUITE_EVENTS else self.companies.get(event.corp_id)
        return company or Company(self.tenant_id, "", "")  # the poller looks after the platform's own

    def tenants(self) -> set[int]:
        """Whoever may have been meant by what could not be stored."""
        return {self.tenant_id} | {company.tenant_id for company in (self.companies or {}).values()}

    def open(self, query: Mapping[str, str], body: bytes) -> tuple[int, Opened]:
        """The content and the version of the key that opened it."""
        refused = BadCallback("receiver without keys")
        for version, crypto in self.keys:
            try:
                return version, crypto.open(query, body)
            except BadCallback as error:
                refused = error
        raise refused

    def echo(self, query: Mapping[str, str]) -> str:
        refused = BadCallback("receiver without keys")
        for _version, crypto in self.keys:
            try:
                return crypto.echo(query)
            except BadCallback as error:
                refused = error
        raise refused


@dataclass(slots=True)
class _Entry:
    keeper: Doorkeeper | None
    loaded: float
    good_until: float


class Receivers:
    """Doorkeepers by public id. An entry outlives its minute while the database is away."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._loading = threading.Lock()

    def get(self, public_id: str) -> Doorkeeper | None:
        entry = self._entries.get(public_id)
        if entry is not None and time.monotonic() < entry.good_until:
            return entry.keeper
        return self._load(public_id, newer_than=time.monotonic() - FRESH_SECONDS)

    def reload(self, public_id: str) -> Doorkeeper | None:
        """After a signature that did not match: the keys as they stand now, unless they were read just now."""
        entry = self._entries.get(public_id)
        age = time.monotonic() - RELOAD_SECONDS
        if entry is not None and entry.loaded > age:
            return entry.keeper
        return self._load(public_id, newer_than=age)

    def clear(self) -> None:
        self._entries.clear()

    def _load(self, public_id: str, newer_than: float) -> Doorkeeper | None:
        with self._loading:  # one query however many callers wait for the same receiver
            entry = self._entries.get(public_id)
            now = time.monotonic()
            if entry is not None and entry.loaded > newer_than and now < entry.good_until:
                return entry.keeper
            try:
                keeper = _read(public_id)
            except (Error, keys.KeyFault):
                log.warning("receiver not read", exc_info=True)
                if entry is None or entry.keeper is None:
                    raise ReceiversUnavailable from None
                entry.good_until = now + RETRY_SECONDS
                return entry.keeper
            if keeper is None and len(self._entries) > MAX_ABSENT:
                self._entries = {name: kept for name, kept in self._entries.items() if kept.keeper is not None}
            self._entries[public_id] = _Entry(keeper, now, now + (FRESH_SECONDS if keeper else ABSENT_SECONDS))
            return keeper


def _read(public_id: str) -> Doorkeeper | None:
    close_old_connections()  # no request cycle of Django does it here
    try:
        found = Receiver.objects.filter(public_id=public_id, retired_at=None)  # of a deleted one the door knows nothing
        receiver = found.select_related("tenant", "app").first()
        if receiver is None:
            return None
        app = receiver.app
        return Doorkeeper(
            receiver_id=str(receiver.pk),
            tenant_id=receiver.tenant_id,
            schema=receiver.tenant.schema_name,
            active=receiver.tenant.status == Tenant.Status.ACTIVE,
            corp_id=app.corp_id,
            suite_id=app.suite_id,
            keys=receiver_keys(receiver, with_retired=False),
            companies=companies_of(app) if app.lane == CorpApp.Lane.SUITE else None,
        )
    finally:
        close_old_connections()


def receiver_keys(receiver: Receiver, *, with_retired: bool) -> tuple[tuple[int, CallbackCrypto], ...]:
    """The unsealed keys, newest first. Retired ones open what is stored, and for an hour what WeCom still sends: its
    admin is a page of its own and gets the new keys later than we do."""
    rows = ReceiverKey.objects.filter(receiver=receiver).order_by("-version")
    if not with_retired:
        rows = rows.filter(Q(retired_at=None) | Q(retired_at__gt=timezone.now() - GRACE))
    whose = addressees(receiver.app)
    found = []
    for row in rows:
        token = keys.unseal(receiver.tenant_id, f"tenants_receiverkey|token|{row.pk}", bytes(row.token))
        aes_key = keys.unseal(receiver.tenant_id, f"tenants_receiverkey|aes_key|{row.pk}", bytes(row.aes_key))
        found.append((row.version, CallbackCrypto(token.decode(), aes_key.decode(), whose)))
    return tuple(found)


def addressees(app: CorpApp) -> frozenset[str]:
    found = frozenset(name for name in (app.corp_id, app.suite_id) if name)
    if app.lane == CorpApp.Lane.SUITE:  # what members do in a suite's app is addressed to their company
        found |= ids_of_companies(app)
    return found
