"""WeCom's door: a plain WSGI callable in front of Django. Verify, decrypt, store, and only then say 200."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import structlog

from callbacks.arrival import Arrival, Outcome
from callbacks.flush import flusher
from callbacks.gaps import watch
from callbacks.receivers import Doorkeeper, Receivers, ReceiversUnavailable
from wecom.crypto import MAX_BYTES, read_query
from wecom.errors import BadCallback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

PREFIX = "/wecom/callback/"
_PUBLIC_ID = re.compile(r"[0-9a-z]{8,32}")

receivers = Receivers()


class Answer(NamedTuple):
    status: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


STORED = Answer("200 OK", b"")
STORED_FOR_SUITE = Answer("200 OK", b"success")  # suite events want the word (path/90613)
REFUSED = Answer("400 Bad Request", b"This is not a callback signed for this address.\n")
UNKNOWN = Answer("404 Not Found", b"There is no callback address here.\n")
METHOD = Answer("405 Method Not Allowed", b"Use GET to verify, POST to deliver.\n", (("Allow", "GET, POST"),))
TOO_LARGE = Answer("413 Content Too Large", b"A callback may have 64 KB at most.\n")
BUSY = Answer(
    "503 Service Unavailable", b"This callback could not be stored. Deliver it again.\n", (("Retry-After", "5"),)
)


def intake(application: "WSGIApplication") -> "WSGIApplication":
    """Answers callbacks itself and hands every other request to `application`."""

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return application(environ, start_response)
        try:
            answer = _answer(environ, path[len(PREFIX) :])
        except Exception:
            log.exception("callback could not be answered")
            answer = BUSY
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(answer.body)))]
        start_response(answer.status, headers + list(answer.headers))
        return [answer.body]

    return serve


def _answer(environ: "WSGIEnvironment", rest: str) -> Answer:
    public_id = rest.removesuffix("/")
    if not _PUBLIC_ID.fullmatch(public_id):
        return UNKNOWN
    method = environ["REQUEST_METHOD"]
    if method not in ("GET", "POST"):
        return METHOD
    try:
        keeper = receivers.get(public_id)
    except ReceiversUnavailable:
        watch.refused()
        return BUSY
    if keeper is None:
        return UNKNOWN
    return _verified(environ, public_id, keeper) if method == "GET" else _received(environ, public_id, keeper)


def _verified(environ: "WSGIEnvironment", public_id: str, keeper: Doorkeeper) -> Answer:
    """WeCom asks whether this URL is ours and waits one second for the plain echo (path/91116)."""
    try:
        query = read_query(environ.get("QUERY_STRING", ""))
        try:
            text = keeper.echo(query)
        except BadCallback:
            if (newer := _newer(public_id, keeper)) is None:
                raise
            keeper, text = newer, newer.echo(query)
    except BadCallback as error:
        return _refuse(keeper, error)
    flusher.note_verified(keeper.receiver_id)
    return Answer("200 OK", text.encode())


def _received(environ: "WSGIEnvironment", public_id: str, keeper: Doorkeeper) -> Answer:
    body = _body(environ)
    if isinstance(body, Answer):
        return body
    arrival = Arrival(keeper, environ.get("QUERY_STRING", ""), body)
    outcome = flusher.store(arrival)
    if outcome is Outcome.REFUSED and not arrival.opened and (newer := _newer(public_id, keeper)) is not None:
        arrival = Arrival(newer, arrival.query, body)
        outcome = flusher.store(arrival)
    if outcome is Outcome.REFUSED:
        return _refuse(keeper, arrival.error)
    if outcome not in (Outcome.STORED, Outcome.SPOOLED):
        watch.refused(keeper.tenants())
        return BUSY
    return STORED_FOR_SUITE if arrival.for_suite else STORED


def _body(environ: "WSGIEnvironment") -> bytes | Answer:
    """The body, refused before it is read when its length says that it is too large."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length:
        if not (length.isascii() and length.isdecimal()):
            return REFUSED
        size = int(length) if len(length) < 12 else MAX_BYTES + 1
    elif environ.get("wsgi.input_terminated"):  # chunked: the limit, and one byte to see that it is exceeded
        size = MAX_BYTES + 1
    else:
        size = 0
    if length and size > MAX_BYTES:
        return TOO_LARGE
    body: bytes = environ["wsgi.input"].read(size)
    return body if len(body) <= MAX_BYTES else TOO_LARGE


def _newer(public_id: str, keeper: Doorkeeper) -> Doorkeeper | None:
    """What the keys in memory refuse may fit those of the database: an admin may have changed them a moment ago."""
    try:
        newer = receivers.reload(public_id)
    except ReceiversUnavailable:
        return None
    return None if newer is keeper else newer


def _refuse(keeper: Doorkeeper, error: BadCallback) -> Answer:
    """One answer for every cause: a forger learns nothing. The cause is in our log."""
    log.warning("callback refused", receiver=keeper.receiver_id, reason=error.reason)
    return REFUSED
