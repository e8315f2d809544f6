"""WeCom's access tokens, shared by all processes: kept sealed in Postgres, fetched by one at a time."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Coalesce
from django.utils import timezone

from tenants.keys import KeyFault, seal, unseal
from tenants.locks import in_turn
from tenants.models import AccessToken, CorpApp, Credential
from wecom.errors import WeComMisconfigured

logger = logging.getLogger(__name__)

CACHED_SECONDS = 60.0
FLIGHT_WAIT_SECONDS = 20.0
LOCK_SPACE = 0x544F4B45  # "TOKE": the first half of the advisory lock's number
BAD_SECRET = frozenset({40001, 40013, 40056, 40080, 40083, 40084, 41002, 41004})
"""Answers of gettoken that no repeat can mend; repeating 40001 shuts out our IP for an hour, for all tenants."""
ASKED_OF_SUITES = {
    Credential.Kind.SUITE_SECRET: "service/get_suite_token",
    Credential.Kind.PROVIDER_SECRET: "service/get_provider_token",
}
OF_SUITES = frozenset(ASKED_OF_SUITES.values())
OF_COMPANIES = frozenset({"gettoken", "service/get_corp_token"})
"""Where tokens come from. A company's may be asked for by its suite, whose own secret may be what is wrong then."""


def token_key(app_id: UUID, kind: str, of: str = "") -> str:
    """`of` names the secret: the token of one that was replaced is nobody's, in every process at once."""
    return f"{app_id}:{kind}:{of}"


class _Cache:
    """The tokens this process used last. A stale one costs one refused call, as WeCom says so."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[str, float]] = {}
        self.flights: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, key: str) -> str | None:
        token, until = self._tokens.get(key, ("", 0.0))
        return token if time.monotonic() < until else None

    def put(self, key: str, token: str, seconds: float) -> None:
        if len(self._tokens) > 5000:
            self._tokens.clear()
        self._tokens[key] = (token, time.monotonic() + min(seconds, CACHED_SECONDS))

    def drop(self, key: str, token: str = "") -> None:
        if not token or self._tokens.get(key, ("", 0.0))[0] == token:
            self._tokens.pop(key, None)

    def drop_all_of(self, app_id: UUID) -> None:
        for key in [key for key in list(self._tokens) if key.startswith(f"{app_id}:")]:
            self._tokens.pop(key, None)

    def forget(self) -> None:
        self._tokens.clear()


_cache = _Cache()


class PostgresTokens:
    """The TokenStore of the product. `insist` asks for a token even where the last answer was "wrong secret"."""

    def __init__(self, app: CorpApp, kind: str, *, insist: bool = False) -> None:
        self._app = app
        self._kind = kind
        self._insist = insist

    def get(self, key: str) -> str | None:
        if token := _cache.get(key):
            return token
        row = self._row()
        if row is None:
            return None
        left = (row.expires_at - timezone.now()).total_seconds()
        if left <= 0:
            return None
        token = self._opened(key, row)
        if token:
            _cache.put(key, token, left)
        return token or None

    @contextmanager
    def single_flight(self, key: str) -> Iterator[None]:
        """One fetch at a time: a lock of this process first, then one of the database for all processes.

        A wrong secret marks the app: nobody asks again until a check of the app finds it mended.
        """
        flight = _cache.flights[key]
        if not flight.acquire(timeout=FLIGHT_WAIT_SECONDS):
            raise TimeoutError(key)
        try:
            with in_turn(LOCK_SPACE, key, seconds=FLIGHT_WAIT_SECONDS):
                if not self._insist:
                    self._refuse_known_bad()
                try:
                    yield
                except WeComMisconfigured as error:
                    asks = OF_SUITES if self._app.lane == CorpApp.Lane.SUITE else OF_COMPANIES
                    if error.call in asks and error.code in BAD_SECRET:
                        mark_broken(self._app, error.code, _call(self._kind))
                    raise
        finally:
            flight.release()

    def put(self, key: str, token: str, expires_in: int) -> None:
        sealed = seal(self._app.tenant_id, _name(key), token)
        AccessToken.objects.update_or_create(
            app=self._app,
            kind=self._kind,
            defaults={"sealed": sealed, "expires_at": timezone.now() + timedelta(seconds=expires_in)},
        )
        _cache.put(key, token, expires_in)

    def drop(self, key: str, token: str) -> None:
        """Forgets this very token; one that another process fetched meanwhile stays."""
        _cache.drop(key, token)
        row = self._row()
        if row and self._opened(key, row) == token:
            AccessToken.objects.filter(pk=row.pk, fetched_at=row.fetched_at).delete()

    def _row(self) -> AccessToken | None:
        return AccessToken.objects.filter(app=self._app, kind=self._kind).first()

    def _opened(self, key: str, row: AccessToken) -> str:
        """The token; nothing when its data key was rotated away, as a token is fetched again rather than moved."""
        try:
            return unseal(self._app.tenant_id, _name(key), bytes(row.sealed)).decode()
        except KeyFault:
            return ""

    def _refuse_known_bad(self) -> None:
        known = CorpApp.objects.filter(pk=self._app.pk).values_list("state", "state_call", "state_code").first()
        if known and known[:2] == (CorpApp.State.BROKEN, _call(self._kind)):
            call = ASKED_OF_SUITES.get(Credential.Kind(self._kind), "gettoken")
            raise WeComMisconfigured(known[2] or 40001, "the secret was refused before and is unchanged", call)


def mark_broken(app: CorpApp, code: int, call: str) -> None:
    """What every page and worker sees from now on: this app needs a person. What is wrong with a suite stands with the
    suite alone: none of the companies that installed it can mend that."""
    if call in OF_SUITES:
        return
    now = timezone.now()
    CorpApp.objects.filter(pk=app.pk).update(
        state=CorpApp.State.BROKEN,
        state_code=code,
        state_call=call[:80],
        checked_at=now,
        broken_since=Coalesce("broken_since", now),
    )
    logger.warning("app %s of tenant %s is broken: %s in %s", app.pk, app.tenant_id, code, call)


def mark_well(app: CorpApp) -> None:
    """A check went through: what was said against the app is over."""
    CorpApp.objects.filter(pk=app.pk).update(
        state=CorpApp.State.OK, state_code=None, state_call="", checked_at=timezone.now(), broken_since=None
    )


def forget_tokens(app: CorpApp) -> None:
    """After the app or a secret was replaced: its tokens, its tickets and what was said against it are void."""
    AccessToken.objects.filter(app=app).delete()
    _cache.drop_all_of(app.pk)
    CorpApp.objects.filter(pk=app.pk, state=CorpApp.State.BROKEN).update(
        state=CorpApp.State.UNCHECKED, state_code=None, state_call="", broken_since=None
    )


def _name(key: str) -> str:
    return f"tenants_accesstoken|sealed|{key}"


def _call(kind: str) -> str:
    return f"gettoken:{kind}"


__all__ = ["BAD_SECRET", "OF_COMPANIES", "PostgresTokens", "forget_tokens", "mark_broken", "mark_well", "token_key"]
