"""Every address × method × asker × whose ids: nothing of another company is shown, told in a log, or changed (F34)."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client

from integrations.authentication import issue_key
from sidebar.access import sign_in
from tests import cast
from tests.isolation.lines import Lines
from tests.isolation.routes import ROUTES, Route
from tests.isolation.world import FOREIGN, MINE, NEEDLE, TOO_SHORT, Fingerprint, World, changed
from tests.people import add_operator, signed_in

DENIED = {400, 401, 403, 404, 405, 415, 422}
SIGN_IN = ("/console/sign-in/", "/sidebar/sign-in/", "/login/")


@dataclass
class Asker:
    """Who asks. `inside`: signed in to the console, `sells`: to the sidebar; `has_key`: an API caller; `sees_all`:
    scope 全部."""

    name: str
    client: Client
    inside: bool = False
    has_key: bool = False
    sells: bool = False
    sees_all: bool = True
    headers: dict[str, str] = field(default_factory=dict)

    def may_enter(self, route: Route) -> bool:
        if route.urlconf == "scrm.urls_ops":
            return False
        if route.is_sidebar:
            return self.sells
        return self.has_key if route.is_api else self.inside


@pytest.fixture(params=["nobody", "staff", "owner", "api key", "seller"])
def asker(request: Any, world: World) -> Asker:
    if request.param == "staff":
        operator = world.row("acme", "Operator", 1)
        return Asker("staff", signed_in(world.acme, operator), inside=True, sees_all=False)
    if request.param == "owner":
        return Asker("owner", signed_in(world.acme, add_operator(world.acme)), inside=True)
    if request.param == "api key":
        with world.acme:
            key = issue_key("ERP")
        return Asker("api key", Client(), has_key=True, headers={"authorization": f"Bearer {key}"})
    if request.param == "seller":
        return Asker("seller", selling(world), sells=True, sees_all=False, headers={"user-agent": "wxwork/4.1.36"})
    return Asker("nobody", Client())


def selling(world: World) -> Client:
    """A member of acme with the sidebar open."""
    client = Client()
    with world.acme:
        client.cookies = sign_in(HttpResponse(), world.row("acme", "Staff", MINE)).cookies
    return client


@pytest.fixture(autouse=True)
def _an_api_without_a_rate(settings: Any) -> None:
    settings.API_RATE = "100000/min"  # the walk is faster than any caller


def test_every_argument_of_every_address_says_what_it_names(world: World) -> None:
    unknown = []
    for route in ROUTES:
        try:
            route.arguments  # noqa: B018
        except KeyError as error:
            unknown.append(f"{route.place}: add {error} to NAMES in tests/isolation/routes.py")
    assert unknown == []
    assert len(ROUTES) > 100


def test_every_text_of_the_other_company_is_marked(world: World) -> None:
    """Or the walk below would look for something that is nowhere."""
    assert not TOO_SHORT
    with world.globex:
        unmarked = [
            f"{name}.{column.name}"
            for name, rows in world.rows["globex"].items()
            for column in rows[FOREIGN]._meta.concrete_fields
            if column.get_internal_type() in {"CharField", "TextField", "JSONField", "BinaryField"}
            and world.foreign not in str(getattr(rows[FOREIGN], column.attname))
            and world.foreign.encode() not in as_bytes(getattr(rows[FOREIGN], column.attname))
            and str(FOREIGN) not in str(getattr(rows[FOREIGN], column.attname))  # an id, see World.text
        ]
    facts = {"Operator.role", "Operator.scope", "OutgoingCall.state", "Job.state"}
    facts |= {"TimelineEntry.kind", "InboxEvent.status", "TagRule.trigger"}
    assert set(unmarked) == facts


def test_no_address_shows_or_changes_what_is_anothers(world: World, asker: Asker, lines: Lines) -> None:
    walk = Walk(world, asker, lines)

    for route in ROUTES:
        for method in ("GET", "POST"):
            for kinds in variants(route):
                walk.ask(route, method, *kinds)
        if asker.may_enter(route) and not route.arguments:
            for query in queries(world):
                walk.ask(route, "GET", query=query)
    walk.look_at_redis()

    assert not walk.faults, "\n".join(["", *walk.faults])
    assert walk.asked > len(ROUTES) * 2


def test_the_walk_would_notice(world: World, lines: Lines) -> None:
    """Its eyes are open: on globex's own pages and in its own log lines the mark is seen, and a change is a change."""
    boss = signed_in(world.globex, add_operator(world.globex, "boss"))
    row = world.row("globex", "Customer", FOREIGN)
    page = boss.get(f"/console/customers/{row.pk}/")
    walk = Walk(world, Asker("globex's own", boss), lines)

    walk.look_for_marks("page", "the answer", everything_told(page))
    logging.getLogger("django.request").warning("%s", row)
    walk.look_for_marks("page", "the log", lines.taken())
    with world.globex:
        row.save()
    walk.look_for_changes("page", refused=False)

    assert [fault.partition(":")[2].partition("…")[0].strip() for fault in walk.faults] == [
        "globex's in the answer:",
        "globex's in the log:",
        "changed ['globex.contacts_customer']",
    ]


