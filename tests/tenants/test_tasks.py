"""A task runs in the tenant of its message, or not at all."""

import random
import threading

import pytest
from celery import shared_task
from celery.exceptions import Retry
from django.db import connection, transaction

from contacts.models import Customer
from scrm.celery import app
from tenants.isolation import NoTenant
from tenants.models import Tenant
from tenants.provision import create_tenant
from tenants.tasks import HEADER, _Wake, enqueue
from tests.sizes import in_two_sizes

seen: list[str] = []


@app.task(name="tests.note")
def note(*, fail: bool = False) -> None:
    seen.append(connection.schema_name)
    Customer.objects.create(external_userid=f"wm-{len(seen)}-{random.random()}")
    if fail:
        raise ZeroDivisionError


@app.task(name="tests.twice", bind=True, max_retries=1)
def twice(self) -> None:
    Customer.objects.create(external_userid=f"wm-twice-{random.random()}")
    if not self.request.retries:
        raise self.retry(countdown=0)


@app.task(name="tests.of_platform", of_platform=True)
def of_platform() -> None:
    seen.append(connection.schema_name)


@shared_task(name="tests.shared")
def shared() -> None:
    seen.append(connection.schema_name)


@pytest.fixture(autouse=True)
def _nothing_seen():
    seen.clear()
    _Wake.broker_down_until = 0.0


@pytest.fixture
def sent(monkeypatch):
    """Messages as they would be put on the wire."""
    messages = []

    class Wire:
        def __init__(self, task):
            self.name = task.name
            self.of_platform = task.of_platform

        def apply_async(self, **options):
            messages.append((self.name, options["headers"][HEADER], options["kwargs"]))

    return messages, Wire


def test_the_tenant_of_the_call_is_recorded_before_the_commit(db_commits, acme, sent):
    messages, wire = sent
    with transaction.atomic():
        with acme:
            enqueue(wire(note), fail=False)
        assert messages == []

    assert messages == [("tests.note", "acme", {"fail": False})]


def test_equal_calls_in_a_transaction_are_one_message(db_commits, acme, globex, sent):
    messages, wire = sent
    with transaction.atomic():
        for tenant in (acme, globex, acme):
            with tenant:
                enqueue(wire(note))
                enqueue(wire(note))

    assert [schema for _, schema, _ in messages] == ["acme", "globex"]


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_message(db_commits, acme, sent):
    messages, wire = sent
    with transaction.atomic(), acme:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            enqueue(wire(note))
            _ = 1 / 0
        enqueue(wire(note))

    assert len(messages) == 1


def test_a_task_of_a_tenant_is_not_sent_without_one(db, sent):
    _, wire = sent
    with pytest.raises(NoTenant):
        enqueue(wire(note))


def test_a_task_of_the_platform_is_sent_from_anywhere(db_commits, acme, sent):
    messages, wire = sent
    with acme:
        enqueue(wire(of_platform))

    assert messages == [("tests.of_platform", "public", {})]


def test_a_broker_that_is_down_is_not_felt(db_commits, acme):
    class Down:
        name, of_platform = "tests.down", False
        tries = 0

        def apply_async(self, **options):
            Down.tries += 1
            raise OSError("connection refused")

    with acme:
        for _ in range(3):
            enqueue(Down())

    assert Down.tries == 1  # then left alone for some seconds


@pytest.mark.parametrize("task", [note, shared])
def test_a_task_runs_in_the_tenant_of_its_message(acme, globex, task):
    task.apply(headers={HEADER: "globex"}, throw=True)

    assert seen == ["globex"]
    assert connection.schema_name == "public"


@pytest.mark.parametrize("headers", [{}, {HEADER: "public"}])
def test_a_message_without_a_tenant_is_refused(db, headers):
    with pytest.raises(NoTenant):
        note.apply(headers=headers, throw=True)

    assert seen == []


def test_a_task_of_a_deleted_or_closed_tenant_does_nothing(acme):
    Tenant.objects.filter(pk=acme.pk).update(status=Tenant.Status.SUSPENDED)

    note.apply(headers={HEADER: "acme"}, throw=True)
    note.apply(headers={HEADER: "gone"}, throw=True)

    assert seen == []


def test_a_task_of_the_platform_runs_in_the_public_schema(in_acme):
    of_platform.apply(headers={HEADER: "acme"}, throw=True)

    assert seen == ["public"]
    assert connection.schema_name == "acme"


def test_a_task_called_like_a_function_belongs_to_its_callers_tenant(acme):
    with acme:
        note()
    with pytest.raises(NoTenant):
        note()

    assert seen == ["acme"]


@in_two_sizes("companies, tasks", (4, 400), (20, 1_000))
def test_interleaved_tasks_with_failures_never_meet_a_wrong_schema(db_commits, clean_cache, companies, tasks):
    """F35: threads of one worker share the task object; some tasks fail, some are tried again."""
    for number in range(2, companies):
        create_tenant(f"company{number}", name=f"公司{number}")
    tenants = list(Tenant.objects.exclude(schema_name="public"))
    ends = random.choices([None, ZeroDivisionError, Retry], [6, 2, 2], k=tasks)
    orders = [(random.choice(tenants).schema_name, end) for end in ends]
    shares = [orders[part::4] for part in range(4)]
    errors: list[BaseException] = []

    def worker(share):
        try:
            for schema, end in share:
                result = note.apply(headers={HEADER: schema}, kwargs={"fail": end is ZeroDivisionError})
                if end is Retry:
                    result = twice.apply(headers={HEADER: schema})
                assert result.failed() == (end is ZeroDivisionError)
                assert connection.schema_name == "public"
        except BaseException as error:  # noqa: BLE001  told to the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(tenants) == companies
    for tenant in tenants:
        of_tenant = [end for schema, end in orders if schema == tenant.schema_name]
        with tenant:
            assert Customer.objects.count() == len(of_tenant) + 2 * of_tenant.count(Retry)
            assert not Customer.objects.exclude(tenant_id=tenant.pk).exists()
