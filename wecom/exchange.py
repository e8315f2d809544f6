"""One call to WeCom from request to typed result: token, gate, wire, answer, error table."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from wecom.answers import BrokenAnswer, read_answer
from wecom.codes import TOKEN_REFUSED, error_for
from wecom.endpoints import ENDPOINTS, Endpoint, Kind
from wecom.errors import WeComError, WeComMisconfigured, WeComRateLimited, WeComUnavailable, WeComUnknown
from wecom.grants import Grant, of_app
from wecom.media import Upload
from wecom.tokens import AppCredentials, TokenSource, TokenStore
from wecom.wire import TOTAL_SECONDS, Answer, Wire, WireFault

Gate = Callable[[str], object]
"""Called with the API's name before each request; waits for the budget or raises WeComRateLimited or WeComBusy."""

Body = Mapping[str, Any] | Upload | None
Watch = Callable[[str, Body], AbstractContextManager[object]]
"""Entered around each call with its API's name and body: may refuse it, and sees what it raises. For breakers."""

_GETTOKEN_SECONDS = 15.0
_MAX_MESSAGE = 500
_REFUSED_BEFORE_WORK = frozenset({429, 503})


class Exchange:
    """Speaks for one app. Safe between threads.

    `grant` is what its token is asked for with, an app's secret unless told otherwise; `by` asks for it where WeCom
    wants that question itself to carry a token."""

    def __init__(
        self,
        app: AppCredentials,
        tokens: TokenStore,
        wire: Wire,
        gate: Gate | None = None,
        watch: Watch | None = None,
        *,
        grant: Grant | None = None,
        by: "Callable[[], Exchange] | None" = None,
    ) -> None:
        self._grant = of_app(app.corp_id, app.secret) if grant is None else grant
        self._by = by
        self._watch = watch
        self._wire = wire
        self._gate = gate
        self._tokens = TokenSource(app, tokens, self._fetch_token, scope=repr(wire.origin))

    def token(self) -> str:
        """The access token now in use, fetched if there is none: also the live check of a secret."""
        return self._tokens.current()

    def perform(
        self,
        endpoint: Endpoint,
        params: Mapping[str, object] | None = None,
        body: Body = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """The answer of WeCom with errcode 0; anything else is raised as its error."""
        with nullcontext() if self._watch is None else self._watch(endpoint.api, body):
            answer = self._performed(endpoint, params or {}, body, timeout)
        return answer  # noqa: RET504 - a watch may swallow, as far as types know

    def _performed(
        self,
        endpoint: Endpoint,
        params: Mapping[str, object],
        body: Body,
        timeout: float | None,
    ) -> dict[str, Any]:
        token = self._tokens.current()
        answer = self._once(endpoint, params, body, token, timeout)
        if answer["errcode"] in TOKEN_REFUSED:
            renewed = self._tokens.renewed(token, endpoint.api)
            if renewed is not None:
                token = renewed
                answer = self._once(endpoint, params, body, token, timeout)
                if answer["errcode"] in TOKEN_REFUSED:
                    self._tokens.refused_again(endpoint.api)
        code = int(answer["errcode"])
        if code not in TOKEN_REFUSED:
            self._tokens.accepted(token)
        if code:
            raise error_for(code, self._clean(answer.get("errmsg", ""), token), endpoint.api)
        return answer

    def _once(
        self,
        endpoint: Endpoint,
        params: Mapping[str, object],
        body: Body,
        token: str,
        timeout: float | None,
    ) -> dict[str, Any]:
        query = {name: value for name, value in params.items() if value is not None}
        target = f"{endpoint.path}?{urlencode({**query, self._grant.carried_as: token}, quote_via=quote)}"
        how: dict[str, Any] = {"timeout": TOTAL_SECONDS if timeout is None else timeout}
        content: bytes | None = None
        if isinstance(body, Upload):
            how["content_type"], content = body.encoded()
        elif endpoint.method == "POST":
            content = _encoded(body or {}, endpoint.api)
        return self._send(endpoint, target, content, **how)

    def _send(self, endpoint: Endpoint, target: str, content: bytes | None, **how: Any) -> dict[str, Any]:
        if self._gate is not None:
            self._gate(endpoint.api)
        fault: WeComError
        try:
            answer = self._wire.request(endpoint.method, target, content, repeatable=endpoint.kind.repeatable, **how)
            return _understood(answer, endpoint)
        except WireFault as broken:
            fault = _lost(endpoint, 0, broken.reason, sent=broken.sent)
        except BrokenAnswer as broken:
            fault = _lost(endpoint, 0, broken.reason, sent=True)
        raise fault

    def _fetch_token(self) -> tuple[str, int]:
        grant = self._grant
        endpoint = ENDPOINTS[grant.api]
        if self._by is not None:
            answer = self._by().perform(endpoint, body=grant.asked, timeout=_GETTOKEN_SECONDS)
        elif endpoint.method == "GET":
            query = urlencode(grant.asked, quote_via=quote)
            answer = self._send(endpoint, f"{endpoint.path}?{query}", None, timeout=_GETTOKEN_SECONDS)
        else:
            asked = _encoded(grant.asked, endpoint.api)
            answer = self._send(endpoint, endpoint.path, asked, timeout=_GETTOKEN_SECONDS)
        if code := int(answer["errcode"]):
            raise error_for(code, self._clean(answer.get("errmsg", ""), ""), endpoint.api)
        token, expires_in = answer.get(grant.answered_as), answer.get("expires_in", 7200)
        if not isinstance(token, str) or not token or not isinstance(expires_in, int):
            raise WeComUnavailable(0, "answer without an access token", endpoint.api)
        return token, max(1, min(expires_in, 7200))

    def _clean(self, message: object, token: str) -> str:
        """WeCom's errmsg, bounded, and without our secrets should it ever quote them."""
        text = message if isinstance(message, str) else ""
        for secret in (*self._grant.secrets, token):
            if secret:
                text = text.replace(secret, "…")
        return text[:_MAX_MESSAGE]


def _encoded(body: Mapping[str, Any], api: str) -> bytes:
    """Real UTF-8, as WeCom refuses escapes in places (40033)."""
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise ValueError(f"{api}: the payload is not JSON") from error


def _understood(answer: Answer, endpoint: Endpoint) -> dict[str, Any]:
    """The JSON of an answer. An HTTP error counts unless its body is WeCom's own refusal."""
    status = answer.status
    if 200 <= status < 300:
        return read_answer(answer.body, endpoint.lists)
    try:
        found = read_answer(answer.body, ())
    except BrokenAnswer:
        found = {"errcode": 0}
    if found["errcode"]:
        return found
    if status == 429:
        raise WeComRateLimited(status, "HTTP 429", endpoint.api)
    if 400 <= status < 500:
        raise WeComMisconfigured(status, f"HTTP {status}: is this address WeCom's?", endpoint.api)
    reason = f"HTTP {status}" if status >= 500 else f"HTTP {status}: redirects are not followed"
    raise _lost(endpoint, status, reason, sent=status >= 500 and status not in _REFUSED_BEFORE_WORK)


def _lost(endpoint: Endpoint, code: int, reason: str, *, sent: bool) -> WeComError:
    """No usable answer: retry later if nothing can have been done or a repeat does no harm, else look it up first.

    A welcome code is good for one message, so after a server's error (a status) it may be tried again in its window.
    """
    harmless = endpoint.kind.repeatable or (code >= 500 and endpoint.kind is Kind.ONE_SHOT)
    family = WeComUnavailable if harmless or not sent else WeComUnknown
    return family(code, reason, endpoint.api)