def variants(route: Route) -> list[tuple[str, ...]]:
    """Whose the named things are."""
    if not route.arguments:
        return [()]
    found: list[tuple[str, ...]] = [("foreign",), ("mine",)]
    if route.by_scope:
        found.append(("hidden",))
    if any(column for _, column in route.arguments[1:]):
        found.append(("mine", "foreign"))
    return found


class Walk:
    """Asks one thing after the other, each in a transaction that is rolled back, and notes what is wrong."""

    def __init__(self, world: World, asker: Asker, lines: Lines) -> None:
        self.world, self.asker, self.lines = world, asker, lines
        self.cookies = asker.client.cookies.output(attrs=[], header="", sep=";")
        self.faults: list[str] = []
        self.asked = 0
        self.globex = Fingerprint(world.globex)
        self.theirs = self.globex.take()
        self.acme = Fingerprint(world.acme, [model for model in own_tables() if not model.startswith("accounts_sign")])
        self.ours = self.acme.take()
        self.written = self._written()
        self.secrets = world.secrets_of_founding(cast.GLOBEX.wecom)
        self.secrets.remove(cast.GLOBEX.wecom.corp_id)
        lines.taken()

    def ask(self, route: Route, method: str, *kinds: str, query: Any = None) -> None:
        self.asked += 1
        where = f"{self.asker.name} {method} {route.urlconf} {route.place} {'/'.join(kinds)} {query or ''}"
        with rolled_back():
            response = self.request(route, method, *kinds, query=query)
            told = everything_told(response)
            said = self.lines.taken()
            refused = self.must_be_refused(route, *kinds)
            if refused and not is_refusal(response):
                self.faults.append(f"{where}: answered {response.status_code} {response.headers.get('Location', '')}")
            elif response.status_code >= 500:
                self.faults.append(f"{where}: answered {response.status_code}")
            elif not route.is_open and not refused and leads_to_sign_in(response):
                self.faults.append(f"{where}: not let in, so nothing was looked at")
            self.look_for_marks(where, "the answer", told)
            self.look_for_marks(where, "the log", said)
            self.look_for_messages(where)
            self.look_for_changes(where, refused)

    def request(self, route: Route, method: str, *kinds: str, query: Any = None) -> HttpResponse:
        self.asker.client.cookies = SimpleCookie(self.cookies)  # signing out is one of the things that are asked
        address = route.address(self.world, *kinds)
        options: dict[str, Any] = {"headers": {"host": route.host, **self.asker.headers}}
        if method == "GET":
            return self.asker.client.get(address, query or {}, **options)
        if route.is_api:
            theirs = self.world.row("globex", "Tag", FOREIGN)
            body = {"add": [theirs.wecom_id], "userid": self.world.row("globex", "Staff", FOREIGN).userid}
            return self.asker.client.post(address, body, content_type="application/json", **options)
        return self.asker.client.post(address, form(self.world), **options)

    def must_be_refused(self, route: Route, *kinds: str) -> bool:
        if not self.asker.may_enter(route):
            return not route.is_open or "foreign" in kinds
        return "foreign" in kinds or ("hidden" in kinds and not self.asker.sees_all)

    # -- what must not be ----------------------------------------------------------------------------------------------

    def look_for_marks(self, where: str, place: str, text: str) -> None:
        forbidden = [("globex's", self.world.foreign), *(("a secret of globex", secret) for secret in self.secrets)]
        if not self.asker.sees_all:
            forbidden.append(("a colleague's", self.world.hidden))
        for whose, mark in forbidden:
            if mark in text:
                around = text[max(0, text.index(mark) - 120) : text.index(mark) + 40]
                self.faults.append(f"{where}: {whose} in {place}: …{around}…")

    def look_for_messages(self, where: str) -> None:
        """A task that is about to be sent carries a schema."""
        calls = [call for _, call, _ in connection.run_on_commit]
        schemas = {call.schema for call in calls if hasattr(call, "schema")}
        if not schemas <= {"acme", "public"}:
            self.faults.append(f"{where}: starts work for {schemas}")

    def _written(self) -> tuple[int, int]:
        return self.globex.written(), self.acme.written()

    def look_for_changes(self, where: str, refused: bool) -> None:
        before, self.written = self.written, self._written()
        if before == self.written:
            return
        if found := changed(self.theirs, self.globex.take()):
            self.faults.append(f"{where}: changed {found}")
        if refused and (found := changed(self.ours, self.acme.take())):
            self.faults.append(f"{where}: refused, and changed {found}")

    def look_at_redis(self) -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as server:
            for key in server.scan_iter("*"):
                kept = server.get(key) if server.type(key) == b"string" else b""
                if self.world.foreign.encode() in key + (kept or b""):
                    self.faults.append(f"{self.asker.name}: globex's in Redis at {key!r}")


