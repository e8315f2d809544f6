"""Workers: a lane in order, effects and mark in one transaction, one bad event alone with its fault."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from callbacks import drain as draining
from callbacks import inbox
from callbacks.intake import receivers
from callbacks.record import LANES
from callbacks.stored import RETRY_DELAYS, event_of, keyring
from tenants.events import EVENT_OWNERS, URGENT_HANDLERS, Owner, Reading, Urgent
from tenants.models import Tenant
from tests.callbacks.door import Door, count, event_xml, request, rows
from tests.cast import ACME
from wecom.errors import NotVisible, WeComError, WeComMisconfigured, WeComUnavailable
from wecom.events import Event

CUSTOMER = "change_external_contact"


class Book:
    """An owner that writes down what it is given, in a table of the database: rolled back like any effect."""

    def __init__(self) -> None:
        self.read_error: WeComError | None = None
        self.errors: dict[str, WeComError] = {}
        self.poison: set[str] = set()
        self.batches: list[int] = []
        self.schemas: set[str] = set()

    def read(self, events: Sequence[Event]) -> Reading:
        assert connection.get_autocommit(), "read must not hold a transaction"
        if self.read_error:
            raise self.read_error
        return Reading(errors=dict(self.errors))

    def apply(self, events: Sequence[Event], reading: Reading) -> None:
        self.schemas.add(connection.schema_name)
        self.batches.append(len(events))
        with connection.cursor() as cursor:
            for event in events:
                text = f"{event.change_type} {event.external_user_id} {event.state}".strip()
                cursor.execute("INSERT INTO public.book (text) VALUES (%s)", [text])
                if event.external_user_id in self.poison:
                    raise KeyError(f"no idea what {event.external_user_id} is")

    def lines(self) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT text FROM public.book ORDER BY id")
            return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def book(committed: None) -> Iterator[Book]:
    book = Book()
    owners, handlers = dict(EVENT_OWNERS), dict(URGENT_HANDLERS)
    EVENT_OWNERS.clear()
    URGENT_HANDLERS.clear()
    EVENT_OWNERS[CUSTOMER] = Owner(book.apply, book.read)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE public.book (id bigint GENERATED ALWAYS AS IDENTITY, text text)")
    yield book
    EVENT_OWNERS.clear()
    EVENT_OWNERS.update(owners)
    URGENT_HANDLERS.clear()
    URGENT_HANDLERS.update(handlers)
    connection.set_schema_to_public()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE public.book")


def drain(tenant: Tenant) -> int:
    return sum(inbox.drain(tenant.pk, lane) for lane in range(LANES))


def make_due(where: str = "true") -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE public.callbacks_inbox SET due_at = now() WHERE status = 'new' AND {where}")


def test_events_are_applied_in_the_tenants_schema_and_marked_done(door: Door, book: Book) -> None:
    door.post(event_xml(State="one"))
    assert drain(door.tenant) == 1
    assert book.lines() == ["add_external_contact wmQx7DEAAAk3Vv0bq1nZt9LkP2sYhJrw one"]
    assert book.schemas == {"acme"}
    assert rows("status, last_error") == [("done", "")]
    assert drain(door.tenant) == 0


def test_events_of_one_customer_keep_their_order(door: Door, book: Book) -> None:
    for step in range(30):
        door.post(event_xml("edit_external_contact", State=str(step)))
        door.post(event_xml("edit_external_contact", ExternalUserID=f"other{step}"))
    drain(door.tenant)
    mine = [line.split()[-1] for line in book.lines() if "wmQx7DEAAAk3Vv0bq1nZt9LkP2sYhJrw" in line]
    assert mine == [str(step) for step in range(30)]


def test_an_event_nobody_owns_is_done_and_counted(door: Door, book: Book) -> None:
    door.post(event_xml("x", event="not_invented_yet"))
    assert drain(door.tenant) == 1
    assert inbox.status(door.tenant.pk, settled=True).unhandled == 1


def test_a_lane_has_one_worker_at_a_time(door: Door, book: Book) -> None:
    door.post(event_xml())
    lane = rows("lane")[0][0]
    held, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with draining._lane(door.tenant.pk, lane) as mine:
            assert mine
            held.set()
            leave.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    assert inbox.drain(door.tenant.pk, lane) == 0
    leave.set()
    thread.join()
    assert inbox.drain(door.tenant.pk, lane) == 1


@pytest.fixture
def moved(door: Door) -> Iterator[str]:
    """The connection becomes another company's, in the middle of its events: the door knows, the worker not yet."""
    door.post(event_xml(ExternalUserID="wm1"))
    drain(door.tenant)
    door.post(event_xml(ExternalUserID="wm2"))
    app = door.receiver.app
    app.corp_id = "wwanother0000000"
    app.save(update_fields=["corp_id"])
    receivers.clear()
    yield app.corp_id
    app.corp_id = ACME.wecom.corp_id
    app.save(update_fields=["corp_id"])


