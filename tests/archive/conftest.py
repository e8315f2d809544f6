"""Acme with its session archive open: keys made by the test, talk in the sandbox, the real library in between."""

import functools
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings

from archive import access, library, tasks
from archive.models import ArchivedMessage
from contacts.models import Customer
from tenants import provision
from tenants.models import CorpApp, Credential, Tenant
from tests import cast
from tests.mirror import mirror_everything
from tests.pages_of_apps.company import Browser, Company
from tests.sandbox_server import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]

CORP = f"corps/{cast.ACME.wecom.corp_id}/archive"


@functools.cache
def pem(number: int) -> str:
    """A key takes a while to make: the run has a few."""
    return access.new_pem()


@dataclass
class Archive:
    sandbox: Sandbox
    tenant: Tenant
    app: CorpApp
    pair: tuple[str, str]
    keys: int = 0
    secret: str = ""
    kept: dict[int, str] = field(default_factory=dict)

    def new_key(self, *, ours: bool = True) -> int:
        """The company saves another public key in WeCom's admin; `ours`: and its private half with us."""
        self.keys += 1
        private = pem(self.keys)
        public = access.public_pem(access.private_key(private))
        view = self.sandbox.control("POST", CORP, public_key=public)
        self.secret, self.kept[self.keys] = view["secret"], private
        assert max(view["versions"]) == self.keys
        if ours:
            self.give_key(self.keys)
        return self.keys

    def give_key(self, version: int) -> None:
        access.add_key(self.app, self.kept[version], version=version)

    def connect(self) -> "Archive":
        provision.store_secret(self.app, Credential.Kind.ARCHIVE_SECRET, self.secret)
        return self

    def set(self, **wish: Any) -> None:
        self.sandbox.control("POST", CORP, **wish)

    def says(self, text: str) -> None:
        """The customer, to the member of staff."""
        self.sandbox.act("customer_says", userid=self.pair[0], external_userid=self.pair[1], text=text)

    def answers(self, text: str) -> None:
        self.sandbox.act("staff_says", userid=self.pair[0], external_userid=self.pair[1], text=text)

    def push(self, *messages: dict[str, Any], broken: str = "") -> None:
        wish: dict[str, Any] = {"messages": list(messages)} | ({"broken": broken} if broken else {})
        self.sandbox.control("POST", f"{CORP}/messages", **wish)

    def text(self, text: str, **values: Any) -> dict[str, Any]:
        """A plaintext from the customer, to be pushed."""
        userid, customer = self.pair
        plain = {"action": "send", "from": customer, "tolist": [userid], "roomid": "", "msgtype": "text"}
        return {**plain, "text": {"content": text}, **values}

    def examples(self, **wish: Any) -> None:
        userid, customer = self.pair
        self.sandbox.control("POST", f"{CORP}/examples", userid=userid, external_userid=customer, **wish)

    def truth(self) -> list[dict[str, Any]]:
        found, after = [], 0
        while True:
            rows = self.sandbox.control("GET", f"{CORP}/messages?after={after}")["messages"]
            if not rows:
                return found
            found += rows
            after = rows[-1]["seq"]

    def pull(self) -> dict[str, Any]:
        return tasks.pull_now()

    def texts(self) -> list[str]:
        return list(ArchivedMessage.objects.order_by("seq").values_list("text", flat=True))

    @property
    def customer(self) -> Customer:
        return Customer.objects.get(external_userid=self.pair[1])


@pytest.fixture
def archive(in_acme: Tenant, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """Open at WeCom with one key that we hold, and connected here."""
    if library.find() is None:
        pytest.skip("no native archive library on this machine")
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.setattr(settings, "WECOM_FINANCE_PROXY", sandbox.control("GET", "health")["finance_proxy"])
    app = CorpApp.objects.get(tenant=in_acme)
    CorpApp.objects.filter(tenant=in_acme).update(state=CorpApp.State.OK)
    mirror_everything()
    made = Archive(sandbox, in_acme, app, sandbox.friendships()[0])
    made.new_key()
    made.connect()
    yield made
    library.end_all()


@pytest.fixture
def company(in_acme: Tenant, clean_cache: None) -> Company:
    return Company(in_acme).found()


@pytest.fixture
def owner(in_acme: Tenant) -> Browser:
    return Company(in_acme).client("owner")
