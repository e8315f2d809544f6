"""The way in for WeCom's native archive library: an HTTP proxy that ends at the sandbox (wecom-api.md 7.2).

The library calls https://qyapi.weixin.qq.com and nothing else, but takes a proxy. It asks this one to CONNECT there and
speaks TLS with a certificate made at the start, which it does not check; inside is the sandbox's own API.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import ssl
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp, Message

HOST = "qyapi.weixin.qq.com"
LARGEST = 32 << 20
log = logging.getLogger("sandbox")


def certificate() -> ssl.SSLContext:
    """A certificate of that name, signed by itself, for as long as the process lives."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "pair.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        place.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(place)
    return context


class FinanceProxy:
    """Two servers: one that the library knows, and the TLS one behind it that nobody else does."""

    def __init__(self, application: ASGIApp) -> None:
        self.application = application
        self.servers: list[asyncio.Server] = []
        self.inner_port = 0

    async def start(self, host: str, port: int) -> None:
        inner = await asyncio.start_server(self.speak, "127.0.0.1", 0, ssl=certificate())
        self.inner_port = inner.sockets[0].getsockname()[1]
        self.servers.append(inner)
        self.servers.append(await asyncio.start_server(self.connect, host, port))

    def stop(self) -> None:
        for server in self.servers:
            server.close()

    # -- the proxy ---------------------------------------------------------------------------------------------------

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, *_ = head.decode("latin-1").split(" ", 2)
            if method != "CONNECT" or target.rpartition(":")[0] != HOST:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.inner_port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            writer.close()

    # -- HTTP inside TLS ---------------------------------------------------------------------------------------------

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        except Exception as error:  # noqa: BLE001 - a fault that cuts the answer ends here, as the connection does
            log.debug("sandbox: archive connection ends: %r", error)
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        headers = dict(pairs)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = min(int(headers.get("content-length") or 0), LARGEST)
        body = await reader.readexactly(length)
        path, _, query = target.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "scheme": "https",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in pairs],
            "client": ("127.0.0.1", 0),
        }
        await self.application(scope, once(body), Answer(writer))
        await writer.drain()
        return headers.get("connection", "").lower() != "close"


def once(body: bytes) -> Any:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


class Answer:
    """Writes what an ASGI application answers; header names in capitals, as the library looks for them."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            rows = [f"{name.decode().upper()}: {value.decode()}" for name, value in message.get("headers", [])]
            self.writer.write("\r\n".join([f"HTTP/1.1 {message['status']} X", *rows, "", ""]).encode("latin-1"))
        elif message["type"] == "http.response.body":
            self.writer.write(message.get("body", b""))
            await self.writer.drain()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()