@pytest.mark.parametrize("worker_is_late", [False, True])
def test_events_of_the_company_that_was_connected_before_are_left_alone(
    door: Door, book: Book, moved: str, worker_is_late: bool
) -> None:
    query, body = door.crypto.deliver(event_xml(ExternalUserID="wm3"), moved, int(time.time()), "1")
    assert request("POST", door.path, query, body).status == 200
    if not worker_is_late:
        keyring.clear()

    drain(door.tenant)

    if worker_is_late:  # it asks again before it takes the new company's event for another's
        assert rows("status, last_error")[2] == ("done", "")
        return
    assert book.lines() == ["add_external_contact wm1", "add_external_contact wm3"]
    assert rows("status, last_error") == [
        ("done", ""),
        ("ignored", f"OtherReceiver: {ACME.wecom.corp_id}"),
        ("done", ""),
    ]


def test_poison_is_alone_with_its_fault(door: Door, book: Book) -> None:
    """F27: one in a hundred."""
    book.poison = {"wm50", "wm150"}
    for number in range(200):
        door.post(event_xml(ExternalUserID=f"wm{number}"))
    drain(door.tenant)
    assert count("status = 'done'") == 198
    assert len(book.lines()) == 198
    assert rows("status, attempts, last_error") == [
        *[("done", 0, "")] * 50,
        ("new", 1, "KeyError: 'no idea what wm50 is'"),
        *[("done", 0, "")] * 99,
        ("new", 1, "KeyError: 'no idea what wm150 is'"),
        *[("done", 0, "")] * 49,
    ]


def test_poison_is_dead_after_its_last_attempt_and_lives_again_by_replay(door: Door, book: Book) -> None:
    book.poison = {"wm1"}
    door.post(event_xml(ExternalUserID="wm1"))
    for attempt, delay in enumerate(RETRY_DELAYS, start=1):
        drain(door.tenant)
        [(status, attempts, due_at)] = rows("status, attempts, due_at")
        assert (status, attempts) == ("new", attempt)
        wait = (due_at - datetime.now(UTC)).total_seconds()
        assert delay * 0.9 - 5 < wait < delay * 1.1 + 1
        assert drain(door.tenant) == 0  # not before its time
        make_due()
    drain(door.tenant)
    assert rows("status") == [("dead",)]
    assert inbox.status(door.tenant.pk).dead == 1
    book.poison.clear()
    assert inbox.replay(door.tenant.pk, dead=True) == 1
    drain(door.tenant)
    assert rows("status, attempts") == [("done", 0)]


def test_a_fault_of_the_configuration_parks_and_burns_no_attempt(door: Door, book: Book) -> None:
    book.read_error = WeComMisconfigured(60020, "not allow to access from your ip", "externalcontact/get")
    door.post(event_xml())
    drain(door.tenant)
    assert rows("status, attempts") == [("parked", 0)]
    assert "60020" in rows("last_error")[0][0]
    assert inbox.tenants_with_parked() == {door.tenant.pk}
    book.read_error = None
    assert inbox.resume_parked(door.tenant.pk) == 1
    drain(door.tenant)
    assert rows("status") == [("done",)]


def test_wecom_away_is_tried_again_and_refused_is_dead(door: Door, book: Book) -> None:
    book.errors = {
        "c:wm1": WeComUnavailable(-1, "system busy", "externalcontact/get"),
        "c:wm2": NotVisible(40096, "invalid external userid", "externalcontact/get"),
    }
    for number in range(4):
        door.post(event_xml(ExternalUserID=f"wm{number}"))
    drain(door.tenant)
    assert rows("status, attempts") == [("done", 0), ("new", 1), ("dead", 1), ("done", 0)]


