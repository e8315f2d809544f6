"""Whether workers hear the calls of the pollers: a broker takes calls that nobody comes for just as gladly."""

import logging
import time
from contextlib import suppress
from functools import cache

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

PATIENCE = {"welcome": 5, "events": 30, "outbox": 60, "jobs": 120}
"""Seconds by queue. A worker whose hands are full for so long counts as gone: what waits is done elsewhere, too."""

LULL_SECONDS = 4.0  # nothing waited for so long: who is called next is called anew


def hear(queue: str) -> None:
    """A worker has begun a task of this queue."""
    if queue in PATIENCE:
        with suppress(redis.RedisError):
            _client(settings.REDIS_URL).set(_mark(queue), "1", ex=PATIENCE[queue])


class Hearing:
    """What one poller knows of the workers it calls."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[float, float]] = {}  # by queue: since when it waits to be heard, the last call
        self._deaf: set[str] = set()

    def is_heard(self, queue: str) -> bool:
        """Ask it with every call that the broker took."""
        now = time.monotonic()
        since, last = self._calls.get(queue, (now, now))
        if now - last > LULL_SECONDS:
            since = now
        if now - since >= PATIENCE[queue]:
            if not _is_marked(queue):
                self._calls[queue] = since, now
                self._tell(queue)
                return False
            since = now
        self._calls[queue] = since, now
        self._deaf.discard(queue)
        return True

    def _tell(self, queue: str) -> None:
        if queue not in self._deaf:
            logger.warning("no worker takes what waits in the queue %s, working here", queue)
        self._deaf.add(queue)


def _is_marked(queue: str) -> bool:
    try:
        return bool(_client(settings.REDIS_URL).exists(_mark(queue)))
    except redis.RedisError:
        return False


def _mark(queue: str) -> str:
    return f"t:public:heard:{queue}"


@cache
def _client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5)
