"""A small HTTP/1.1 client for callbacks: kept connections, one deadline for the whole exchange, no redirects."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

LARGEST_ANSWER = 1 << 20
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Broken(OSError):
    """The other side closed, or does not speak HTTP."""


class Client:
    def __init__(self) -> None:
        self.server_of: Callable[[str, int], tuple[str, int]] = lambda name, port: (name, port)
        self.idle: dict[tuple[str, str, int], list[Stream]] = defaultdict(list)

    async def send(self, method: str, url: str, body: bytes, content_type: str, seconds: float) -> Answer:
        """One exchange. Sends twice only when a kept connection turns out to be closed."""
        async with asyncio.timeout(seconds):
            parts = urlsplit(url)
            where = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n"
            if body:
                head += f"Content-Type: {content_type}\r\n"
            packet = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            while self.idle[where]:
                reader, writer = self.idle[where].pop()
                if reader.at_eof() or writer.is_closing():
                    writer.close()
                    continue
                try:
                    return await self.exchange(where, (reader, writer), packet)
                except (ConnectionError, asyncio.IncompleteReadError):
                    break
            return await self.exchange(where, await self.connect(where), packet)

    async def connect(self, where: tuple[str, str, int]) -> Stream:
        scheme, host, port = where
        secure = ssl.create_default_context() if scheme == "https" else None
        return await asyncio.open_connection(*self.server_of(host, port), ssl=secure, limit=LARGEST_ANSWER)

    async def exchange(self, where: tuple[str, str, int], stream: Stream, packet: bytes) -> Answer:
        reader, writer = stream
        try:
            writer.write(packet)
            await writer.drain()
            answer, keep = await read_answer(reader)
        except BaseException:
            writer.close()
            raise
        if keep:
            self.idle[where].append(stream)
        else:
            writer.close()
        return answer

    def close(self) -> None:
        for streams in self.idle.values():
            for _, writer in streams:
                writer.close()
        self.idle.clear()


async def read_answer(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise Broken(f"not HTTP: {first[:60]}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    keep = headers.get("connection", "").lower() != "close" and words[0] == "HTTP/1.1"
    length = headers.get("content-length")
    if length is not None:
        if int(length) > LARGEST_ANSWER:
            raise Broken("answer too large")
        return Answer(int(words[1]), await reader.readexactly(int(length))), keep
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Answer(int(words[1]), await read_chunks(reader)), keep
    return Answer(int(words[1]), await reader.read(LARGEST_ANSWER)), False


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if len(body) + size > LARGEST_ANSWER:
            raise Broken("answer too large")
        body += (await reader.readexactly(size + 2))[:size]
        if size == 0:
            return body
