"""A small S3-compatible store: objects by name, and no answer without a signature."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest


@dataclass
class Objects:
    url: str = ""
    kept: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    down: bool = False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def objects(self) -> Objects:
        return self.server.objects

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", kind: str = "application/xml", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"ETag": '"x"', "Content-Type": kind, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def name(self) -> str | None:
        """The object's name; None after a refusal."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if self.objects.down:
            self.answer(503)
        elif "Authorization" not in self.headers and "X-Amz-Signature" not in query:
            self.answer(403)
        else:
            return unquote(parts.path)
        return None

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("x-amz-content-sha256", "").startswith("STREAMING"):
            body = unchunked(body)
        if (name := self.name()) is not None:
            self.objects.kept[name] = (body, self.headers.get("Content-Type", ""))
            self.answer(200)

    def do_GET(self) -> None:
        if (name := self.name()) is None:
            return
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            bucket, prefix = name.strip("/"), query.get("prefix", [""])[0]
            found = [
                one.removeprefix(f"/{bucket}/") for one in self.objects.kept if one.startswith(f"/{bucket}/{prefix}")
            ]
            rows = "".join(
                f"<Contents><Key>{escape(one)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>x</ETag>"
                f"<Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
                for one in found
            )
            page = f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
            self.answer(200, page.encode())
        elif name in self.objects.kept:
            body, kind = self.objects.kept[name]
            place = query.get("response-content-disposition", [""])[0]
            self.answer(200, body, kind, **({"Content_Disposition": place} if place else {}))
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>")

    def do_DELETE(self) -> None:
        if (name := self.name()) is not None:
            self.objects.kept.pop(name, None)
            self.answer(204)


def unchunked(body: bytes) -> bytes:
    """The aws-chunked form of an upload."""
    found = b""
    while body:
        head, _, rest = body.partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        found, body = found + rest[:size], rest[size + 2 :] if size else b""
    return found


@pytest.fixture
def bucket() -> Iterator[Objects]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.objects = Objects(f"http://key:s%2Fecret@127.0.0.1:{server.server_address[1]}/scrm?region=cn-north-1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.objects
    server.shutdown()
    server.server_close()