def own_tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'acme'"
            " AND (tablename LIKE 'contacts%%' OR tablename LIKE 'members%%' OR tablename LIKE 'accounts%%')"
        )
        return sorted(name for (name,) in cursor.fetchall())


def leads_to_sign_in(response: HttpResponse) -> bool:
    return response.status_code in {301, 302} and response.headers["Location"].startswith(SIGN_IN)


def is_refusal(response: HttpResponse) -> bool:
    return leads_to_sign_in(response) or response.status_code in DENIED


def everything_told(response: HttpResponse) -> str:
    body = b"".join(response) if response.streaming else response.content
    cookies = response.cookies.output()
    return f"{response.headers}\n{cookies}\n{body.decode(errors='replace')}"


FILTERS = {"staff": "Staff", "owner": "Staff", "group": "TagGroup", "department": "Department", "tags": "Tag"}


def queries(world: World) -> list[dict[str, Any]]:
    """A search for words that both companies have; then every filter there is, with what only the other one has."""
    theirs = {name: world.row("globex", model, FOREIGN).pk for name, model in FILTERS.items()}
    return [
        {"q": NEEDLE, "status": "all", "state": "all"},
        theirs,
        {"tag": world.row("globex", "Tag", FOREIGN).wecom_id},
    ]


def form(world: World) -> dict[str, Any]:
    """Every field there is, filled with what is the other company's."""
    theirs = {name: rows[FOREIGN] for name, rows in world.rows["globex"].items()}
    return {
        "ids": [theirs["InboxEvent"].pk, theirs["OutgoingCall"].pk],
        "all": "1",
        "operator": str(theirs["Operator"].pk),
        "tags": [theirs["Tag"].pk],
        "username": theirs["Operator"].username,
        "password": cast.PASSWORD,
        "name": "新的名称",
        "role": "owner",
        "scope": "all",
        "remark": "新备注",
        "text": "您好",
        "language": "en",
        "next": "//globex.localhost/console/",
        "corp_id": "wwnew0000000001",
        "agent_id": 1000009,
        "app_secret": "a-new-secret-of-acme",
    }


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def as_bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""
