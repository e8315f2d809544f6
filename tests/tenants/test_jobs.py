"""A long job goes on where it stopped, never runs twice at once, and says how far it is."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tenants import jobs
from tenants.jobs import JOB_KINDS, JobFailed, JobRun
from tenants.models import Domain, Job, Tenant
from wecom.errors import WeComMisconfigured, WeComUnavailable

CHUNKS = 10


def counting(run: JobRun) -> None:
    """Makes one row a chunk, together with its checkpoint."""
    run.save(total=CHUNKS, stage="counting")
    for number in range(run.checkpoint.get("next", 0), CHUNKS):
        run.proceed()
        with transaction.atomic():
            Domain.objects.create(domain=f"chunk-{number}.localhost", tenant=run.job.tenant, is_primary=False)
            run.save({"next": number + 1}, done=number + 1, made=1)


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JOB_KINDS, "count", counting)


def chunks() -> int:
    return Domain.objects.filter(domain__startswith="chunk-").count()


def test_a_job_runs_to_its_end_with_counts_and_progress(in_acme: Tenant) -> None:
    job = jobs.run_to_end(jobs.start("count", by="lin"))
    assert (job.state, job.done, job.total, job.counts, job.stage) == (Job.State.DONE, 10, 10, {"made": 10}, "counting")
    assert job.finished_at is not None
    assert chunks() == CHUNKS


def test_one_job_of_a_kind_is_open_at_a_time(in_acme: Tenant) -> None:
    first = jobs.start("count")
    assert jobs.start("count").pk == first.pk
    jobs.run_to_end(first)
    assert jobs.start("count").pk != first.pk


def test_a_job_that_is_killed_goes_on_from_its_checkpoint(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """What no handler of ours catches, as SIGKILL is."""

    def dies(run: JobRun) -> None:
        original = run.proceed

        def proceed() -> None:
            if run.job.done == 4:
                raise Killed
            original()

        run.proceed = proceed  # type: ignore[method-assign]
        counting(run)

    monkeypatch.setitem(JOB_KINDS, "count", dies)
    job = jobs.start("count")
    with pytest.raises(Killed):
        jobs.run_slice(job)
    job.refresh_from_db()
    assert (job.state, job.done) == (Job.State.RUNNING, 4)

    assert (in_acme.schema_name, job.pk) not in jobs.waiting()
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=61))
    assert (in_acme.schema_name, job.pk) in jobs.waiting()

    monkeypatch.setitem(JOB_KINDS, "count", counting)
    job = jobs.run_to_end(job)
    assert (job.state, job.counts["made"], chunks()) == (Job.State.DONE, CHUNKS, CHUNKS)


def test_a_job_gives_up_its_slot_and_goes_on(in_acme: Tenant) -> None:
    job = jobs.start("count")
    assert jobs.run_slice(job, seconds=0.0)
    assert (job.state, job.done) == (Job.State.QUEUED, 0)
    assert (in_acme.schema_name, job.pk) in jobs.waiting()
    assert jobs.run_to_end(job).state == Job.State.DONE


def test_a_cancelled_job_stops_and_keeps_what_it_did(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "HEARTBEAT_SECONDS", 0.0)

    def cancelled_at_three(run: JobRun) -> None:
        original = run.proceed

        def proceed() -> None:
            if run.job.done == 3:
                jobs.cancel(run.job, by="lin")
            original()

        run.proceed = proceed  # type: ignore[method-assign]
        counting(run)

    monkeypatch.setitem(JOB_KINDS, "count", cancelled_at_three)
    with pytest.raises(JobFailed, match="cancelled"):
        jobs.run_to_end(jobs.start("count"))
    assert chunks() == 3


def test_a_busy_wecom_delays_a_job_and_a_wrong_setting_ends_it(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(run: JobRun) -> None:
        raise WeComUnavailable(-1, "system busy", "user/list")

    monkeypatch.setitem(JOB_KINDS, "count", busy)
    job = jobs.start("count")
    jobs.run_slice(job)
    assert (job.state, job.attempts) == (Job.State.QUEUED, 1)
    assert job.due_at > timezone.now()
    assert not jobs.run_slice(job), "not before it is due"

    def broken(run: JobRun) -> None:
        raise WeComMisconfigured(60020, "not allow to access from your ip", "user/list")

    monkeypatch.setitem(JOB_KINDS, "count", broken)
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
    jobs.run_slice(job)
    assert job.state == Job.State.FAILED
    assert "60020" in job.error


def test_a_fault_of_our_own_fails_the_job_at_the_third_time(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(run: JobRun) -> None:
        raise KeyError("bug")

    monkeypatch.setitem(JOB_KINDS, "count", bug)
    job = jobs.start("count")
    for _ in range(3):
        Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
        jobs.run_slice(job)
    assert (job.state, job.error) == (Job.State.FAILED, "KeyError: 'bug'")


def test_saying_where_it_stands_is_no_progress_and_a_checkpoint_is(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(run: JobRun) -> None:
        run.save(run.checkpoint, total=CHUNKS, done=0, stage="counting")
        if run.params.get("moves"):
            run.save({"next": run.checkpoint.get("next", 0) + 1}, made=1)
        raise KeyError("bug")

    monkeypatch.setitem(JOB_KINDS, "count", bug)
    ended = []
    for params in ({}, {"moves": True}):
        job = jobs.start("count", params=params, subject=str(params))
        for _ in range(3):
            Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
            jobs.run_slice(job)
        ended.append((job.state, job.attempts))
    assert ended == [(Job.State.FAILED, 3), (Job.State.QUEUED, 1)]


@pytest.mark.usefixtures("db_commits")
def test_two_workers_never_run_one_job_at_once() -> None:
    acme = Tenant.objects.get(schema_name="acme")
    inside, leave = threading.Event(), threading.Event()

    def slow(run: JobRun) -> None:
        inside.set()
        leave.wait(10)

    JOB_KINDS["count"] = slow
    with acme:
        job = jobs.start("count")

    def other_worker() -> None:
        try:
            with Tenant.objects.get(schema_name="acme"):
                jobs.run_slice(Job.objects.get(pk=job.pk))
        finally:
            connection.close()

    worker = threading.Thread(target=other_worker)
    worker.start()
    assert inside.wait(10)
    with acme:
        assert not jobs.run_slice(Job.objects.get(pk=job.pk))
    leave.set()
    worker.join(10)
    job.refresh_from_db()
    assert job.state == Job.State.DONE


def test_an_overtaken_worker_writes_nothing(in_acme: Tenant) -> None:
    job = jobs.start("count")
    assert jobs._take_up(job)
    slow = JobRun(job)
    again = Job.objects.get(pk=job.pk)
    assert jobs._take_up(again)
    with pytest.raises(jobs.Overtaken), transaction.atomic():
        Domain.objects.create(domain="chunk-late.localhost", tenant=in_acme, is_primary=False)
        slow.save({"next": 1})
    assert chunks() == 0
