"""What may have been lost while nobody answered WeCom is found by a comparison that starts by itself."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from callbacks import gaps, intake, spool
from callbacks.flush import Outcome
from callbacks.gaps import Watch
from callbacks.models import Beat, Gap
from contacts.models import Customer
from tenants import jobs
from tenants.models import Job, Tenant
from tests.callbacks.door import Door, event_xml
from tests.callbacks.test_spool import down, folder  # noqa: F401
from tests.sandbox_server import Sandbox, sandbox, sandbox_process  # noqa: F401


@pytest.fixture
def synced(in_acme: Tenant, sandbox: Sandbox) -> Tenant:  # noqa: F811
    """Acme, whose customers are here."""
    jobs.run_to_end(jobs.start("sync"))
    connection.set_schema_to_public()
    return in_acme


def long_ago(seconds: int = 60) -> None:
    Beat.objects.update(at=timezone.now() - timedelta(seconds=seconds))


def with_gap() -> list[str]:
    return sorted(Gap.objects.values_list("tenant__schema_name", flat=True))


def notice(tenant: Tenant) -> None:
    Gap.objects.update_or_create(tenant=tenant, defaults={"noticed_at": timezone.now()})


def staff_of(sandbox: Sandbox) -> str:  # noqa: F811
    return sandbox.friendships()[0][0]


def reconciles() -> list[Job]:
    return list(Job.objects.filter(kind="reconcile").order_by("id"))


def run_when_due(tenant: Tenant, job: Job) -> Job:
    """To its end, without waiting for its place among the others."""
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
    job.refresh_from_db()
    with tenant:
        return jobs.run_to_end(job)


def test_a_customer_who_came_while_the_web_was_away_is_found(synced: Tenant, sandbox: Sandbox) -> None:  # noqa: F811
    Watch().beat()
    lost = sandbox.act("customer_adds", userid=staff_of(sandbox))["external_userid"]
    long_ago()
    assert Watch().beat()
    assert with_gap() == ["acme", "globex"]
    assert gaps.compare() == 1, "nothing of globex was synced yet, so there is nothing to compare"
    assert with_gap() == []
    [job] = reconciles()
    assert run_when_due(synced, job).counts["follows_missing"] == 1
    with synced:
        assert Customer.objects.filter(external_userid=lost).exists()
    assert (gaps.compare(), len(reconciles())) == (0, 1)


@pytest.mark.django_db
def test_a_short_restart_is_no_gap_as_wecom_sends_again() -> None:
    assert not Watch().beat(), "the first of all"
    long_ago(8)
    assert not Watch().beat()
    assert with_gap() == []


@pytest.mark.django_db
def test_an_outage_of_postgres_that_the_web_lived_through_is_no_gap() -> None:
    watch = Watch()
    watch.beat()
    watch._alive_since -= 120
    long_ago(60)
    assert not watch.beat()
    assert with_gap() == []


@pytest.mark.django_db
def test_of_two_processes_that_start_after_a_gap_one_notices_it() -> None:
    Watch().beat()
    long_ago()
    assert [Watch().beat(), Watch().beat()] == [True, False]


def test_a_comparison_under_way_is_waited_for_and_a_waiting_one_is_enough(synced: Tenant) -> None:
    """What runs may have passed the member whose event was lost."""
    with synced:
        job = jobs.start("reconcile")
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.RUNNING, started_at=timezone.now(), heartbeat_at=timezone.now()
    )
    notice(synced)
    assert (gaps.compare(), with_gap()) == (0, ["acme"])
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    assert (gaps.compare(), with_gap()) == (1, [])
    notice(synced)
    assert (gaps.compare(), with_gap()) == (0, [])
    assert len(reconciles()) == 2


def test_a_first_sync_that_is_not_over_is_waited_for(in_acme: Tenant) -> None:
    with in_acme:
        sync = jobs.start("sync")
    notice(in_acme)
    assert (gaps.compare(), with_gap()) == (0, ["acme"])
    Job.objects.filter(pk=sync.pk).update(state=Job.State.DONE)
    assert gaps.compare() == 1


def test_many_companies_are_not_compared_all_at_once(in_acme: Tenant) -> None:
    Job.objects.create(tenant=in_acme, kind="sync", state=Job.State.DONE)
    notice(in_acme)
    gaps.compare()
    [job] = reconciles()
    assert timezone.now() - timedelta(seconds=1) <= job.due_at <= timezone.now() + timedelta(seconds=gaps.APART_SECONDS)


def test_a_suspended_company_is_compared_when_it_is_back(in_acme: Tenant) -> None:
    Job.objects.create(tenant=in_acme, kind="sync", state=Job.State.DONE)
    notice(in_acme)
    Tenant.objects.filter(pk=in_acme.pk).update(status=Tenant.Status.SUSPENDED)
    assert gaps.compare() == 0
    Tenant.objects.filter(pk=in_acme.pk).update(status=Tenant.Status.ACTIVE)
    assert gaps.compare() == 1


def test_whose_callbacks_were_spooled_is_compared(
    door: Door,
    folder: Path,  # noqa: F811
    down: pytest.MonkeyPatch,  # noqa: F811
) -> None:
    assert door.post(event_xml(State="spooled")).status == 200
    intake.flusher._spool.release()
    down.undo()
    assert with_gap() == []
    assert spool.recover() == 1
    assert with_gap() == ["acme"]


def test_whose_callback_was_refused_for_want_of_a_place_is_compared(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    monkeypatch.setattr(intake, "watch", watch)
    monkeypatch.setattr(intake.flusher, "store", lambda record: Outcome.FULL)
    assert door.post(event_xml()).status == 503
    watch.beat()
    assert with_gap() == ["acme"]
