"""What the provider's side is made of: suites (第三方) and templates (代开发), who authorised them, and their codes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from sandbox.corp import ALPHABET
from sandbox.objects import App, Delivery, Receiver

TEMPLATE, SUITE = "template", "suite"
PREFIXES = {"dk": TEMPLATE, "ww": SUITE}  # suite ids tell what they are (wecom-api.md, three app kinds)
DEFAULT_PROVIDER = "ww7a6b5c4d3e2f1089"
WORD = "success"  # what callbacks of suites must be answered with (wecom-api.md 2.7)


@dataclass(slots=True)
class Provider:
    """A vendor: one corp id of its own and one secret, for all its suites."""

    corp_id: str
    secret: str


@dataclass(slots=True)
class Ticket:
    value: str
    at: float


@dataclass(slots=True)
class Authorised:
    """A corp that has this suite's app; the permanent code is the secret of a 代开发 app."""

    corp_id: str
    open_corpid: str  # the corp's id as the vendor knows it
    agent_id: int
    permanent_code: str
    at: float
    admin: str = ""
    state: str = ""
    exchanged: bool = False  # the vendor has fetched the permanent code
    callback: dict[str, str] | None = None  # of the app of a template


@dataclass(slots=True)
class Suite:
    """A suite or template of a vendor. It is a source of callbacks as a corp is: see delivery.Source."""

    suite_id: str
    name: str
    kind: str
    secret: str
    provider_corp_id: str
    callback: dict[str, str] | None = None
    ticket_every: float = 600.0
    ticket_lifetime: float = 1800.0
    token_lifetime: int = 7200
    auth_code_seconds: float = 600.0
    pre_auth_seconds: int = 1200
    both_ways: bool = False  # an install through the vendor's page also sends create_auth
    published: bool = True  # an unpublished suite is installed in test mode only; a template is not online
    encrypt_ids: bool = False  # userids and external_userids are the vendor's own, too
    trusted_ips: list[str] | None = None  # the vendor's IP whitelist; None: any address
    delivery: Delivery = field(default_factory=Delivery)
    tickets: list[Ticket] = field(default_factory=list)  # the newest last
    authorised: dict[str, Authorised] = field(default_factory=dict)  # by the corp's own id

    @property
    def corp_id(self) -> str:
        return self.suite_id

    @property
    def apps(self) -> dict[str, App]:
        return {}

    @property
    def receivers(self) -> dict[str, Receiver]:
        found = self.hearing()
        return {found.id: found} if found else {}

    @property
    def app_key(self) -> str:
        """The key of its app in every corp."""
        return f"suite:{self.suite_id}"

    @property
    def third_party(self) -> bool:
        return self.kind == SUITE

    def hearing(self) -> Receiver | None:
        """Where tickets and authorisations go: sealed for the suite, to be answered with a word."""
        if self.callback is None:
            return None
        return receiver(self.app_key, self.callback, suite_id=self.suite_id)

    def live_tickets(self, now: float) -> list[Ticket]:
        return [ticket for ticket in self.tickets if ticket.at + self.ticket_lifetime > now]


@dataclass(slots=True)
class AuthCode:
    """What the vendor exchanges for the permanent code, once."""

    suite_id: str
    corp_id: str
    at: float
    state: str = ""
    used: bool = False


@dataclass(slots=True)
class PreAuthCode:
    suite_id: str
    expires_at: float
    test: bool = False


@dataclass(slots=True)
class Invitation:
    """What stands behind a QR code that a corp's admin scans."""

    suite_ids: list[str]
    state: str
    expires_at: float


@dataclass(slots=True)
class VendorToken:
    """A suite_access_token (`owner` a suite) or a provider_access_token (`owner` a vendor's corp id)."""

    owner: str
    provider: bool
    expires_at: float
    revoked: int = 0


def receiver(key: str, callback: dict[str, str], corp_as: str = "", suite_id: str = "", vendor: str = "") -> Receiver:
    """A callback of a vendor's app; of a suite, when it is named."""
    found = Receiver(key, callback["url"], callback["token"], callback["aes_key"], key)
    found.corp_as, found.suite_id, found.vendor = corp_as, suite_id, vendor
    return found


def open_corpid(provider_corp_id: str, corp_id: str) -> str:
    """A corp's id as this vendor sees it: the same for all its suites, and case-sensitive (wecom-api.md 11.1)."""
    return "wp" + mixed(provider_corp_id, 5) + "AAA" + mixed(f"{provider_corp_id}/{corp_id}", 22)


def mixed(text: str, length: int) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    letters = []
    for _ in range(length):
        number, place = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[place])
    return "".join(letters)


def opened(record: dict[str, Any]) -> Suite:
    """A suite as the store kept it."""
    return Suite(
        **record
        | {
            "delivery": Delivery(**record["delivery"]),
            "tickets": [Ticket(**ticket) for ticket in record["tickets"]],
            "authorised": {key: Authorised(**row) for key, row in record["authorised"].items()},
        }
    )