def test_what_one_company_suffers_the_other_does_not_see(door: Door, other_door: Door, book: Book) -> None:
    door.post(event_xml(State="acme"))
    other_door.post(event_xml(State="globex"))
    assert drain(other_door.tenant) == 1
    assert book.schemas == {"globex"}
    assert inbox.replay(other_door.tenant.pk, ids=[row[0] for row in rows("id")], again=True) == 1
    assert rows("status", f"tenant_id = {door.tenant.pk}") == [("new",)]


def test_a_suspended_company_rests_and_goes_on_when_resumed(door: Door, book: Book) -> None:
    door.post(event_xml())
    Tenant.objects.filter(pk=door.tenant.pk).update(status=Tenant.Status.SUSPENDED)
    assert drain(door.tenant) == 0
    assert inbox.waiting() == []
    Tenant.objects.filter(pk=door.tenant.pk).update(status=Tenant.Status.ACTIVE)
    assert inbox.waiting() == [(door.tenant.pk, "acme", str(rows("lane")[0][0]))]
    assert drain(door.tenant) == 1


def test_of_a_suspect_event_only_the_ids_are_believed(door: Door, book: Book) -> None:
    old = int(time.time()) - 8 * 86_400
    door.post(event_xml("del_external_contact", State="forged", WelcomeCode="code", at=old), at=old)
    drain(door.tenant)
    assert book.lines() == ["edit_external_contact wmQx7DEAAAk3Vv0bq1nZt9LkP2sYhJrw"]


def test_a_suspect_event_that_nobody_handles_is_nobodys_trouble(door: Door, book: Book) -> None:
    """F25: with a clock that is wrong by a quarter of an hour every event is suspect."""
    old = int(time.time()) - 900
    EVENT_OWNERS["msgaudit_notify"] = Owner(book.apply)
    for name in ("subscribe", "msgaudit_notify"):
        door.post(event_xml("", event=name, at=old), at=old)
    drain(door.tenant)
    assert sorted(rows("name, status")) == [("msgaudit_notify", "done"), ("subscribe", "done")]
    assert len(book.lines()) == 1


def test_an_operator_ignores_with_a_reason(door: Door, book: Book) -> None:
    book.errors = {"c:wm1": NotVisible(40096, "invalid", "externalcontact/get")}
    door.post(event_xml(ExternalUserID="wm1"))
    drain(door.tenant)
    assert inbox.ignore(door.tenant.pk, [rows("id")[0][0]], reason="测试客户") == 1
    assert rows("status, last_error") == [("ignored", "测试客户")]


