"""JS-SDK tickets, fetched by one process at a time (WeCom gives a corp 400 an hour, path/90506), and signatures."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from tenants.current import client_for, main_app
from tenants.models import CorpApp, Domain, OutgoingCall
from tenants.tokens import PostgresTokens, token_key
from wecom.errors import WeComUnavailable
from wecom.signature import js_signature
from wecom.tokens import kept_for

Whose = Literal["corp", "agent"]
CALLS: dict[Whose, tuple[str, dict[str, str] | None]] = {
    "corp": ("get_jsapi_ticket", None),
    "agent": ("ticket/get", {"type": "agent_config"}),
}


class ForeignAddress(ValueError):
    """A page that is not on one of the tenant's hosts: signing it would lend our identity to a stranger."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What `ww.register` wants back for one page; `timestamp` in seconds."""

    timestamp: int
    nonce: str
    signature: str


def sign(url: str, whose: Whose) -> Signature:
    """Sign a page of the current tenant for `config` (corp) or `agentConfig` (agent); the fragment is not signed."""
    address = url.split("#", 1)[0]
    app = main_app()
    _refuse_foreign(app, address)
    timestamp, nonce = int(time.time()), secrets.token_hex(8)
    return Signature(timestamp, nonce, js_signature(ticket(app, whose), nonce, timestamp, address))


def ticket(app: CorpApp, whose: Whose) -> str:
    """The ticket in use, shared by all processes; a new one is asked for by one of them."""
    store, key = PostgresTokens(app, f"ticket_{whose}"), token_key(app.pk, f"ticket_{whose}")
    if found := store.get(key):
        return found
    with store.single_flight(key):
        return store.get(key) or _fetched(app, whose, store, key)


def fingerprint(app: CorpApp, whose: Whose) -> str:
    """Tells two tickets apart in a diagnosis without showing either."""
    return hashlib.sha256(ticket(app, whose).encode()).hexdigest()[:8]


def _fetched(app: CorpApp, whose: Whose, store: PostgresTokens, key: str) -> str:
    api, payload = CALLS[whose]
    answer = client_for(app, "app", priority=OutgoingCall.Priority.INTERACTIVE).call(api, payload)
    found, expires_in = answer.get("ticket"), answer.get("expires_in", 7200)
    if not isinstance(found, str) or not found or not isinstance(expires_in, int):
        raise WeComUnavailable(0, "answer without a ticket", api)
    store.put(key, found, kept_for(max(1, min(expires_in, 7200))))
    return found


def _refuse_foreign(app: CorpApp, address: str) -> None:
    parts = urlsplit(address)
    ours = Domain.objects.filter(tenant=app.tenant, domain=(parts.hostname or "").lower()).exists()
    if parts.scheme not in {"http", "https"} or not ours:
        raise ForeignAddress(address[:200])
