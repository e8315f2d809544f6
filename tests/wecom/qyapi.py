"""A small real HTTP server in the place of qyapi.weixin.qq.com: what it answers is set by each test."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from wecom.client import AppCredentials, MemoryTokens, WeComClient
from wecom.wire import Wire

CORP = "ww1f0e2d3c4b5a6978"
SECRET = "s3cret-of-the-app-0123456789"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024

    def do_GET(self):
        self._answer(None)

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body):
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        api = parts.path.removeprefix("/cgi-bin/")
        answer = self.server.qyapi.answer(api, query, body)
        if callable(answer):
            answer(self)
        else:
            self.send_json(answer)

    def send_json(self, answer):
        self.send_body(json.dumps(answer, ensure_ascii=False).encode())

    def send_body(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """A client that hangs up early is what many of these tests are about."""


class Qyapi:
    """Answers gettoken by itself; everything else as told in `answers`, a dict or a callable each."""

    def __init__(self, server):
        self.server = server
        self.base_url = f"http://127.0.0.1:{server.server_port}"
        self.calls = Counter()
        self.bodies = {}
        self.queries = {}
        self.answers = {}
        self.tokens = 0
        self.refused_tokens = set()
        self._lock = threading.Lock()

    def answer(self, api, query, body):
        with self._lock:
            self.calls[api] += 1
            self.queries[api] = query
            self.bodies[api] = body if body and body.startswith(b"--") else json.loads(body) if body else None
            answer = self.answers.get(api)
            if api == "gettoken" and answer is None:
                self.tokens += 1
                return {"errcode": 0, "errmsg": "ok", "access_token": f"token-{self.tokens}", "expires_in": 7200}
        if query.get("access_token") in self.refused_tokens:
            return {"errcode": 42001, "errmsg": "access_token expired"}
        if callable(answer) and not getattr(answer, "raw", False):
            return answer(query, body)
        return {"errcode": 0, "errmsg": "ok"} if answer is None else answer

    def client(self, secret=SECRET, key="app-1", tokens=None, **options):
        app = AppCredentials(key=key, corp_id=CORP, secret=secret)
        return WeComClient(app, tokens or MemoryTokens(), http=Wire(self.base_url), **options)


def raw(write):
    """Marks a callable that writes the whole HTTP answer by itself."""
    write.raw = True
    return write


@pytest.fixture
def qyapi():
    server = Server(("127.0.0.1", 0), Handler)
    server.qyapi = Qyapi(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.qyapi
    server.shutdown()
    server.server_close()
