"""`python -m benchmarks.apply.stub PORT FILE`: answers every call with 0 and notes when a welcome message came in."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWER = json.dumps({"errcode": 0, "errmsg": "ok", "access_token": "stub", "expires_in": 7200}).encode()
_file = Path(sys.argv[2]).open("a")  # noqa: SIM115  as long as the process


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if "welcome_code" in body:
            _file.write(f"{body['welcome_code']} {time.monotonic()}\n")
            _file.flush()
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Nothing: the output is the benchmark's."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stub).serve_forever()
