"""What falls due happens at its time, once, for every tenant in turn, whoever dies."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tenants import due
from tenants.due import DUE_HANDLERS
from tenants.models import DueRow, Tenant

SEEN: Counter[int] = Counter()


def note(refs: list[int]) -> None:
    if 13 in refs:
        raise ValueError("a row that cannot be done")
    SEEN.update(refs)


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    SEEN.clear()
    monkeypatch.setitem(DUE_HANDLERS, "note", note)


def put(*refs: int, minutes: float = -1) -> None:
    due.put("note", dict.fromkeys(refs, timezone.now() + timedelta(minutes=minutes)))


def test_it_happens_at_its_time_and_once(in_acme: Tenant) -> None:
    put(1, 2)
    put(3, minutes=5)
    assert due.run_due(in_acme) == 2
    assert due.run_due(in_acme) == 0
    assert SEEN == {1: 1, 2: 1}
    assert list(DueRow.objects.values_list("ref", flat=True)) == [3]


def test_a_time_can_be_moved_and_given_up(in_acme: Tenant) -> None:
    put(1, 2, minutes=5)
    put(1)
    assert due.drop("note", [2]) == 1
    assert due.run_due(in_acme) == 1
    assert not DueRow.objects.exists()


def test_a_bad_row_holds_up_no_other_and_is_tried_again_later(in_acme: Tenant) -> None:
    put(12, 13, 14)
    assert due.run_due(in_acme) == 2
    assert SEEN == {12: 1, 14: 1}
    left = DueRow.objects.get()
    assert (left.ref, left.failures) == (13, 1)
    assert left.due_at > timezone.now()


def test_what_is_due_of_two_kinds_never_shares_a_transaction(
    db_commits: None, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each locks the same customers in an order of its own: together, two workers would wait for each other."""
    places: dict[str, object] = {}

    def where(kind: str) -> Callable[[list[int]], None]:
        def handle(_refs: list[int]) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()::text")
                places[kind] = cursor.fetchone()

        return handle

    for kind in ("one", "two"):
        monkeypatch.setitem(DUE_HANDLERS, kind, where(kind))
    with acme:
        for ref, kind in enumerate(("two", "one", "two"), start=1):
            due.put(kind, {ref: timezone.now() - timedelta(minutes=1)})
        assert due.run_due(acme) == 3
    assert len(set(places.values())) == 2


def test_each_tenant_with_something_due_has_its_turn(acme: Tenant, globex: Tenant) -> None:
    with acme:
        put(*range(100, 400), minutes=-60)
    with globex:
        put(7)
    assert [schema for _, schema in due.due_tenants()] == [acme.schema_name, globex.schema_name]
    acme.status = Tenant.Status.SUSPENDED
    acme.save()
    assert [schema for _, schema in due.due_tenants()] == [globex.schema_name]


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_the_rows_and_a_dead_one_leaves_his_to_the_other(acme: Tenant) -> None:
    with acme:
        put(*range(1, 11))
    held, go_on = threading.Event(), threading.Event()

    def die_with_five() -> None:
        with acme:
            connection.set_autocommit(False)
            due.claim(acme, 5)
            held.set()
            go_on.wait(10)
            connection.connection.close()  # as the end of its process would
        connection.close()

    worker = threading.Thread(target=die_with_five)
    worker.start()
    assert held.wait(10)
    with acme:
        assert due.run_due(acme) == 5
        go_on.set()
        worker.join()
        done, until = 0, time.monotonic() + 30
        while done < 5 and time.monotonic() < until:  # the server notices a moment later
            done += due.run_due(acme)
        assert done == 5
    assert set(SEEN.values()) == {1}
    assert len(SEEN) == 10


@pytest.mark.usefixtures("db_commits")
def test_who_gives_up_or_moves_what_a_worker_holds_does_not_wait_for_it(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may be waiting for rows of the one who does: each would wait for the other."""
    claimed, given_up = threading.Event(), threading.Event()

    def wait_for_the_other(refs: list[int]) -> None:
        SEEN.update(refs)
        claimed.set()
        assert given_up.wait(10)

    def work() -> None:
        with Tenant.objects.get(pk=acme.pk) as tenant:
            due.run_due(tenant, turns=1)
        connection.close()

    monkeypatch.setitem(DUE_HANDLERS, "note", wait_for_the_other)

    with acme:
        put(1, 3)
        put(2, minutes=5)
        worker = threading.Thread(target=work)
        worker.start()
        assert claimed.wait(10)
        assert due.drop("note", [1, 2]) == 1
        assert due.waiting("note", [1, 2, 3]) == set()
        put(3)
        put(3, 4, minutes=-2)
        assert due.waiting("note", [1, 3]) == {3}
        given_up.set()
        worker.join()
        assert SEEN == {1: 1, 3: 1}
        assert due.run_due(acme) == 2  # the one was moved while it was worked on
        assert SEEN == {1: 1, 3: 2, 4: 1}
        assert not DueRow.objects.exists()
