"""The pollers of this layer: what waits is given to the workers, or done right here when there is no broker or when
no worker comes."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import Task
from django.db import connection

from tenants import delivery, jobs, sending
from tenants.hearing import Hearing
from tenants.models import Job, Tenant
from tenants.tasks import send_now

logger = logging.getLogger(__name__)

BROKER_PAUSE = 3.0
INLINE_THREADS = 4
INLINE_SECONDS = 3.0

QUEUES = {"welcome": "welcome", "interactive": "welcome", "bulk": "outbox"}


class Inline:
    """Work done in the scheduler itself while no worker can be called, or none comes: a few threads, each place once at
    a time."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._busy: set[Any] = set()
        self._lock = threading.Lock()

    def submit(self, place: Any, work: Callable[[], object]) -> None:
        with self._lock:
            if place in self._busy:
                return
            self._busy.add(place)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(INLINE_THREADS, thread_name_prefix="inline")
            self._pool.submit(self._run, place, work)

    def _run(self, place: Any, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:
            logger.exception("work of the scheduler itself failed: %s", place)
        finally:
            connection.close()
            with self._lock:
                self._busy.discard(place)


class Broker:
    """Sends wake-ups; after a failure it is left alone for a moment, and said so once."""

    def __init__(self) -> None:
        self._down_until = 0.0
        self._was_down = False
        self.hearing = Hearing()

    def send(self, task: "Task[Any, Any]", schema: str, kwargs: dict[str, Any], *, queue: str, expires: float) -> bool:
        """Whether a worker will come."""
        return self.reached(queue, lambda: send_now(task, schema, kwargs, queue=queue, expires=expires))

    def reached(self, queue: str, call: Callable[[], object]) -> bool:
        return self._takes(call) and self.hearing.is_heard(queue)

    def _takes(self, call: Callable[[], object]) -> bool:
        if time.monotonic() < self._down_until:
            return False
        try:
            call()
        except Exception as error:  # noqa: BLE001  redis, kombu and the socket each have their own
            self._down_until = time.monotonic() + BROKER_PAUSE
            if not self._was_down:
                logger.warning("the broker is down, working here: %s", str(error)[:200])
            self._was_down = True
            return False
        if self._was_down:
            logger.warning("the broker is back")
            self._was_down = False
        return True


inline = Inline()
broker = Broker()


def poll_outbox() -> int:
    """Wakes a worker for each tenant and lane with calls that are due; welcome messages first."""
    order = {lane.name: number for number, lane in enumerate(sending.LANES)}
    places = sorted(sending.due(), key=lambda place: order[place[2].name])
    for tenant_id, schema, lane in places:
        if not broker.send(delivery.TASKS[lane.name], schema, {}, queue=QUEUES[lane.name], expires=5):
            inline.submit((tenant_id, lane.name), _deliver(tenant_id, lane))
    return len(places)


def poll_jobs() -> int:
    """Wakes a worker for each job that should be running."""
    places = jobs.waiting()
    for schema, job_id in places:
        if not broker.send(jobs.work, schema, {"job_id": job_id}, queue="jobs", expires=5):
            inline.submit(("job", job_id), _run_job(schema, job_id))
    return len(places)


def _deliver(tenant_id: int, lane: sending.Lane) -> Callable[[], object]:
    def work() -> int:
        return sending.deliver(Tenant.objects.get(pk=tenant_id), lane, seconds=INLINE_SECONDS)

    return work


def _run_job(schema: str, job_id: int) -> Callable[[], object]:
    def work() -> bool:
        with Tenant.objects.get(schema_name=schema):
            return jobs.run_slice(Job.objects.get(pk=job_id), seconds=INLINE_SECONDS * 4)

    return work
