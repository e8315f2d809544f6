"""Budgets of calls to WeCom: token buckets in Redis per (corp, API), per corp and per egress address.

WeCom's ceilings are 10,000 a minute and 150,000 an hour per corp and API, 20,000 and 600,000 per address (path/90454).
We plan with half of them. A bucket holds half a minute's ceiling and refills at half the hourly rate, so that no window
is ever exceeded. After a 45009 the bucket of that API shrinks to half and grows back by 5 % a minute.
"""

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

BULK_RESERVE = 0.2  # bulk work leaves this share of every bucket to what a person or a deadline waits for
REDIS_PAUSE = 2.0  # seconds without asking a Redis that just failed
KEEP_SECONDS = 7200

TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local reserve = tonumber(ARGV[1])
local keep = tonumber(ARGV[2])
local wait = 0
local left = {}
for i, key in ipairs(KEYS) do
  local size, rate = tonumber(ARGV[1 + i * 2]), tonumber(ARGV[2 + i * 2])
  local row = redis.call('HMGET', key, 'tokens', 'at', 'share', 'share_at')
  local share = tonumber(row[3]) or 1
  if share < 1 then
    share = math.min(1, share + 0.05 * (now - (tonumber(row[4]) or now)) / 60)
  end
  size, rate = size * share, rate * share
  local tokens = tonumber(row[1]) or size
  tokens = math.min(size, tokens + math.max(0, now - (tonumber(row[2]) or now)) * rate)
  local needed = 1 + size * reserve
  if tokens < needed then wait = math.max(wait, (needed - tokens) / rate) end
  left[i] = {tokens, share}
end
for i, key in ipairs(KEYS) do
  local tokens = left[i][1]
  if wait == 0 then tokens = tokens - 1 end
  redis.call('HSET', key, 'tokens', tostring(tokens), 'at', tostring(now),
    'share', tostring(left[i][2]), 'share_at', tostring(now))
  redis.call('EXPIRE', key, keep)
end
return tostring(wait)
"""

SLOW_DOWN = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local row = redis.call('HMGET', KEYS[1], 'share', 'share_at')
local share = tonumber(row[1]) or 1
share = math.min(1, share + 0.05 * (now - (tonumber(row[2]) or now)) / 60)
share = math.max(0.02, share / 2)
redis.call('HSET', KEYS[1], 'share', tostring(share), 'share_at', tostring(now))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return tostring(share)
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket: how much it holds and how fast it fills."""

    size: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The share of WeCom's ceilings that we plan with."""

    corp_api: Limit
    corp: Limit
    address: Limit


PER_MEMBER = Limit(15, 15 / 60)
"""WeCom shows a member 30 messages a minute of one app; what is beyond is lost and nobody is told (path/90454)."""


def limits() -> Limits:
    """Half of WeCom's ceilings, or what WECOM_LIMITS says: calls a minute and an hour."""
    table = {
        "corp_api": (5_000, 75_000),
        "corp": (10_000, 300_000),
        "address": (10_000, 300_000),
        **getattr(settings, "WECOM_LIMITS", {}),
    }
    return Limits(**{name: Limit(minute, hour / 3600) for name, (minute, hour) in table.items()})


def take(corp_id: str, api: str, *, bulk: bool) -> float:
    """0 when the call may be made now (and is counted), else the seconds to wait before asking again."""
    limit = limits()
    return _take(
        {
            _key("api", corp_id, api): limit.corp_api,
            _key("corp", corp_id): limit.corp,
            _key("address", getattr(settings, "WECOM_EGRESS", "default")): limit.address,
        },
        BULK_RESERVE if bulk else 0.0,
    )


def take_members(corp_id: str, agent_id: object, userids: Iterable[str]) -> float:
    """The same for a message of an app to members: it goes out when every receiver would be shown it."""
    return _take({_key("member", corp_id, str(agent_id), userid.lower()): PER_MEMBER for userid in userids}, 0.0)


def _take(buckets: dict[str, Limit], reserve: float) -> float:
    if _redis.usable:
        arguments: list[Any] = [reserve, KEEP_SECONDS]
        for bucket in buckets.values():
            arguments += [bucket.size, bucket.per_second]
        try:
            return float(_redis.run(TAKE, list(buckets), arguments))
        except redis.RedisError:
            _redis.rest()
    return _local.take(buckets, reserve)


def slow_down(corp_id: str, api: str) -> None:
    """WeCom said 45009: plan with half of what we had until it has grown back."""
    if _redis.usable:
        try:
            _redis.run(SLOW_DOWN, [_key("api", corp_id, api)], [KEEP_SECONDS])
        except redis.RedisError:
            _redis.rest()


def _key(*parts: str) -> str:
    return ":".join(("t", "public", "budget", *parts))


class _Redis:
    """The scripts' way to Redis; a Redis that failed is left alone for a moment, so that nobody waits for it twice."""

    def __init__(self) -> None:
        self._resting_until = 0.0

    @property
    def usable(self) -> bool:
        return time.monotonic() >= self._resting_until

    def rest(self) -> None:
        self._resting_until = time.monotonic() + REDIS_PAUSE
        logger.warning("Redis does not answer: budgets are kept by each process alone")

    def forget(self) -> None:
        self._resting_until = 0.0

    def run(self, script: str, keys: list[str], arguments: list[Any]) -> str:
        found = _script(settings.REDIS_URL, script)(keys=keys, args=arguments)
        return cast(bytes, found).decode()


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5)


@cache
def _script(url: str, text: str) -> Any:
    return _client(url).register_script(text)


class _Local:
    """Buckets of this process alone, each a fair part of the whole, for the time without Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, tuple[float, float]] = {}

    def take(self, buckets: dict[str, Limit], reserve: float) -> float:
        part = 1 / max(1, int(getattr(settings, "WECOM_PROCESSES", 8)))
        now = time.monotonic()
        with self._lock:
            if len(self._rows) > 20_000:
                self._rows.clear()
            wait, left = 0.0, {}
            for key, limit in buckets.items():
                size, rate = max(1.0, limit.size * part), limit.per_second * part
                tokens, at = self._rows.get(key, (size, now))
                tokens = min(size, tokens + (now - at) * rate)
                needed = 1 + size * reserve if size > 2 else 1
                if tokens < needed:
                    wait = max(wait, (needed - tokens) / rate)
                left[key] = tokens
            for key, tokens in left.items():
                self._rows[key] = (tokens if wait else tokens - 1, now)
        return wait


_redis = _Redis()
_local = _Local()
