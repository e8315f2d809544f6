"""HTTP to one allowed host and nowhere else: no redirects, no unbounded wait, no unbounded answer, and no library that
writes URLs (which carry the access token) into logs or exceptions."""

import functools
import http.client
import io
import ipaddress
import os
import select
import socket
import ssl
import threading
import time
from typing import NamedTuple, cast
from urllib.parse import urlsplit

PRODUCTION = "https://qyapi.weixin.qq.com"
ALLOWED_HOSTS = frozenset({"qyapi.weixin.qq.com"})

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 20.0
MAX_ANSWER = 20 * 1024 * 1024
_IDLE_SECONDS = 20.0
_IDLE_KEPT = 16
_PIECE = 64 * 1024
_JSON = "application/json; charset=utf-8"
_SLOWEST_UPLOAD = 128 * 1024  # bytes a second: sending a file may take longer than an answer


class WireFault(Exception):
    """No usable HTTP answer. `sent` says whether the request may have reached the other side."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class Answer(NamedTuple):
    """An HTTP answer, read to its end."""

    status: int
    body: bytes


class Origin(NamedTuple):
    """Where calls go, taken apart once."""

    secure: bool
    host: str
    port: int
    prefix: str


def allowed_origin(base_url: str, trusted_hosts: frozenset[str] = frozenset()) -> Origin:
    """The origin of an allowed base URL: WeCom over https, a host the deployment names, or this very machine."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise ValueError("the WeCom address must be like https://qyapi.weixin.qq.com")
    secure = parts.scheme == "https"
    if host not in trusted_hosts and not _is_loopback(host) and not (secure and host in ALLOWED_HOSTS):
        raise ValueError(f"{host} is not an allowed WeCom address")
    return Origin(secure, host, parts.port or (443 if secure else 80), parts.path.rstrip("/"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Timed(io.RawIOBase):
    """A socket's bytes under a deadline: a server that drips one byte at a time cannot hold us beyond it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        self._sock.settimeout(_left(self._deadline, READ_SECONDS))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, deadline: float, sock: socket.socket, method: str | None = None) -> None:
        super().__init__(sock, method=method)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(sock, deadline))


class _Connection(http.client.HTTPConnection):
    """One socket to the origin. It never opens another by itself."""

    auto_open = 0
    idle_since = 0.0

    def await_answer(self, deadline: float) -> http.client.HTTPResponse:
        self.response_class = cast(type[http.client.HTTPResponse], _response_under(deadline))
        return self.getresponse()

    def is_alive(self) -> bool:
        """False once the server has closed it, or it lay idle long enough that the server is about to."""
        if self.sock is None or time.monotonic() - self.idle_since > _IDLE_SECONDS:
            return False
        poller = select.poll()
        poller.register(self.sock, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poller.poll(0)


def _response_under(deadline: float) -> object:
    def response(
        sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> _Response:
        return _Response(deadline, sock, method)

    return response


def _left(deadline: float, at_most: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("total time is over")
    return min(left, at_most)


class Wire:
    """Kept-alive connections to one origin, safe between threads and across a fork."""

    def __init__(self, base_url: str = PRODUCTION, *, trusted_hosts: frozenset[str] = frozenset()) -> None:
        self.origin = allowed_origin(base_url, trusted_hosts)
        default = 443 if self.origin.secure else 80
        host = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
        self._host = host if self.origin.port == default else f"{host}:{self.origin.port}"
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def request(
        self,
        method: str,
        target: str,
        body: bytes | None,
        *,
        timeout: float = TOTAL_SECONDS,
        repeatable: bool = False,
        content_type: str = _JSON,
    ) -> Answer:
        """One exchange within `timeout`. A kept connection that turns out dead is replaced once if `repeatable`."""
        deadline = time.monotonic() + timeout
        connection = self._kept()
        if connection is not None:
            try:
                return self._exchange(connection, method, target, body, deadline, content_type)
            except WireFault as fault:
                if not repeatable or not isinstance(fault, _Dropped):
                    raise
        return self._exchange(self._opened(deadline), method, target, body, deadline, content_type)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _kept(self) -> _Connection | None:
        with self._lock:
            if self._owner != os.getpid():  # the parent's sockets are not ours to speak on
                self._idle, self._owner = [], os.getpid()
            while self._idle:
                connection = self._idle.pop()
                if connection.is_alive():
                    return connection
                connection.close()
        return None

    def _keep(self, connection: _Connection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            if self._owner == os.getpid() and len(self._idle) < _IDLE_KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def _opened(self, deadline: float) -> _Connection:
        try:
            wait = _left(deadline, CONNECT_SECONDS)
            sock = socket.create_connection((self.origin.host, self.origin.port), timeout=wait)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.origin.secure:
                sock = _tls().wrap_socket(sock, server_hostname=self.origin.host)
        except OSError as error:
            raise WireFault(f"no connection: {_named(error)}", sent=False) from None
        connection = _Connection(self.origin.host, self.origin.port)
        connection.sock = sock
        return connection

    def _exchange(
        self,
        connection: _Connection,
        method: str,
        target: str,
        body: bytes | None,
        deadline: float,
        content_type: str,
    ) -> Answer:
        headers = {"Host": self._host, "Accept": "application/json", "User-Agent": "scrm"}
        if body is not None:
            headers["Content-Type"] = content_type
        kept = False
        try:
            connection.sock.settimeout(_left(deadline, READ_SECONDS + len(body or b"") / _SLOWEST_UPLOAD))
            connection.request(method, self.origin.prefix + target, body=body, headers=headers)
            response = connection.await_answer(deadline)
            answer = Answer(response.status, _read(response))
            kept = not response.will_close
            return answer
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            raise _Dropped("connection closed without an answer", sent=True) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise WireFault(f"no answer: {_named(error)}", sent=True) from None
        finally:
            if kept:
                self._keep(connection)
            else:
                connection.close()


class _Dropped(WireFault):
    """Closed before the first byte of an answer: what an idle connection does when the server gave it up."""


def _read(response: http.client.HTTPResponse) -> bytes:
    """The whole body, or a fault once it is larger than any honest answer or shorter than announced."""
    announced = response.length
    if announced is not None and announced > MAX_ANSWER:
        raise WireFault("answer too large", sent=True)
    pieces = []
    size = 0
    while piece := response.read(_PIECE):
        size += len(piece)
        if size > MAX_ANSWER:
            raise WireFault("answer too large", sent=True)
        pieces.append(piece)
    if announced is not None and size != announced:
        raise WireFault("answer cut short", sent=True)
    return b"".join(pieces)


def _named(error: Exception) -> str:
    """The kind of an error only: its text might quote what was sent."""
    if isinstance(error, TimeoutError):
        return "time-out"
    if isinstance(error, socket.gaierror):
        return "name not resolved"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return type(error).__name__


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@functools.cache
def shared_wire(base_url: str, trusted_hosts: frozenset[str] = frozenset()) -> Wire:
    """The process's connections to an origin; clients come and go, connections stay."""
    return Wire(base_url, trusted_hosts=trusted_hosts)
