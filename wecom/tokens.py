"""Access tokens: one fetch in flight per app, one renewal when WeCom refuses a token, never a loop (path/91039)."""

import hashlib
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from wecom.errors import WeComError, WeComUnavailable

_RENEWAL_PAUSE = 20.0
"""Seconds in which a renewal that did not help is not tried again."""

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """An app of a company. `key` names its tokens in the store and holds no part of the secret."""

    key: str
    corp_id: str
    secret: str = field(repr=False)


class TokenStore(Protocol):
    """Where tokens live, shared by every process that speaks for the app."""

    def get(self, key: str) -> str | None:
        """The token that is still good, if there is one."""

    def single_flight(self, key: str) -> AbstractContextManager[object]:
        """Holds all others of this key out, in every process; TimeoutError when the wait is too long."""

    def put(self, key: str, token: str, expires_in: int) -> None:
        """Keeps a token for so many seconds; the margin before WeCom's own expiry is already taken off."""

    def drop(self, key: str, token: str) -> None:
        """Forgets this very token; a newer one stays."""


class MemoryTokens:
    """A store for one process: tests, benchmarks, a single script."""

    def __init__(self, wait: float = 20.0) -> None:
        self._wait = wait
        self._tokens: dict[str, tuple[str, float]] = {}
        self._flights: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def get(self, key: str) -> str | None:
        with self._lock:
            token, until = self._tokens.get(key, ("", 0.0))
        return token if time.monotonic() < until else None

    @contextmanager
    def single_flight(self, key: str) -> Iterator[None]:
        with self._lock:
            flight = self._flights[key]
        if not flight.acquire(timeout=self._wait):
            raise TimeoutError(key)
        try:
            yield
        finally:
            flight.release()

    def put(self, key: str, token: str, expires_in: int) -> None:
        with self._lock:
            self._tokens[key] = (token, time.monotonic() + expires_in)

    def drop(self, key: str, token: str) -> None:
        with self._lock:
            if self._tokens.get(key, ("", 0.0))[0] == token:
                del self._tokens[key]


@dataclass(slots=True)
class _Past:
    """What this process went through with one app's tokens."""

    renewed: str = ""
    renewed_at: float = float("-inf")
    renewed_helped: bool = False
    futile_until: dict[str, float] = field(default_factory=dict)
    failure: WeComError | None = None
    failed_at: float = float("-inf")


class _Memory:
    """The pasts of the apps used last."""

    def __init__(self) -> None:
        self._pasts: OrderedDict[str, _Past] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, name: str) -> _Past:
        with self._lock:
            past = self._pasts.setdefault(name, _Past())
            self._pasts.move_to_end(name)
            if len(self._pasts) > _REMEMBERED:
                self._pasts.popitem(last=False)
            return past


_memory = _Memory()


class TokenSource:
    """Gives a client the token of its app."""

    def __init__(
        self, app: AppCredentials, store: TokenStore, fetch: Callable[[], tuple[str, int]], *, scope: str
    ) -> None:
        self._key = app.key
        self._store = store
        self._fetch = fetch
        name = repr((scope, app.key, app.corp_id, app.secret))
        self._past = _memory.of(hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest())

    def current(self) -> str:
        """The token in the store, or a fetched one."""
        return self._store.get(self._key) or self._fetched(refused="")

    def renewed(self, refused: str, api: str) -> str | None:
        """A token other than the refused one; None when renewing has just been seen not to help, so nothing loops."""
        past, now = self._past, time.monotonic()
        untried = past.renewed == refused and not past.renewed_helped and now - past.renewed_at < _RENEWAL_PAUSE
        if untried or now < past.futile_until.get(api, 0.0):
            return None
        self._store.drop(self._key, refused)
        return self._fetched(refused=refused)

    def accepted(self, token: str) -> None:
        """An API took this token: should it be refused later, a renewal is worth its call again."""
        if token == self._past.renewed:
            self._past.renewed_helped = True

    def refused_again(self, api: str) -> None:
        """This API refuses a fresh token as well."""
        self._past.futile_until[api] = time.monotonic() + _RENEWAL_PAUSE

    def _fetched(self, *, refused: str) -> str:
        asked_at = time.monotonic()
        try:
            with self._store.single_flight(self._key):
                token = self._store.get(self._key)
                if token and token != refused:
                    return token
                return self._flight(asked_at, refused=refused)
        except TimeoutError:
            pass
        raise WeComUnavailable(0, "no access token in time", "gettoken")

    def _flight(self, asked_at: float, *, refused: str) -> str:
        past = self._past
        if past.failure is not None and past.failed_at >= asked_at:
            # Whoever waited while the fetch failed fails with it: repeating a wrong secret bans our IP for an hour.
            raise type(past.failure)(*past.failure.args)
        try:
            token, expires_in = self._fetch()
        except WeComError as error:
            past.failure, past.failed_at = type(error)(*error.args), time.monotonic()
            raise
        if refused:
            past.renewed, past.renewed_at, past.renewed_helped = token, time.monotonic(), False
        self._store.put(self._key, token, kept_for(expires_in))
        return token


def kept_for(expires_in: int) -> int:
    """Seconds a token is kept: five minutes less than its life, or half of a short one."""
    return max(expires_in - 300, expires_in // 2, 1)
