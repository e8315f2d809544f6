"""Tells workers that a tenant has events. Best effort: the rows are there, and the poller looks every second."""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import redis
import structlog
from django.conf import settings

from callbacks.record import Record
from tenants.tasks import send_now

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.1  # between two rounds: a burst is one message a lane, not one an event
BACKOFF_SECONDS = 2.0  # after the broker failed
EXPIRES_SECONDS = 5  # a wake-up that waited longer wakes nobody: the poller did
MAX_PENDING = 10_000
URGENT = "urgent"  # the lane of what must be answered within WeCom's 20 seconds

Place = tuple[str, str]
"""Schema, and the number of a lane or `URGENT`."""


def mark_of(schema: str, lane: str) -> str:
    """In Redis while a wake-up is on its way: a second one would only fill the queue before other tenants."""
    return f"t:{schema}:wake:{lane}"


def queue_of(lane: str) -> str:
    return "welcome" if lane == URGENT else "events"


def marks() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)


def send(client: "redis.Redis", places: Sequence[Place]) -> None:
    """A message for each, unless one is on its way. Raises when the broker is down."""
    pipeline = client.pipeline(transaction=False)
    for place in places:
        pipeline.set(mark_of(*place), "1", nx=True, ex=EXPIRES_SECONDS)
    for place, is_new in zip(places, pipeline.execute(), strict=True):
        if is_new:
            _send(client, place)


def _send(client: "redis.Redis", place: Place) -> None:
    from callbacks import tasks  # tasks drain, draining asks for another round, that round is sent here

    schema, lane = place
    task = tasks.drain_urgent if lane == URGENT else tasks.drain
    arguments = {} if lane == URGENT else {"lane": int(lane)}
    try:
        send_now(task, schema, arguments, queue=queue_of(lane), expires=EXPIRES_SECONDS)
    except BaseException:
        client.delete(mark_of(*place))
        raise


def send_quietly(client: "redis.Redis", place: Place) -> None:
    try:
        send(client, [place])
    except Exception as error:  # noqa: BLE001  redis, kombu and the socket each have their own
        log.warning("worker not woken, the poller will", error=str(error)[:200])


def taken(client: "redis.Redis", place: Place) -> None:
    """A worker has begun: from now on a new wake-up is worth sending."""
    with suppress(redis.RedisError):  # the mark ends by itself
        client.delete(mark_of(*place))


class Waker:
    """Sends from a thread of its own: a broker that is slow or down delays no answer."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._pending: set[Place] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wake(self, records: Sequence[Record]) -> None:
        places = {(record.schema, str(record.lane)) for record in records}
        places |= {(record.schema, URGENT) for record in records if record.urgent}
        self.wake_places({place for place in places if place[0]})

    def wake_places(self, places: set[Place]) -> None:
        if not places:
            return
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="inbox-waker", daemon=True)
                self._thread.start()
            if len(self._pending) < MAX_PENDING:
                self._pending |= places
            self._changed.notify()

    def _run(self) -> None:
        client = marks()
        while True:
            with self._changed:
                while not self._pending:
                    self._changed.wait()
                places, self._pending = self._pending, set()
            try:
                send(client, sorted(places, key=lambda place: place[1] != URGENT))
                time.sleep(PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001
                log.warning("workers not woken, the poller will", error=str(error)[:200])
                time.sleep(BACKOFF_SECONDS)


waker = Waker()