def test_a_replay_of_thousands_is_spread_over_time(door: Door, book: Book) -> None:
    """F28 for the inbox: 50 a second, and nothing is applied twice."""
    for number in range(120):
        door.post(event_xml(ExternalUserID=f"wm{number}"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.callbacks_inbox SET status = 'dead'")
    assert inbox.replay(door.tenant.pk, dead=True) == 120
    assert inbox.replay(door.tenant.pk, dead=True) == 0
    [(first, last)] = [(min(due), max(due)) for due in [[row[0] for row in rows("due_at")]]]
    assert timedelta(seconds=2) < last - first < timedelta(seconds=3)


def test_a_worker_that_is_cut_off_leaves_nothing_half_done(door: Door, book: Book) -> None:
    door.post(event_xml())
    book.poison = {"wmQx7DEAAAk3Vv0bq1nZt9LkP2sYhJrw"}
    drain(door.tenant)
    assert book.lines() == []
    assert rows("status") == [("new",)]


# -- the urgent --------------------------------------------------------------------------------------------------------


def test_a_welcome_does_not_wait_for_the_lane(door: Door, book: Book) -> None:
    greeted: list[str] = []

    def read(event: Event) -> str:
        assert connection.get_autocommit(), "read must not hold a transaction"
        return event.welcome_code

    URGENT_HANDLERS[f"{CUSTOMER}.add_external_contact"] = Urgent(lambda event, code: greeted.append(code), read)
    door.post(event_xml(WelcomeCode="code1"))
    door.post(event_xml())
    assert (door.tenant.pk, "acme", "urgent") in inbox.waiting()
    assert inbox.drain_urgent(door.tenant.pk) == 1
    assert greeted == ["code1"]
    assert rows("status, urgent") == [("new", False), ("new", False)]
    assert inbox.drain_urgent(door.tenant.pk) == 0
    assert drain(door.tenant) == 2


def test_a_welcome_that_fails_is_tried_again_and_given_up_when_its_code_is_dead(door: Door, book: Book) -> None:
    def fail(event: Event, reading: None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO public.book (text) VALUES ('half')")
        raise ValueError("no text")

    URGENT_HANDLERS[f"{CUSTOMER}.add_external_contact"] = Urgent(fail, lambda event: None)
    door.post(event_xml(WelcomeCode="a"))
    door.post(event_xml(WelcomeCode="b", ExternalUserID="wm2"))
    assert inbox.drain_urgent(door.tenant.pk) == 0
    assert book.lines() == []
    assert count("urgent") == 2
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.callbacks_inbox SET event_at = now() - interval '2 minutes'")
    inbox.drain_urgent(door.tenant.pk)
    assert rows("urgent, last_error") == [(False, "ValueError: no text")] * 2


def test_who_waits_for_wecoms_answer_holds_up_no_other_welcome(door: Door, book: Book) -> None:
    """While one worker asks WeCom, another has its turn: it greets the others, and leaves that one alone."""
    greeted: list[str] = []
    others: list[int] = []

    def read(event: Event) -> str:
        if event.welcome_code == "slow":
            with ThreadPoolExecutor() as pool:
                others.append(pool.submit(in_another_worker).result(timeout=30))
        return event.welcome_code

    def in_another_worker() -> int:
        try:
            return inbox.drain_urgent(door.tenant.pk)
        finally:
            connection.close()

    URGENT_HANDLERS[f"{CUSTOMER}.add_external_contact"] = Urgent(lambda event, code: greeted.append(code), read)
    door.post(event_xml(WelcomeCode="slow"))
    door.post(event_xml(WelcomeCode="quick", ExternalUserID="wm2"))

    assert inbox.drain_urgent(door.tenant.pk) == 1

    assert (greeted, others, count("urgent")) == (["quick", "slow"], [1], 0)


# -- much --------------------------------------------------------------------------------------------------------------


def fill(door: Door, number: int) -> None:
    """Copies of one event under many keys: the inbox does not look inside before it is drained."""
    door.post(event_xml(State="flood"))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.callbacks_inbox (event_day, dedupe_key, tenant_id, receiver_id, key_version, name,"
            " lane, event_at, body) SELECT event_day, int8send(n), tenant_id, receiver_id, key_version, name, n %% 4,"
            " event_at, body FROM public.callbacks_inbox, generate_series(1, %s) n WHERE tenant_id = %s",
            [number - 1, door.tenant.pk],
        )


def test_a_flood_of_one_company_does_not_hold_up_the_other(door: Door, other_door: Door, book: Book) -> None:
    """F33: the pollers' way, each lane its slice in turn."""
    fill(door, 20_000)
    other_door.post(event_xml(State="globex"))
    begun = time.monotonic()
    left = True
    while left:
        for tenant_id, _schema, lane in inbox.waiting():
            inbox.drain(tenant_id, int(lane), seconds=0.2)
        left = count(f"tenant_id = {other_door.tenant.pk} AND status = 'new'") > 0
    assert count(f"tenant_id = {door.tenant.pk} AND status = 'new'") > 0, "the flood was over before the other's turn"
    assert time.monotonic() - begun < 30
    assert max(book.batches) <= draining.BATCH


def test_two_transactions_never_apply_the_same_row(door: Door, book: Book) -> None:
    """An operator's replay of a row that a worker is just handling."""
    door.post(event_xml())
    items = draining.due(door.tenant.pk, rows("lane")[0][0], 10)
    drain(door.tenant)
    with transaction.atomic():
        assert draining.mark_done([draining.Item(row, event_of(row)) for row in items]) == set()
