"""How a fault looks on the wire."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import Send

from sandbox.faults import Fault

JSON = b"application/json; charset=UTF-8"
HTML = b"text/html; charset=utf-8"
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


class ConnectionCut(Exception):
    """Raised in the middle of an answer: the server then closes the connection, which is the point."""


async def rest(seconds: float, leaving: asyncio.Event) -> None:
    """Lets time pass, unless the server is going."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(leaving.wait(), seconds)


async def send_all(send: Send, status: int, body: bytes, kind: bytes = JSON, *more: tuple[bytes, bytes]) -> None:
    await start(send, status, len(body), kind, *more)
    await send({"type": "http.response.body", "body": body})


async def start(send: Send, status: int, length: int, kind: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(length).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def strike(fault: Fault, payload: bytes, send: Send, leaving: asyncio.Event) -> None:
    """Sends `payload`, or what the fault makes of it."""
    kind = fault.kind
    if kind == "5xx":
        await send_all(send, fault.status, PAGE, HTML)
    elif kind == "timeout":
        await rest(fault.delay or 60.0, leaving)
        await cut(send, payload, 0)
    elif kind == "drop":
        await cut(send, payload, len(payload) // 2)
    elif kind == "bad_json":
        await send_all(send, 200, payload[: max(1, len(payload) // 2)])
    elif kind == "html":
        await send_all(send, 200, PAGE, HTML)
    elif kind == "empty":
        await send_all(send, 200, b"")
    elif kind == "redirect":
        await send_all(send, 302, b"", HTML, (b"location", fault.location.encode()))
    elif kind == "huge":
        await huge(fault, send)
    elif kind == "slowloris":
        await drip(fault, payload, send, leaving)
    else:
        await send_all(send, 200, payload)


async def cut(send: Send, payload: bytes, length: int) -> None:
    await start(send, 200, len(payload) + 1, JSON)
    if length:
        await send({"type": "http.response.body", "body": payload[:length], "more_body": True})
    raise ConnectionCut


async def huge(fault: Fault, send: Send) -> None:
    """Valid JSON of that many MiB, so that only a ceiling on size can refuse it."""
    head, tail, chunk = b'{"errcode":0,"errmsg":"ok","padding":"', b'"}', b"x" * (1 << 20)
    await start(send, 200, len(head) + len(chunk) * fault.size + len(tail), JSON)
    await send({"type": "http.response.body", "body": head, "more_body": True})
    for _ in range(fault.size):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": tail})


async def drip(fault: Fault, payload: bytes, send: Send, leaving: asyncio.Event) -> None:
    """A byte now and a byte then: no single read waits long, the whole takes `delay` seconds."""
    pieces = min(len(payload), max(10, int((fault.delay or 30.0) * 4)))
    await start(send, 200, len(payload), JSON)
    for number in range(pieces - 1):
        await send({"type": "http.response.body", "body": payload[number : number + 1], "more_body": True})
        await rest((fault.delay or 30.0) / pieces, leaving)
    await send({"type": "http.response.body", "body": payload[pieces - 1 :]})
